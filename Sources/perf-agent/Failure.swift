internal import ArgumentParser

/// A message for standard error and the exit code that goes with it.
struct Failure: Error {
    enum Code: Int32 {
        case impossible = 1
        case noMatch = 2
        case usage = 64
    }

    var message: String
    var code: Code

    init(_ message: String, code: Code = .impossible) {
        self.message = message
        self.code = code
    }
}

/// Runs a verb's work and turns its failure into a message and an exit code.
func reporting(_ work: () async throws(Failure) -> Void) async throws {
    do {
        try await work()
    } catch {
        Output.message("perf-agent: \(error.message)")
        throw ExitCode(error.code.rawValue)
    }
}
