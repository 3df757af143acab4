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
        let count = profile.sampleCount
        if let whole = profile.quality.whole, count > 0 {
            parts.append("\(number(Double(whole * 1000 / count) / 10)) % whole stacks")
        } else {
            parts.append("whole stacks not measured")
        }
        if let cut = profile.quality.cut, cut > 0 { parts.append("\(cut) stacks cut") }
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
        var text = summary(outcome) + "\n\n"
        let ranking = outcome.profile.ranking(by: .function, sort: .self, limit: limit)
        if ranking.rowCount == 0 {
            text += "No function took a sample.\n"
        } else if ranking.rows.isEmpty {
            text += "Functions that took samples: \(ranking.rowCount); --limit shows them\n"
        } else {
            text += "Hottest functions (\(SummaryLine.intervals(outcome.header))):\n"
            text += TopTable.table(ranking.rows.map { TopRow($0) }, title: "function", inColour: inColour)
            if ranking.rowCount > ranking.rows.count {
                text += "… and \(ranking.rowCount - ranking.rows.count) more; --limit shows them\n"
            }
        }
        text += "\nHottest source lines: they need line tables (debug information), which are not read yet.\n"
        if !written.isEmpty { text += "\n" + written.map { EscapedText.escape($0) }.joined(separator: "\n") + "\n" }
        return text
    }

    static func seconds(_ value: Double, places: Int) -> String {
        "\(Decimal.text(value, places: places)) s"
    }

    static func number(_ value: Double) -> String { value == value.rounded() ? "\(Int(value))" : "\(value)" }
}
