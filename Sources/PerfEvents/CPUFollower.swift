internal import LinuxSystem

/// Tells when the set of online CPUs has changed.
struct CPUFollower {
    private var last: [UInt8] = []
    private var buffer: [UInt8] = []

    /// The CPUs that are online, where that differs from the last answer; nil where it does not. Allocates only for a
    /// change.
    mutating func update() -> [Int]? {
        guard (try? SmallFile.read("/sys/devices/system/cpu/online", into: &buffer, limit: 4096)) != nil,
            buffer != last
        else { return nil }
        last = buffer
        return CPUList.online()
    }

    /// The next `update` answers even without a change.
    mutating func forget() {
        last = []
    }
}
