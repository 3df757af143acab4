import Glibc

/// How much more would have to be measured for a change of a given size to be seen four times in five, at the level that
/// the answer's tests have.
public struct Power: Hashable, Sendable {
    /// The change, as a difference of shares.
    public var size: Double
    /// The smallest change that is seen four times in five as it is.
    public var visible: Double
    /// How many times as much of everything; below 1 where there is enough.
    public var times: Double
    /// Hosts on each side, likewise measured; nil where hosts are not the unit of chance.
    public var hosts: Int?
    /// Samples of both sides together, of the same hosts; nil where no number would do, since hosts differ by too much.
    public var samples: Double?

    /// The normal distribution's quantile for 4 in 5.
    private static let chance = 0.8416212335729143

    init(
        toSee size: Double, variance: (value: Double, degreesOfFreedom: Double), ofSamples drawn: Double,
        _ units: DifferenceUnits, samples count: UInt64, level: Double, _ critical: inout CriticalValues
    ) {
        self.size = size
        let reach = critical.value(variance.degreesOfFreedom, level: level) + Self.chance
        visible = reach * variance.value.squareRoot()
        times = size > 0 ? variance.value * reach * reach / (size * size) : .infinity
        if case .hosts = units.basis, times.isFinite, times < 1e9 {
            hosts = max(2, Int((Double(max(units.baseCount, units.againstCount)) * times).rounded(.up)))
        }
        guard size > 0 else { return }
        let room = size * size / (reach * reach)
        let between: Double
        if case .hosts = units.basis { between = max(0, variance.value - drawn) } else { between = 0 }
        let spread = max(drawn, variance.value - between)
        if room > between { samples = (Double(count) * spread / (room - between)).rounded(.up) }
    }
}
