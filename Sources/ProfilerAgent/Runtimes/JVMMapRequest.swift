internal import LanguageRuntimes
internal import LinuxSystem
internal import Synchronization

/// A JVM is asked to write its perf map, by a thread that waits for the answer: seconds, where the JVM is busy.
final class JVMMapRequest: Sendable {
    private let answer = Mutex<Result<Void, JVMAttach.Failure>?>(nil)

    private init() {}

    /// nil until the JVM has answered, or was waited for long enough.
    var outcome: Result<Void, JVMAttach.Failure>? { answer.withLock { $0 } }

    static func start(_ process: Int32) -> JVMMapRequest {
        let request = JVMMapRequest()
        do throws(SystemCallError) {
            try SystemThread.launch("jvm-attach") {
                do throws(JVMAttach.Failure) {
                    try JVMAttach(process).writePerfMap()
                    request.answer.withLock { $0 = .success(()) }
                } catch {
                    request.answer.withLock { $0 = .failure(error) }
                }
            }
        } catch {
            request.answer.withLock { $0 = .failure(.failed(error)) }
        }
        return request
    }
}
