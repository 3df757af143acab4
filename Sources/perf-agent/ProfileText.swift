internal import Analysis
internal import Formats
internal import ProfilerAgent
internal import Profiles

/// A one-host profile as people read it.
enum ProfileText {
    /// Target, type, rate, duration, samples, losses, share of whole stacks, the command's end.
    static func summary(_ outcome: ProfileOutcome) -> String {
        let profile = outcome.profile
        var parts = [
            outcome.request.targetText, profile.type.name, "\(number(outcome.request.samplesPerSecond)) Hz",
            seconds(outcome.range.seconds, places: 2),
            "\(profile.sampleCount) \(profile.sampleCount == 1 ? "sample" : "samples")",
            "\(seconds(Double(profile.totalValue) / 1e9, places: 2)) of CPU",
            SummaryLine.losses(
                Dictionary(uniqueKeysWithValues: outcome.ledger.dropped.map { ($0.key.rawValue, $0.value) })),
        ]
        if profile.quality.whole == nil { parts.append("whole stacks not measured") }
        if let stacks = SummaryLine.stacks(outcome.header.coverage, of: profile.sampleCount) { parts.append(stacks) }
        if let command = outcome.command {
            parts.append(command.exitCode.map { "the command exited with \($0)" } ?? "the command still runs")
        }
        if !outcome.processes.isEmpty {
            let named = outcome.processes.prefix(6).map { "\($0.name) (\($0.process))" }.joined(separator: ", ")
            let more = outcome.processes.count > 6 ? " and \(outcome.processes.count - 6) more" : ""
            parts.append("\(outcome.processes.count == 1 ? "process" : "processes") \(named)\(more)")
        }
        if outcome.ledger.missedTicks > 0 {
            parts.append("about \(outcome.ledger.missedTicks) ticks of the host missed")
        }
        return EscapedText.escape(parts.joined(separator: " · "))
    }

    static func text(_ outcome: ProfileOutcome, limit: Int, written: [String], inColour: Bool) -> String {
        let functions = outcome.profile.ranking(by: .function, sort: .self, limit: limit)
        let lines = outcome.profile.ranking(by: .line, sort: .self, limit: limit)
        var text = summary(outcome) + "\n\n"
        text += ProfileReport.tables(
            outcome.answer(functions: functions, lines: lines), functions: functions.rowCount, lines: lines.rowCount,
            inColour: inColour)
        if !written.isEmpty { text += "\n" + written.map { EscapedText.escape($0) }.joined(separator: "\n") + "\n" }
        return text
    }

    static func seconds(_ value: Double, places: Int) -> String {
        "\(Decimal.text(value, places: places)) s"
    }

    static func number(_ value: Double) -> String { value == value.rounded() ? "\(Int(value))" : "\(value)" }
}
