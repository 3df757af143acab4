internal import Glibc

/// The kernel's clocks, in nanoseconds.
public enum Clocks {
    /// CLOCK_MONOTONIC: time since some moment before the boot's end, without jumps.
    public static func monotonic() -> UInt64 { read(CLOCK_MONOTONIC) }

    /// CLOCK_REALTIME: nanoseconds since 1970-01-01T00:00:00Z.
    public static func wall() -> Int64 { Int64(bitPattern: read(CLOCK_REALTIME)) }

    /// CPU time that the calling thread has used.
    public static func threadCPU() -> UInt64 { read(CLOCK_THREAD_CPUTIME_ID) }

    /// CPU time that all threads of this process have used.
    public static func processCPU() -> UInt64 { read(CLOCK_PROCESS_CPUTIME_ID) }

    /// CPU time of children that have ended and were waited for, and of theirs.
    public static func endedChildrenCPU() -> UInt64 {
        var usage = rusage()
        guard unsafe getrusage(RUSAGE_CHILDREN.rawValue, &usage) == 0 else { return 0 }
        let seconds = UInt64(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        return seconds &* 1_000_000_000 &+ UInt64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) &* 1000
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        // Fails only for a clock that does not exist.
        _ = unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
