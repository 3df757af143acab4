/// Lets the first of a run of like messages through and then one a minute, with the number of those in between.
struct RepeatedNotices: Sendable {
    typealias Instant = ContinuousClock.Instant

    static let interval = Duration.seconds(60)
    private var last: [String: (time: Instant, suppressed: Int)] = [:]

    /// How many like it were held back since the last one that was shown; nil where this one is held back too.
    ///
    /// - Parameter kind: one of a few fixed words, not the message.
    mutating func admit(_ kind: String, at now: Instant) -> Int? {
        guard let before = last[kind] else {
            last[kind] = (now, 0)
            return 0
        }
        guard before.time + Self.interval <= now else {
            last[kind] = (before.time, before.suppressed + 1)
            return nil
        }
        last[kind] = (now, 0)
        return before.suppressed
    }
}
