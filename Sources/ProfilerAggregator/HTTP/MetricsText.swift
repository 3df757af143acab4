import ProfileStore

/// Prometheus' text format, version 0.0.4: gauges and counters that are read when they are asked for, so nothing but
/// the parts themselves keeps count.
struct MetricsText {
    enum Kind: String { case counter, gauge }

    private(set) var text = ""

    mutating func add(
        _ name: String, _ kind: Kind, _ help: String,
        _ values: [(labels: [(name: String, value: String)], value: Double)]
    ) {
        text += "# HELP perf_aggregator_\(name) \(help)\n# TYPE perf_aggregator_\(name) \(kind.rawValue)\n"
        for (labels, value) in values {
            let inside = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
            let number = value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
            text += "perf_aggregator_\(name)\(inside.isEmpty ? "" : "{\(inside)}") \(number)\n"
        }
    }

    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
        add(name, kind, help, [([], Double(value))])
    }

    private static func escaped(_ value: String) -> String {
        var escaped = ""
        for character in value {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return escaped
    }

    init(ingest: IngestFigures, store: StoreFigures, questions: QuestionFigures) {
        add("connections", .gauge, "Agents connected now.", ingest.connections)
        add("connections_total", .counter, "Connections accepted.", ingest.connectionsTotal)
        add(
            "connections_refused_total", .counter, "Connections refused because there were too many.",
            ingest.connectionsRefused)
        add(
            "peer_faults_total", .counter, "Connections ended because of what the peer sent or did not send.",
            ingest.peersFaults)
        add("received_bytes_total", .counter, "Bytes received from agents.", ingest.receivedBytes)
        add(
            "batches_total", .counter, "Batches by what became of them.",
            ingest.batches.sorted { $0.key < $1.key }.map { ([("outcome", $0.key)], Double($0.value)) })
        add("symbol_tables_total", .counter, "Symbol tables received and kept.", ingest.symbolTables)
        add(
            "symbol_tables_invalid_total", .counter, "Symbol tables received that can't be used.",
            ingest.symbolTablesInvalid)
        add(
            "symbol_modules_open", .gauge, "Modules without a symbol table that agents know of.",
            ingest.symbolModulesOpen)
        add("stored_batches", .counter, "Batches stored, ever.", store.storedBatches)
        add("stored_samples", .counter, "Samples stored, ever.", store.storedSamples)
        add("conflict_batches", .counter, "Batches stored under a name of their own.", store.conflictBatches)
        add("store_bytes", .gauge, "Bytes of the store's files.", store.bytes)
        add("store_partitions", .gauge, "Files of days.", store.partitions)
        add("store_epochs", .gauge, "Starts of agents that the store knows of.", store.epochs)
        add("store_symbol_tables", .gauge, "Symbol tables in the store.", store.symbolTables)
        add("store_symbol_table_bytes", .gauge, "Bytes of the symbol tables in the store.", store.symbolTableBytes)
        add(
            "questions_total", .counter, "Questions answered over HTTP, by status.",
            questions.byStatus.sorted { $0.key < $1.key }.map { ([("status", String($0.key))], Double($0.value)) })
        add("question_seconds_total", .counter, "Time spent on questions.", [([], questions.seconds)])
        add("compacted_batches_total", .counter, "Batches that were turned into blocks.", questions.compactedBatches)
        add("damaged_batches_total", .counter, "Batches that were found damaged on disk.", questions.damagedBatches)
        add("upkeep_failures_total", .counter, "Rounds of upkeep that failed.", questions.upkeepFailures)
    }
}

/// What the HTTP side and the upkeep have seen, for metrics.
struct QuestionFigures: Sendable {
    var byStatus: [Int: UInt64] = [:]
    var seconds = 0.0
    var compactedBatches = 0
    var damagedBatches = 0
    var upkeepFailures = 0
}
