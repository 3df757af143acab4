internal import ArgumentParser
internal import Formats
internal import FoundationEssentials
internal import Profiles
internal import QueryAPI

/// What a verb shows of an answer as text.
struct Shown {
    /// Lines above the table, without their ends.
    var summary: [String]
    var table: TextTable
    var rows: Int
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
        _ type: Answer.Type, _ request: QueryRequest, server: QueryClient, _ shown: (Answer) -> Shown
    ) async throws(Failure) {
        let bytes = try await server.bytes(request)
        let answer: Answer
        do {
            answer = try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw Failure(QueryError.malformed(server.server, reason: "\(decodingProblem(error))"))
        }
        let result = shown(answer)
        if json {
            try Terminal.standardOutput.writeForeign(bytes.last == 10 ? bytes : bytes + [10])
        } else if result.rows > 0 {
            let useColor = color.isUsed
            let text = result.summary.map { escaped($0) + "\n" }.joined() + "\n" + result.table.text(color: useColor)
            guard Terminal.standardOutput.write(Array(text.utf8)) else {
                throw Failure("can't write to standard output", code: .impossible)
            }
        }
        if result.rows == 0 { throw Failure("no data matches the question", code: .noData) }
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

/// Two lines over a table: what the answer is about, and how much stands behind it.
func summary(_ header: AnswerHeader) -> [String] {
    var about = "\(header.type.name), "
    if let range = header.range {
        about += "\(TimeText.toSecond(range.from)) to \(TimeText.toSecond(range.to)), "
    }
    about += "\(grouped(header.samples)) samples"
    let coverage = header.coverage
    var behind = "\(grouped(coverage.hosts)) \(coverage.hosts == 1 ? "host" : "hosts")"
    if coverage.hostsSilent > 0 { behind += " (\(grouped(coverage.hostsSilent)) silent)" }
    behind += ", intervals over \(header.intervalOver)"
    let dropped = coverage.dropped.filter { $0.value > 0 }.sorted { $0.key < $1.key }
    behind += dropped.isEmpty ? ", nothing dropped" : ", dropped: "
    behind += dropped.map { "\(grouped($0.value)) \($0.key)" }.joined(separator: ", ")
    behind += ", stacks: " + stacksText(coverage)
    return [about, behind]
}

private func stacksText(_ coverage: Coverage) -> String {
    let counts: [(UInt64?, String)] = [
        (coverage.wholeStacks, "whole"), (coverage.cutStacks, "cut"), (coverage.brokenStacks, "broken"),
    ]
    let measured = counts.compactMap { count, word in count.map { "\(grouped($0)) \(word)" } }
    let missing = counts.filter { $0.0 == nil }.map(\.1)
    let rest = missing.isEmpty ? [] : ["\(missing.joined(separator: " and ")) not measured"]
    return (measured + rest).joined(separator: ", ")
}
