internal import ArgumentParser
internal import Formats
internal import QueryAPI

/// What the four verbs that list what exists have in common.
struct InventoryOptions: ParsableArguments {
    @OptionGroup var server: ServerOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var selection: SelectionOptions
    @OptionGroup var table: TableOptions

    func show<Answer: Decodable>(
        _ type: Answer.Type, from endpoint: QueryRequest.Endpoint,
        _ shown: (_ answer: Answer, _ inColour: Bool) -> Shown
    ) async throws {
        try await reporting { () async throws(Failure) in
            var request = QueryRequest(endpoint)
            selection.add(to: &request)
            request.add(try asked(time))
            try await table.show(type, request, server: server.client(), shown)
        }
    }
}

struct ServicesVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "services",
        abstract: "Lists the services in the range, with samples and cores used.",
        discussion: """
            EXAMPLES:
              perf-query services --since 1h
              perf-query services --host 'db-*' --json
            """)

    @OptionGroup var question: InventoryOptions

    func run() async throws {
        try await question.show(ServicesAnswer.self, from: .services) { answer, inColour in
            var table = TextTable(columns: [
                ("samples", .right), ("cores", .right), ("hosts", .right), ("service", .left),
            ])
            for row in answer.services {
                table.add([Grouped.text(row.samples), coresText(row.cores), grouped(row.hosts), row.name])
            }
            return Shown(answer.header, table, rows: answer.services.count, inColour: inColour)
        }
    }
}

struct HostsVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hosts",
        abstract: "Lists the hosts in the range, with samples and cores used.",
        discussion: """
            EXAMPLES:
              perf-query hosts --since 1h
              perf-query hosts --service web --json
            """)

    @OptionGroup var question: InventoryOptions

    func run() async throws {
        try await question.show(HostsAnswer.self, from: .hosts) { answer, inColour in
            var table = TextTable(columns: [
                ("samples", .right), ("cores", .right), ("services", .right), ("host", .left),
            ])
            for row in answer.hosts {
                table.add([Grouped.text(row.samples), coresText(row.cores), grouped(row.services), row.name])
            }
            return Shown(answer.header, table, rows: answer.hosts.count, inColour: inColour)
        }
    }
}

struct LabelsVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "labels",
        abstract: "Lists the labels in the range and their values, with samples and cores used.",
        discussion: """
            EXAMPLES:
              perf-query labels --since 1h
              perf-query labels --service web --json
            """)

    @OptionGroup var question: InventoryOptions

    func run() async throws {
        try await question.show(LabelsAnswer.self, from: .labels) { answer, inColour in
            var table = TextTable(columns: [
                ("samples", .right), ("cores", .right), ("hosts", .right), ("label", .left),
            ])
            for row in answer.labels {
                let label = "\(row.name)=\(row.value)"
                table.add([Grouped.text(row.samples), coresText(row.cores), grouped(row.hosts), label])
            }
            return Shown(answer.header, table, rows: answer.labels.count, inColour: inColour)
        }
    }
}

struct TypesVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "types",
        abstract: "Lists what was measured in the range, with samples and cores used.",
        discussion: """
            EXAMPLES:
              perf-query types --since 1h
              perf-query types --service web --json
            """)

    @OptionGroup var question: InventoryOptions

    func run() async throws {
        try await question.show(TypesAnswer.self, from: .types) { answer, inColour in
            var table = TextTable(columns: [
                ("samples", .right), ("cores", .right), ("hosts", .right), ("unit", .left), ("type", .left),
            ])
            for row in answer.types {
                table.add([Grouped.text(row.samples), coresText(row.cores), grouped(row.hosts), row.unit, row.name])
            }
            return Shown(answer.header, table, rows: answer.types.count, inColour: inColour)
        }
    }
}
