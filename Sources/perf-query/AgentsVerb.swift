internal import ArgumentParser
internal import Formats
internal import QueryAPI

struct AgentsVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agents",
        abstract: "Lists every agent: when it was last seen, and where its samples went.",
        discussion: """
            For each agent, taken = stored + pending + dropped, as of its last stored batch.

            EXAMPLES:
              perf-query agents
              perf-query agents --json
            """)

    @OptionGroup var server: ServerOptions
    @OptionGroup var table: TableOptions

    func run() async throws {
        try await reporting { () async throws(Failure) in
            try await table.show(AgentsAnswer.self, QueryRequest(.agents), server: server.client()) {
                answer, inColour in
                var table = TextTable(columns: [
                    ("host", .left), ("version", .left), ("last seen", .left), ("rate", .right), ("taken", .right),
                    ("stored", .right), ("pending", .right), ("clock", .right), ("dropped", .left),
                ])
                for row in answer.agents {
                    let dropped = row.samples.dropped.filter { $0.value > 0 }.sorted { $0.key < $1.key }
                    let clock = row.clockOffsetSeconds.map { Decimal.text($0, places: 3) + " s" } ?? "–"
                    let lastSeen = RFC3339.timestamp(row.lastSeen).map { TimeText.toSecond($0) } ?? row.lastSeen
                    let rate = row.rate.map { Decimal.text($0, places: $0 == $0.rounded() ? 0 : 1) } ?? "–"
                    table.add([
                        row.host, row.version, lastSeen, rate, Grouped.text(row.samples.taken),
                        Grouped.text(row.samples.stored), Grouped.text(row.samples.pending), clock,
                        dropped.isEmpty
                            ? "0" : dropped.map { "\(Grouped.text($0.value)) \($0.key)" }.joined(separator: ", "),
                    ])
                }
                let count = answer.agents.count
                let title = "\(grouped(count)) \(count == 1 ? "agent" : "agents")"
                return Shown(text: "\(title)\n\n\(table.text(inColour: inColour))", rows: count)
            }
        }
    }
}
