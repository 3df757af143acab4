import ArgumentParser

/// `perf-aggregator`: takes agents' batches, keeps them, and answers questions about them.
@main
struct PerfAggregator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perf-aggregator",
        abstract: "Takes profiles from the agents of a fleet, keeps them, and answers questions about them.",
        discussion: """
            EXAMPLES
              perf-aggregator serve --data /var/lib/perf-fleet/aggregator
              perf-aggregator check --data /var/lib/perf-fleet/aggregator
            """,
        version: "0.1.0",
        subcommands: [Serve.self, Check.self, Later.Export.self, Later.Import.self, Later.Backup.self])
}

/// Verbs that come later; they say so instead of being unknown.
enum Later {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export", abstract: "Comes later.", shouldDisplay: false)
        @Argument(parsing: .allUnrecognized) var rest: [String] = []
        func run() throws { throw refusal("export") }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import", abstract: "Comes later.", shouldDisplay: false)
        @Argument(parsing: .allUnrecognized) var rest: [String] = []
        func run() throws { throw refusal("import") }
    }

    struct Backup: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "backup", abstract: "Comes later.", shouldDisplay: false)
        @Argument(parsing: .allUnrecognized) var rest: [String] = []
        func run() throws { throw refusal("backup") }
    }

    private static func refusal(_ verb: String) -> ValidationError {
        ValidationError("\(verb) comes later; there are serve and check")
    }
}
