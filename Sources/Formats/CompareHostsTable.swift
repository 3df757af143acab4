/// The answer of `compare-hosts` as text: how many hosts differ, what they have in common, and where they differ.
public struct CompareHostsTable: Sendable {
    private let answer: CompareHostsAnswer

    public init(_ answer: CompareHostsAnswer) { self.answer = answer }

    /// - Parameter inColour: hosts that differ in red; for a terminal.
    public func text(inColour: Bool = false) -> String {
        var lines = [SummaryLine.text(answer.header, withIntervals: false), verdict]
        for (index, group) in answer.groups.enumerated() where answer.groups.count > 1 || group.hosts.count > 1 {
            let names = group.hosts.prefix(5).joined(separator: ", ") + (group.hosts.count > 5 ? ", …" : "")
            lines.append(
                "group \(index + 1): \(Self.count(group.hosts.count)) (\(names)) by \(group.functions.joined(separator: ", "))"
            )
        }
        for label in answer.labels.prefix(3) where label.qValue <= 0.05 {
            let others = label.hosts - label.differing
            lines.append(
                "\(label.label)=\(label.value): \(label.differing) of the \(answer.differing) that differ have it, "
                    + "and \(others) of the \(answer.hostCount - answer.differing) others (q \(Self.rate(label.qValue)))"
            )
        }
        return lines.map { EscapedText.escape($0) }.joined(separator: "\n") + "\n\n" + table(inColour: inColour)
    }

    private var verdict: String {
        let service = answer.service
        guard answer.hostCount >= 3 else {
            return "\(Self.count(answer.hostCount)) of \(service): too few to tell which is odd"
        }
        guard answer.differing > 0 else {
            return "within noise: none of \(Self.count(answer.hostCount)) of \(service) differs beyond chance"
        }
        return "\(answer.differing) of \(Self.count(answer.hostCount)) of \(service) "
            + (answer.differing == 1 ? "differs" : "differ") + " beyond chance"
    }

    private func table(inColour: Bool) -> String {
        var table = TextTable(columns: [
            ("host", .left), ("samples", .right), ("cores", .right), ("distance", .right), ("q", .right),
            ("verdict", .left), ("points", .right), ("95 % interval", .left), ("here", .right), ("others", .right),
            ("self of", .left),
        ])
        var isOdd: [Bool] = []
        for host in answer.hosts {
            // Of hosts that don't differ, one line. What shrank made room for what grew, and comes after it.
            let proved = host.functions.filter { host.differs && $0.significant }
            let shown = (proved.filter { $0.delta > 0 } + proved.filter { $0.delta <= 0 }).prefix(5)
            for index in 0..<max(1, shown.count) {
                var cells = ["", "", "", "", "", ""]
                if index == 0 {
                    cells = [
                        host.host, Grouped.text(host.samples), host.cores.map { Decimal.text($0, places: 3) } ?? "",
                        Percent.text(host.distance, places: 1), Self.rate(host.qValue),
                        host.differs ? "differs" : "within noise",
                    ]
                }
                if index < shown.count {
                    let function = shown[shown.startIndex + index]
                    cells += [
                        Self.points(function.delta),
                        "\(Self.points(function.deltaLow)) to \(Self.points(function.deltaHigh))",
                        Percent.text(function.share), Percent.text(function.restShare), function.name,
                    ]
                }
                table.add(cells)
                isOdd.append(host.differs)
            }
        }
        let text = table.text(inColour: inColour)
        guard inColour else { return text }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        for (index, odd) in isOdd.enumerated() where index + 1 < lines.count {
            lines[index + 1] = "\u{1B}[\(odd ? "31" : "2")m" + lines[index + 1] + "\u{1B}[0m"
        }
        return lines.joined(separator: "\n")
    }

    private static func count(_ hosts: Int) -> String {
        hosts == 1 ? "1 host" : "\(Grouped.text(UInt64(hosts))) hosts"
    }

    private static func points(_ delta: Double) -> String { DiffTable.signed(delta * 100, places: 2) }

    private static func rate(_ qValue: Double) -> String {
        qValue < 0.0001 ? "<0.0001" : Decimal.text(qValue, places: 4)
    }
}
