/// The answer of `regressions` as text: what is compared, the verdict, and the functions that grew with when they did.
public struct RegressionsTable: Sendable {
    private let answer: RegressionsAnswer

    public init(_ answer: RegressionsAnswer) { self.answer = answer }

    public func text(inColour: Bool = false) -> String {
        let comparison = DiffTable(answer.comparison)
        let (before, after) = answer.newVersion.map { ("others", $0) } ?? ("before", "after")
        let width = max(before.count, after.count) + 2
        func line(_ name: String, _ header: AnswerHeader) -> String {
            name + String(repeating: " ", count: width - name.count)
                + SummaryLine.text(header, withIntervals: false) + "\n"
        }
        var text = line(before, answer.comparison.base.header) + line(after, answer.comparison.against.header)
        text += verdict(comparison) + "\n"
        if answer.shareOnly > 0 {
            text += "\(Grouped.text(UInt64(answer.shareOnly))) more have a larger share only because others shrank\n"
        }
        guard !answer.rows.isEmpty else {
            if let needed = comparison.onePoint { text += needed + "\n" }
            return text
        }
        return text + "\n" + table(inColour: inColour)
    }

    private func verdict(_ comparison: DiffTable) -> String {
        let least = answer.minimum.map { minimum in
            minimum.hasSuffix("rel")
                ? " by more than \(minimum.dropLast(3)) of what they were"
                : " by more than \(minimum.dropLast()) points"
        }
        guard answer.grown > 0 else {
            return "no regression: none of \(comparison.tested) grew beyond chance\(least ?? "") "
                + "(\(comparison.grounds))"
        }
        return "\(Grouped.text(UInt64(answer.grown))) of \(comparison.tested) grew beyond chance\(least ?? "") "
            + "(\(comparison.grounds))"
    }

    private func table(inColour: Bool) -> String {
        let hasCores = answer.rows.contains { $0.row.deltaCores != nil }
        var columns: [(title: String, alignment: TextTable.Alignment)] = [
            ("growth", .right), ("95 % interval", .left), ("before", .right), ("after", .right),
        ]
        if hasCores { columns += [("cores/host", .right), ("growth", .right)] }
        columns += [
            ("q", .right), ("since", .left), ("in version", .left), ("first seen", .left), ("in version", .left),
            (answer.comparison.sort + " of", .left), ("where", .left),
        ]
        var table = TextTable(columns: columns)
        for regression in answer.rows {
            let row = regression.row
            var cells = [
                DiffTable.points(row.delta), "\(DiffTable.points(row.deltaLow)) to \(DiffTable.points(row.deltaHigh))",
                Percent.text(row.baseShare), Percent.text(row.againstShare),
            ]
            if hasCores {
                cells.append(row.againstCores.map { Decimal.text($0, places: 3) } ?? "")
                cells.append(row.deltaCores.map { DiffTable.signed($0, places: 3) } ?? "")
            }
            func moment(_ text: String?) -> String {
                text.flatMap { RFC3339.timestamp($0) }.map { TimeText.toSecond($0) } ?? "–"
            }
            cells += [
                DiffTable.rate(row.qValue), moment(regression.since), regression.sinceVersion ?? "–",
                moment(regression.firstSeen), regression.firstVersion ?? "–", row.name,
                row.file.map { $0 + (row.line.map { ":\($0)" } ?? "") } ?? row.module ?? "",
            ]
            table.add(cells)
        }
        return table.text(inColour: inColour)
    }
}
