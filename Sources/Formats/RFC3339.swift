public import Profiles

/// Times as RFC 3339 writes them.
public enum RFC3339 {
    /// In UTC, with a fraction of 3, 6 or 9 digits where there is one: `2026-11-24T22:22:11.250Z`.
    public static func text(_ moment: Timestamp) -> String {
        let day = moment.utcDay
        let date = civil(day)
        // Exact also next to Int64.min, where day · 86,400 · 10⁹ does not fit.
        let inDay = moment.nanoseconds &- day &* 86_400_000_000_000
        let seconds = inDay / 1_000_000_000
        let fraction = inDay % 1_000_000_000
        var text = "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
        text += "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        if fraction % 1_000_000 == 0 {
            if fraction != 0 { text += "." + padded(fraction / 1_000_000, 3) }
        } else if fraction % 1000 == 0 {
            text += "." + padded(fraction / 1000, 6)
        } else {
            text += "." + padded(fraction, 9)
        }
        return text + "Z"
    }

    /// Reads a date and time with `Z` or an offset; nil for anything else and for times that nanoseconds since 1970 in
    /// 64 bits can't hold. Digits beyond nanoseconds are cut; a leap second is the second before it.
    public static func timestamp(_ text: String) -> Timestamp? {
        var rest = text.utf8[...]
        func number(_ digits: Int) -> Int64? {
            guard rest.count >= digits else { return nil }
            var value: Int64 = 0
            for byte in rest.prefix(digits) {
                guard byte >= 48, byte <= 57 else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            rest = rest.dropFirst(digits)
            return value
        }
        func take(_ characters: UInt8...) -> UInt8? {
            guard let first = rest.first, characters.contains(first) else { return nil }
            rest = rest.dropFirst()
            return first
        }
        guard let year = number(4), take(45) != nil, let month = number(2), take(45) != nil, let day = number(2),
            take(84, 116, 32) != nil, let hour = number(2), take(58) != nil, let minute = number(2), take(58) != nil,
            let second = number(2), (1...12).contains(month), day >= 1, day <= length(of: month, year: year),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        var fraction: Int64 = 0
        if take(46) != nil {
            var digits = 0
            while let digit = number(1) {
                if digits < 9 { fraction = fraction * 10 + digit }
                digits += 1
            }
            guard digits > 0 else { return nil }
            for _ in min(digits, 9)..<9 { fraction *= 10 }
        }
        var offset: Int64 = 0
        if take(90, 122) == nil {
            guard let sign = take(43, 45), let hours = number(2), take(58) != nil, let minutes = number(2),
                hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 3600 + minutes * 60) * (sign == 43 ? 1 : -1)
        }
        guard rest.isEmpty else { return nil }
        var seconds = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + min(second, 59) - offset
        if seconds < 0 && fraction > 0 {
            // Towards zero, so that the earliest second doesn't overflow before its fraction is added.
            seconds += 1
            fraction -= 1_000_000_000
        }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, over) = whole.addingReportingOverflow(fraction)
        return overflow || over ? nil : Timestamp(nanoseconds: sum)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    private static func length(of month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    // Days since 1970-01-01 and back, in the proleptic Gregorian calendar with years that begin in March, by eras of
    // 400 years.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month > 2 ? year : year - 1
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let civilMonth = month < 10 ? month + 3 : month - 9
        return (yearOfEra + era * 400 + (civilMonth <= 2 ? 1 : 0), civilMonth, dayOfYear - (153 * month + 2) / 5 + 1)
    }
}
