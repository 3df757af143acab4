// How text becomes numbers, sizes and times of settings: one reader for flags, environment and files.

/// Readers of settings' text. Each gives nil for what it can't use.
public enum SettingText {
    /// `true`, `yes`, `on`, `1` and their opposites.
    public static func boolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }

    /// A decimal number, finite; underscores and hexadecimal forms are not taken.
    public static func number(_ text: String) -> Double? {
        let allowed = text.utf8.allSatisfy {
            ($0 >= 48 && $0 <= 57) || $0 == 46 || $0 == 45 || $0 == 43 || $0 | 32 == 101
        }
        guard allowed, let value = Double(text), value.isFinite else { return nil }
        return value
    }

    public static func integer(_ text: String, within range: ClosedRange<Int>) -> Int? {
        Int(text).flatMap { range.contains($0) ? $0 : nil }
    }

    static func size(_ text: String, within range: ClosedRange<Int>) -> Int? {
        size(text).flatMap { range.contains($0) ? $0 : nil }
    }

    static func duration(_ text: String, within range: ClosedRange<Duration>) -> Duration? {
        duration(text).flatMap { range.contains($0) ? $0 : nil }
    }

    /// 1 to 4,000 bytes without control characters.
    static func path(_ text: String) -> String? {
        let isUsable = !text.isEmpty && text.utf8.count <= 4000 && text.unicodeScalars.allSatisfy { $0.value >= 32 }
        return isUsable ? text : nil
    }

    /// Bytes: a bare number, or one with B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).
    /// Upper and lower case are the same.
    public static func size(_ text: String) -> Int? {
        let units: [(String, Double)] = [
            ("kib", 1024), ("mib", 1_048_576), ("gib", 1_073_741_824), ("tib", 1_099_511_627_776),
            ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("tb", 1e12), ("b", 1), ("", 1),
        ]
        return scaled(text.lowercased(), units: units).flatMap { $0 < 9e18 ? Int($0.rounded()) : nil }
    }

    /// A span of time: `90` or `90s`, `250ms`, `15m`, `2h`, `7d`, `2w`; up to 100 years.
    public static func duration(_ text: String) -> Duration? {
        let units: [(String, Double)] = [
            ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800), ("", 1),
        ]
        guard let seconds = scaled(text, units: units), seconds <= 3_155_760_000 else { return nil }
        // In two steps, so that whole seconds stay exact.
        let whole = seconds.rounded(.down)
        return .seconds(Int64(whole)) + .nanoseconds(Int64(((seconds - whole) * 1e9).rounded()))
    }

    private static func scaled(_ text: String, units: [(String, Double)]) -> Double? {
        for (unit, factor) in units where text.hasSuffix(unit) {
            var digits = text.dropLast(unit.count)
            while digits.last == " " { digits.removeLast() }
            guard let first = digits.utf8.first, first >= 48 && first <= 57, let value = number(String(digits)) else {
                return nil
            }
            return value * factor
        }
        return nil
    }

    /// A name that people and file names can bear: 1 to 255 bytes, no control characters, no white space at the ends.
    public static func name(_ text: String) -> String? {
        guard !text.isEmpty, text.utf8.count <= 255, text.first?.isWhitespace == false,
            text.last?.isWhitespace == false,
            text.unicodeScalars.allSatisfy({ $0.value >= 32 && !(127...159).contains($0.value) })
        else { return nil }
        return text
    }

    /// `K=V`. The name holds letters, digits, `_`, `-`, `.`, `/`; the value is a name or empty.
    public static func label(_ text: String) -> (name: String, value: String)? {
        guard let equals = text.firstIndex(of: "=") else { return nil }
        let value = String(text[text.index(after: equals)...])
        guard let key = labelName(String(text[..<equals])), value.isEmpty || name(value) != nil else { return nil }
        return (key, value)
    }

    static func labelName(_ text: String) -> String? {
        let isAllowed: (UInt8) -> Bool = { byte in
            (byte >= 48 && byte <= 57) || (byte | 32 >= 97 && byte | 32 <= 122) || byte == 95 || byte == 45
                || byte == 46
                || byte == 47
        }
        return !text.isEmpty && text.utf8.count <= 63 && text.utf8.allSatisfy(isAllowed) ? text : nil
    }
}
