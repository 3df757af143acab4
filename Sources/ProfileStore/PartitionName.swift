/// Names one file of the store: a UTC day, and the how-many-eth file of that day.
struct PartitionName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Days since 1970-01-01.
    var day: Int64
    /// From 0.
    var part: Int

    static let fileExtension = ".sqlite"
    private static let nanosecondsPerDay: Int64 = 86_400_000_000_000

    /// `2026-11-24.000`.
    var description: String {
        let (year, month, dayOfMonth) = Self.civilDate(day)
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2)).\(padded(Int64(part), 3))"
    }

    var fileName: String { description + Self.fileExtension }

    init(day: Int64, part: Int) {
        self.day = day
        self.part = part
    }

    /// nil for any other file's name.
    init?(fileName: String) {
        guard fileName.hasSuffix(Self.fileExtension) else { return nil }
        let stem = fileName.dropLast(Self.fileExtension.count)
        let fields = stem.split(whereSeparator: { $0 == "-" || $0 == "." }).map { Int64($0) }
        guard fields.count == 4, let year = fields[0], let month = fields[1], let dayOfMonth = fields[2],
            let part = fields[3], (1...12).contains(month), (1...31).contains(dayOfMonth), part >= 0, part < 100_000,
            (0...9999).contains(year)
        else { return nil }
        self.init(day: Self.days(year, month, dayOfMonth), part: Int(part))
        // 2026-02-31 and unpadded spellings name nothing.
        guard self.fileName == fileName else { return nil }
    }

    /// The end of the day, in nanoseconds since 1970.
    var dayEnd: Int64 { (day + 1).multipliedReportingOverflow(by: Self.nanosecondsPerDay).partialValue }

    static func < (left: PartitionName, right: PartitionName) -> Bool {
        (left.day, left.part) < (right.day, right.part)
    }

    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": civil_from_days and days_from_civil.
    private static func civilDate(_ day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfMonth)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
