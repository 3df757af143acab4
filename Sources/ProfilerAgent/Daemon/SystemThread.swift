internal import CLinux
internal import Glibc
internal import LinuxSystem

/// A plain thread of the system, for what must neither wait for a pool's thread nor hold one up.
enum SystemThread {
    private final class Body {
        let name: String
        let run: @Sendable () -> Void

        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Starts a detached thread with all signals blocked: they belong to the main thread.
    ///
    /// Throws where the system has no thread left.
    /// - Parameter name: At most 15 bytes, as `ps` and this profiler show it.
    static func launch(_ name: String, _ run: @escaping @Sendable () -> Void) throws(SystemCallError) {
        let body = unsafe Unmanaged.passRetained(Body(name, run))
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var all = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_BLOCK, &all, &before)
        let code = unsafe pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                unsafe linux_name_thread(body.name)
                body.run()
                return nil
            }, unsafe body.toOpaque())
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        unsafe pthread_attr_destroy(&attributes)
        guard code == 0 else {
            unsafe body.release()
            throw SystemCallError("pthread_create", on: name, code: code)
        }
    }

    /// Lets the calling thread, and those that it starts, run soon on a busy host (nice -10). Where the system forbids that
    /// they are ordinary threads.
    static func favour() { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, -10) }

    /// Keeps the calling thread on one CPU, before all ordinary threads there. False where the system forbids that, and
    /// the thread is left as it was: one that must stay on a CPU and wait there for its turn would only come later.
    @discardableResult
    static func claim(cpu: Int) -> Bool { linux_claim_cpu(Int32(clamping: cpu)) == 0 }
}
