public import Profiles

/// Times as people and file names want them, in UTC and to the second; JSON has them exact.
public enum TimeText {
    public static func toSecond(_ moment: Timestamp) -> String {
        RFC3339.text(Timestamp(seconds: moment.nanoseconds / 1_000_000_000))
    }

    /// Two times to be compared: exact where they differ only within one second.
    public static func pair(_ first: Timestamp, _ second: Timestamp) -> (String, String) {
        let texts = (toSecond(first), toSecond(second))
        return texts.0 == texts.1 ? (RFC3339.text(first), RFC3339.text(second)) : texts
    }

    /// `20260301T120000Z`.
    public static func compact(_ moment: Timestamp) -> String {
        toSecond(moment).filter { $0 != "-" && $0 != ":" }
    }
}
