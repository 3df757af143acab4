internal import ArgumentParser
internal import QueryAPI

/// A message for standard error and the exit code that goes with it.
struct Failure: Error {
    enum Code: Int32 {
        case impossible = 1
        case noData = 2
        /// A limit that the command was asked to hold.
        case limitBroken = 3
        case usage = 64
    }

    var message: String
    var code: Code

    init(_ message: String, code: Code) {
        self.message = message
        self.code = code
    }

    init(_ error: QueryError) {
        message = error.description
        switch error {
        case .noData: code = .noData
        case .unusableURL: code = .usage
        case .refused(_, _, let answer): code = answer.code == "bad_request" ? .usage : .impossible
        default: code = .impossible
        }
    }
}

/// Runs a verb's work and turns its failure into a message and an exit code.
func reporting(_ work: () async throws(Failure) -> Void) async throws {
    do {
        try await work()
    } catch {
        Terminal.standardError.writeLine("perf-query: \(error.message)")
        throw ExitCode(error.code.rawValue)
    }
}

/// Says what the aggregator wants a reader of the answer to know.
func sayNote(of answer: QueryAnswer) {
    for step in answer.explanation?.split(separator: ";") ?? [] {
        Terminal.standardError.writeLine("explain: \(step.drop { $0 == " " })")
    }
    if let note = answer.note { Terminal.standardError.writeLine("note: \(note)") }
}

extension QueryClient {
    func reply(to request: QueryRequest) async throws(Failure) -> QueryAnswer {
        do {
            return try await answer(to: request)
        } catch {
            throw Failure(error)
        }
    }
}
