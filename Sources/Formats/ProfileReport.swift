/// The tables of `perf-agent profile`: the hottest functions, and the hottest source lines where frames have lines.
public enum ProfileReport {
    /// Lines end in line feeds.
    ///
    /// - Parameters:
    ///   - functions: how many there are, `answer` holding the first of them; likewise `lines`.
    public static func tables(
        _ answer: ProfileAnswer, functions: Int, lines: Int, inColour: Bool = false
    ) -> String {
        let intervals = SummaryLine.intervals(answer.header)
        var text = table(
            answer.functions, of: functions, heading: "Hottest functions (\(intervals))", title: "function",
            none: "No function took a sample.", inColour: inColour)
        text += "\n"
        text += table(
            answer.lines, of: lines, heading: "Hottest source lines", title: "line of",
            none: answer.header.samples == 0
                ? "No source line took a sample."
                : "No source lines: nothing that was sampled has line tables (debug information).",
            inColour: inColour)
        return text
    }

    private static func table(
        _ rows: [TopRow], of count: Int, heading: String, title: String, none: String, inColour: Bool
    ) -> String {
        if count == 0 { return none + "\n" }
        if rows.isEmpty { return "\(heading): \(count), of which --limit shows some\n" }
        let more = count > rows.count ? "… and \(count - rows.count) more; --limit shows them\n" : ""
        return "\(heading):\n" + TopTable.table(rows, title: title, inColour: inColour) + more
    }
}
