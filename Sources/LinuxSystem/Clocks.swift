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

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        // Fails only for a clock that does not exist.
        _ = unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
