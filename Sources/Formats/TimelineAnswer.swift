public import Analysis
public import Profiles

/// The answer of `timeline`: `{…,"start","stepSeconds","hosts":[…],"series":[{"name","cores":[…]}],"changes":[{"at",
/// "series","from","to"}]}`, and of changes that are explained what `ChangeExplanationAnswer` adds. For types that are
/// no CPU time `cores` is the unit per second. null in `cores`: no host delivered anything then.
public struct TimelineAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public struct Series: Hashable, Sendable, Decodable {
        public var name: String
        public var cores: [Double?]
    }

    public struct Change: Hashable, Sendable, Decodable {
        /// RFC 3339.
        public var at: String
        /// The series' name.
        public var series: String
        public var from: Double
        public var to: Double
        /// What changed in the stacks, where that was asked for.
        public var explanation: ChangeExplanationAnswer?

        init(at: String, series: String, from: Double, to: Double, explanation: ChangeExplanationAnswer?) {
            self.at = at
            self.series = series
            self.from = from
            self.to = to
            self.explanation = explanation
        }

        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            at = try container.decode(String.self, forKey: .at)
            series = try container.decode(String.self, forKey: .series)
            from = try container.decode(Double.self, forKey: .from)
            to = try container.decode(Double.self, forKey: .to)
            explanation = container.contains(.functions) ? try ChangeExplanationAnswer(from: decoder) : nil
        }

        private enum CodingKeys: String, CodingKey { case at, series, from, to, functions }
    }

    public var header: AnswerHeader
    /// Start of the first step, RFC 3339.
    public var start: String
    public var stepSeconds: Double
    /// By step: hosts that delivered.
    public var hosts: [Int]
    public var series: [Series]
    public var changes: [Change]

    /// - Parameter explanations: by change of the timeline; empty where none were asked for.
    public init(
        header: AnswerHeader, timeline: Timeline, type: ProfileType, explanations: [ChangeExplanation?] = []
    ) {
        let unit = type == .cpu ? 1e-9 : 1
        self.header = header
        start = RFC3339.text(timeline.start)
        stepSeconds = Double(timeline.stepNanoseconds) / 1e9
        hosts = timeline.hosts
        series = timeline.series.map { series in
            Series(name: series.name, cores: series.rates.map { rate in rate.map { $0 * unit } })
        }
        changes = timeline.changes.enumerated().map { index, change in
            Change(
                at: RFC3339.text(change.at), series: timeline.series[change.series].name, from: change.from * unit,
                to: change.to * unit,
                explanation: index < explanations.count
                    ? explanations[index].map { ChangeExplanationAnswer($0) } : nil)
        }
    }

    public init(from decoder: any Decoder) throws {
        header = try AnswerHeader(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        start = try container.decode(String.self, forKey: .start)
        stepSeconds = try container.decode(Double.self, forKey: .stepSeconds)
        hosts = try container.decode([Int].self, forKey: .hosts)
        series = try container.decode([Series].self, forKey: .series)
        changes = try container.decode([Change].self, forKey: .changes)
    }

    private enum CodingKeys: String, CodingKey { case start, stepSeconds, hosts, series, changes }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        header.writeMembers(to: &writer)
        writer.member("start", start)
        writer.member("stepSeconds", stepSeconds)
        writer.key("hosts")
        writer.beginArray()
        for count in hosts { writer.value(count) }
        writer.endArray()
        writer.key("series")
        writer.beginArray()
        for one in series {
            writer.beginObject()
            writer.member("name", one.name)
            writer.key("cores")
            writer.beginArray()
            for value in one.cores { if let value { writer.value(value) } else { writer.null() } }
            writer.endArray()
            writer.endObject()
        }
        writer.endArray()
        writer.key("changes")
        writer.beginArray()
        for change in changes {
            writer.beginObject()
            writer.member("at", change.at)
            writer.member("series", change.series)
            writer.member("from", change.from)
            writer.member("to", change.to)
            change.explanation?.writeMembers(to: &writer)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    // MARK: As text

    /// One character a step, from the line's least to its most; a dot where nothing was measured. All of 0 to the
    /// greatest value, so that lines of one height are equally high.
    public static func sparkline(_ values: [Double?], top: Double) -> String {
        let bars = Array("▁▂▃▄▅▆▇█")
        return String(
            values.map { value -> Character in
                guard let value else { return "·" }
                guard top > 0 else { return bars[0] }
                return bars[min(bars.count - 1, max(0, Int(value / top * Double(bars.count))))]
            })
    }

    /// RFC 4180: time, hosts, then a column for each series; an empty field where nothing was measured.
    public func csv() -> [UInt8] {
        func field(_ text: String) -> String {
            text.utf8.contains { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }
                ? "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
                : text
        }
        var text = (["time", "hosts"] + series.map(\.name)).map(field).joined(separator: ",") + "\r\n"
        let first = RFC3339.timestamp(start) ?? Timestamp(nanoseconds: 0)
        for step in hosts.indices {
            let moment = first + Int64(Double(step) * stepSeconds * 1e9)
            let values = series.map { step < $0.cores.count ? $0.cores[step].map { "\($0)" } ?? "" : "" }
            text += ([RFC3339.text(moment), "\(hosts[step])"] + values).joined(separator: ",") + "\r\n"
        }
        return Array(text.utf8)
    }
}
