/// What a sample's weight measures, and in which unit.
public struct ProfileType: Hashable, Sendable {
    /// The word that users type: `cpu`, later `off-cpu`, `memory` and others.
    public var name: String
    /// The unit of `self`, `total` and `value`, as pprof writes it: `nanoseconds`, `bytes`, `count`.
    public var unit: String

    public init(name: String, unit: String) {
        self.name = name
        self.unit = unit
    }

    /// CPU time, in nanoseconds, sampled by the CPU clock.
    public static let cpu = ProfileType(name: "cpu", unit: "nanoseconds")

    /// Every type that can be measured today.
    public static let available: [ProfileType] = [.cpu]
}
