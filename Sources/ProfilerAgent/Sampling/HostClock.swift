internal import Glibc
internal import LinuxSystem
internal import Profiles

/// How the clocks of this host stand to each other: records carry CLOCK_MONOTONIC, windows the wall clock, /proc ticks
/// since boot.
struct HostClock: Sendable {
    /// Wall clock less monotonic clock, in nanoseconds.
    var wallOffset: Int64
    /// Time since boot, sleep included, less monotonic clock.
    var bootOffset: Int64

    init(wallOffset: Int64, bootOffset: Int64) {
        self.wallOffset = wallOffset
        self.bootOffset = bootOffset
    }

    /// As the clocks stand now.
    static func now() -> HostClock {
        let monotonic = read(CLOCK_MONOTONIC)
        return HostClock(wallOffset: read(CLOCK_REALTIME) - monotonic, bootOffset: read(CLOCK_BOOTTIME) - monotonic)
    }

    static var monotonicNow: UInt64 { UInt64(max(0, read(CLOCK_MONOTONIC))) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    func wall(_ monotonic: UInt64) -> Timestamp {
        Timestamp(nanoseconds: Int64(clamping: monotonic) + wallOffset)
    }

    func monotonic(_ wall: Timestamp) -> UInt64 { UInt64(clamping: wall.nanoseconds - wallOffset) }

    func monotonic(ofBootTicks ticks: UInt64) -> UInt64 {
        let (nanoseconds, overflow) = ticks.multipliedReportingOverflow(
            by: 1_000_000_000 / ProcessStatus.ticksPerSecond)
        return overflow ? .max : UInt64(clamping: Int64(clamping: nanoseconds) - bootOffset)
    }

    /// The first moment behind `monotonic` at which the wall clock shows a whole multiple of `length`.
    func nextBoundary(after monotonic: UInt64, every length: Duration) -> UInt64 {
        let step = max(1, length.wholeNanoseconds)
        let wall = self.wall(monotonic).nanoseconds
        let remainder = ((wall % step) + step) % step
        return monotonic &+ UInt64(step - remainder)
    }
}

extension Duration {
    /// Saturates at about 292 years.
    var wholeNanoseconds: Int64 {
        let (seconds, overflow) = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : seconds &+ components.attoseconds / 1_000_000_000
    }
}
