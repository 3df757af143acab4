/// The text result of `perf-agent profile`: a summary line, the hottest functions and the hottest source lines, where
/// frames have lines.
public struct ProfileReport: Sendable {
    private let answer: ProfileAnswer

    public init(_ answer: ProfileAnswer) {
        self.answer = answer
    }

    /// Lines end in line feeds.
    public func text(inColour: Bool = false) -> String {
        var text = summary + "\n\n" + TopTable.table(answer.functions, title: "function", inColour: inColour)
        if !answer.lines.isEmpty {
            text += "\n" + TopTable.table(answer.lines, title: "line of", inColour: inColour)
        }
        return text
    }

    /// Target, type, rate, duration, samples, losses, share of whole stacks, and how the command ended.
    public var summary: String {
        let header = answer.header
        let rate = Decimal.text(answer.rate, places: answer.rate == answer.rate.rounded() ? 0 : 1)
        var parts = [
            answer.target, "\(header.type.name) at \(rate) Hz", "\(Decimal.text(answer.durationSeconds, places: 1)) s",
            "\(Grouped.text(header.samples)) \(header.samples == 1 ? "sample" : "samples")",
            SummaryLine.losses(header.coverage.dropped),
        ]
        parts.append(contentsOf: SummaryLine.stacks(header.coverage, of: header.samples))
        parts.append(SummaryLine.intervals(header))
        if let command = answer.command {
            parts.append(command.exitCode.map { "exit code \($0)" } ?? "process \(command.pid) still runs")
        }
        return EscapedText.escape(parts.joined(separator: " · "))
    }
}
