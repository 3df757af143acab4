internal import ArgumentParser
internal import Formats
internal import FoundationEssentials
internal import Profiles
internal import QueryAPI

/// An answer as text: lines with their ends, and how many rows there are.
struct Shown {
    var text: String
    var rows: Int

    init(text: String, rows: Int) {
        self.text = text
        self.rows = rows
    }

    /// What stands behind the answer, an empty line, and the table, which has no intervals.
    init(_ header: AnswerHeader, _ table: TextTable, rows: Int, inColour: Bool) {
        self.init(
            text: SummaryLine.text(header, withIntervals: false) + "\n\n" + table.text(inColour: inColour), rows: rows)
    }
}

/// Cores as a table shows them; a dash where the type is no CPU time.
func coresText(_ cores: Double?) -> String {
    cores.map { Decimal.text($0, places: 3) } ?? "–"
}

func grouped(_ count: Int) -> String {
    Grouped.text(UInt64(max(0, count)))
}

/// How a table is printed.
struct TableOptions: ParsableArguments {
    @Flag(help: "Print the answer as JSON.")
    var json = false

    @Option(help: ArgumentHelp("auto (on a terminal, unless NO_COLOR is set), always or never.", valueName: "when"))
    var color = ColorChoice.auto

    /// Asks and prints. JSON is passed on as the aggregator wrote it, once it has proved to be the answer that was
    /// asked for. An answer without rows is printed too, and ends with the exit code for no data.
    func show<Answer: Decodable>(
        _ type: Answer.Type, _ request: QueryRequest, server: QueryClient,
        _ shown: (_ answer: Answer, _ inColour: Bool) -> Shown
    ) async throws(Failure) {
        let reply = try await server.reply(to: request)
        let bytes = reply.body
        let answer = try decoded(type, reply, from: server)
        let result = shown(answer, color.isUsed)
        if json {
            try Terminal.standardOutput.writeForeign(bytes.last == 10 ? bytes : bytes + [10])
        } else if result.rows > 0 {
            try Terminal.standardOutput.writeResult(Array(result.text.utf8))
        }
        sayNote(of: reply)
        if result.rows == 0 { throw Failure("no data matches the question", code: .noData) }
    }
}

/// The answer that was asked for, or what is wrong with what came.
func decoded<Answer: Decodable>(
    _ type: Answer.Type, _ reply: QueryAnswer, from server: QueryClient
) throws(Failure) -> Answer {
    do {
        return try JSONDecoder().decode(type, from: Data(reply.body))
    } catch {
        throw Failure(QueryError.malformed(server.server, reason: "\(decodingProblem(error))"))
    }
}

/// The question's span, by this machine's clock.
func asked(_ time: TimeOptions) throws(Failure) -> TimeRange {
    do {
        return try time.range(now: currentTime())
    } catch {
        throw Failure(error.description, code: .usage)
    }
}

private func decodingProblem(_ error: any Error) -> String {
    func path(_ context: DecodingError.Context) -> String {
        context.codingPath.map(\.stringValue).joined(separator: ".")
    }
    return switch error as? DecodingError {
    case .keyNotFound(let key, let context)?: "'\(key.stringValue)' is missing in '\(path(context))'"
    case .typeMismatch(_, let context)?, .valueNotFound(_, let context)?:
        "'\(path(context))': \(context.debugDescription)"
    case .dataCorrupted(let context)?: "it is not the JSON that was asked for: \(context.debugDescription)"
    default: "\(error)"
    }
}
