public import Analysis
public import Profiles

/// A function that grew, and since when.
public struct RegressionRow: Hashable, Sendable, Decodable, JSONAnswer {
    public var row: DiffRow
    /// RFC 3339.
    public var firstSeen: String
    public var firstVersion: String?
    public var since: String?
    public var sinceVersion: String?

    private enum Key: String, CodingKey {
        case firstSeen, firstVersion, since, sinceVersion
    }

    init(_ regression: Regression) {
        row = DiffRow(regression.row, isPerUnit: false)
        firstSeen = RFC3339.text(regression.onset.firstSeen)
        firstVersion = regression.onset.firstVersion.isEmpty ? nil : regression.onset.firstVersion
        since = regression.onset.since.map { RFC3339.text($0) }
        sinceVersion = regression.onset.sinceVersion
    }

    public init(from decoder: any Decoder) throws {
        row = try DiffRow(from: decoder)
        let values = try decoder.container(keyedBy: Key.self)
        firstSeen = try values.decode(String.self, forKey: .firstSeen)
        firstVersion = try values.decodeIfPresent(String.self, forKey: .firstVersion)
        since = try values.decodeIfPresent(String.self, forKey: .since)
        sinceVersion = try values.decodeIfPresent(String.self, forKey: .sinceVersion)
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        row.writeMembers(to: &writer)
        writer.member("firstSeen", firstSeen)
        writer.member("firstVersion", firstVersion)
        writer.member("since", since)
        writer.member("sinceVersion", sinceVersion)
        writer.endObject()
    }
}

/// The answer of `regressions`: the comparison's keys as `diff` has them, and the functions that grew.
public struct RegressionsAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public var service: String
    /// What parts before from after: a moment in RFC 3339, or a version.
    public var at: String?
    public var newVersion: String?
    /// The least growth that counts, as in `0.5%` or `10%rel`; nil where any does that is proved.
    public var minimum: String?
    /// Functions that grew beyond chance and by that much; and those of which only the share did.
    public var grown: Int
    public var shareOnly: Int
    /// Without rows.
    public var comparison: DiffAnswer
    public var rows: [RegressionRow]

    private enum Key: String, CodingKey {
        case service, at, newVersion, minimum, grown, shareOnly, rows
    }

    public init(
        service: String, at: Timestamp?, newVersion: String?, minimum: String?, base: AnswerHeader,
        against: AnswerHeader, regressions: Regressions, options: DifferenceOptions
    ) {
        self.service = service
        self.at = at.map { RFC3339.text($0) }
        self.newVersion = newVersion
        self.minimum = minimum
        grown = regressions.grownCount
        shareOnly = regressions.shareOnlyCount
        comparison = DiffAnswer(base: base, against: against, difference: regressions.difference, options: options)
        rows = regressions.grown.map { RegressionRow($0) }
    }

    public init(from decoder: any Decoder) throws {
        comparison = try DiffAnswer(from: decoder)
        comparison.rows = []
        let values = try decoder.container(keyedBy: Key.self)
        service = try values.decode(String.self, forKey: .service)
        at = try values.decodeIfPresent(String.self, forKey: .at)
        newVersion = try values.decodeIfPresent(String.self, forKey: .newVersion)
        minimum = try values.decodeIfPresent(String.self, forKey: .minimum)
        grown = try values.decode(Int.self, forKey: .grown)
        shareOnly = try values.decode(Int.self, forKey: .shareOnly)
        rows = try values.decode([RegressionRow].self, forKey: .rows)
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("service", service)
        writer.member("at", at)
        writer.member("newVersion", newVersion)
        writer.member("minimum", minimum)
        writer.member("grown", grown)
        writer.member("shareOnly", shareOnly)
        comparison.writeMembers(to: &writer)
        writer.key("rows")
        writer.array(rows)
        writer.endObject()
    }
}
