internal import Analysis
internal import FlameGraphs
internal import Formats
internal import FoundationEssentials
internal import QueryAPI
internal import TerminalScreen

/// Ends the program where `--format tui` could not draw, before anything is asked.
func checkTerminal() throws(Failure) {
    do {
        try TerminalScreen.check(environment: ProcessInfo.processInfo.environment)
    } catch {
        throw Failure(error.description, code: .usage)
    }
}

/// Draws the tree of a flame graph's JSON in the terminal, until its reader has seen enough.
func showInTerminal(_ reply: QueryAnswer, title: String, from server: QueryClient) throws(Failure) {
    let read: (header: [UInt8], tree: CallTree)
    do {
        read = try FlameGraphAnswer.read(reply.body)
    } catch {
        throw Failure(QueryError.malformed(server.server, reason: error.description))
    }
    var opening = reply
    opening.body = read.header
    let header = try decoded(AnswerHeader.self, opening, from: server)
    let graph = TerminalFlameGraph(
        read.tree, unit: header.type.unit, title: title,
        subtitle: SummaryLine.text(header, withIntervals: false))
    do {
        try TerminalScreen.show(graph, environment: ProcessInfo.processInfo.environment)
    } catch {
        throw Failure(error.description, code: .impossible)
    }
}
