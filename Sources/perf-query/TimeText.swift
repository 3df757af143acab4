internal import Formats
internal import Profiles

/// Times as people and file names want them, in UTC and to the second.
enum TimeText {
    static func toSecond(_ moment: Timestamp) -> String {
        RFC3339.text(Timestamp(seconds: moment.nanoseconds / 1_000_000_000))
    }

    /// `20260301T120000Z`.
    static func compact(_ moment: Timestamp) -> String {
        toSecond(moment).filter { $0 != "-" && $0 != ":" }
    }
}
