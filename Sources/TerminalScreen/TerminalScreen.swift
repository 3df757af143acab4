internal import CLinux
public import FlameGraphs
internal import Glibc

/// Shows a flame graph in the terminal of standard input and output until a key or a signal ends it.
public enum TerminalScreen {
    public enum Problem: Error, Hashable, Sendable, CustomStringConvertible {
        /// `standard output` or `standard input`.
        case noTerminal(String)
        case cannotMoveCursor(terminal: String)
        case system(call: String, errno: Int32)

        public var description: String {
            switch self {
            case .noTerminal(let stream):
                "--format tui draws in a terminal, and \(stream) is none; --format svg, html and folded write files"
            case .cannotMoveCursor(let terminal):
                "--format tui needs a terminal with a cursor that can be moved; TERM says '\(terminal)'"
            case .system(let call, let number):
                "the terminal can't be used: \(call): \(unsafe String(cString: strerror(number)).lowercased())"
            }
        }
    }

    /// Whether `show` could draw here, before there is anything to draw.
    public static func check(environment: [String: String]) throws(Problem) {
        if isatty(STDOUT_FILENO) == 0 { throw .noTerminal("standard output") }
        if isatty(STDIN_FILENO) == 0 { throw .noTerminal("standard input") }
        if !TerminalAbilities(environment: environment).movesCursor {
            throw .cannotMoveCursor(terminal: environment["TERM", default: ""])
        }
    }

    /// Draws, waits for keys, and gives the terminal back as it was. Blocks its thread. Where a signal asks the program
    /// to end, it does so by that signal and this never returns.
    public static func show(_ graph: TerminalFlameGraph, environment: [String: String]) throws(Problem) {
        try check(environment: environment)
        var pipe: [Int32] = [-1, -1]
        guard unsafe Glibc.pipe(&pipe) == 0 else { throw .system(call: "pipe", errno: errno) }
        for end in pipe {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        defer {
            linux_terminal_release_signals()
            for end in pipe { close(end) }
        }
        var session = Session(
            graph: graph, abilities: TerminalAbilities(environment: environment), signals: pipe[0])
        let ending: Int32?
        do {
            defer { linux_terminal_give_back() }
            ending = try session.run(signalsTo: pipe[1])
        }
        guard let ending else { return }
        linux_terminal_release_signals()
        signal(ending, SIG_DFL)
        kill(getpid(), ending)
        // The signal may go to any thread.
        while true { pause() }
    }
}

/// The loop: what is seen, and what came in.
private struct Session {
    var graph: TerminalFlameGraph
    let abilities: TerminalAbilities
    /// Where numbers of signals are read from.
    let signals: Int32
    private var keys = TerminalKeys()
    private var size = TerminalSize(columns: 80, rows: 24)
    /// The bytes of each row on the screen; none where it isn't known what stands there.
    private var drawn: [[UInt8]] = []

    /// How long an ESC waits for the rest of a key's sequence, in milliseconds.
    private static let escapeDelay: Int32 = 50

    init(graph: TerminalFlameGraph, abilities: TerminalAbilities, signals: Int32) {
        self.graph = graph
        self.abilities = abilities
        self.signals = signals
    }

    /// - Returns: the signal that ended it; nil where a key did.
    mutating func run(signalsTo pipe: Int32) throws(TerminalScreen.Problem) -> Int32? {
        try take(pipe)
        draw()
        var isTaken = true
        while true {
            // Without the terminal only a signal can bring it back.
            var waits = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            ]
            let count = unsafe poll(&waits, isTaken ? 2 : 1, keys.isWaiting ? Self.escapeDelay : -1)
            if count < 0, errno != EINTR { throw .system(call: "poll", errno: errno) }
            if count == 0 {
                for key in keys.finish() where !graph.handle(key, in: size) { return nil }
                draw()
                continue
            }
            if waits[0].revents != 0 {
                for number in read(signals) {
                    switch Int32(number) {
                    case SIGWINCH: drawn = []
                    case SIGCONT:
                        // In the background the terminal is another's.
                        guard linux_terminal_is_foreground(STDIN_FILENO) != 0 else { continue }
                        try take(pipe)
                        isTaken = true
                        drawn = []
                    case SIGTSTP:
                        linux_terminal_give_back()
                        isTaken = false
                        linux_terminal_stop_process()
                        guard linux_terminal_is_foreground(STDIN_FILENO) != 0 else { continue }
                        try take(pipe)
                        isTaken = true
                        drawn = []
                    default: return Int32(number)
                    }
                }
            }
            if isTaken, waits[1].revents != 0 {
                let bytes = read(STDIN_FILENO)
                // The terminal has gone.
                if bytes.isEmpty { return nil }
                for key in keys.take(bytes) {
                    if key == .redraw { drawn = [] }
                    guard graph.handle(key, in: size) else { return nil }
                }
            }
            if isTaken { draw() }
        }
    }

    private func take(_ pipe: Int32) throws(TerminalScreen.Problem) {
        let code = linux_terminal_take(STDIN_FILENO, STDOUT_FILENO, pipe)
        if code < 0 { throw .system(call: "tcsetattr", errno: -code) }
    }

    /// Writes the rows that have changed.
    private mutating func draw() {
        let now = linux_terminal_get_size(STDOUT_FILENO)
        size =
            now.columns > 0 && now.rows > 0
            ? TerminalSize(columns: Int(now.columns), rows: Int(now.rows)) : TerminalSize(columns: 80, rows: 24)
        let grid = graph.grid(size, abilities)
        var bytes: [UInt8] = []
        let isKnown = drawn.count == size.rows
        if !isKnown { bytes += "\u{1B}[0m\u{1B}[2J".utf8 }
        var rows: [[UInt8]] = []
        for row in 0..<size.rows {
            rows.append(grid.bytes(ofRow: row, colours: abilities.colours))
            if !isKnown || drawn[row] != rows[row] { bytes += rows[row] }
        }
        drawn = rows
        write(bytes)
    }

    /// What can be read at once, at most a screenful of keys.
    private func read(_ descriptor: Int32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        }
        return Array(bytes.prefix(max(0, count)))
    }

    /// A terminal that takes no more is found by the next read.
    private func write(_ bytes: [UInt8]) {
        var start = 0
        while start < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(STDOUT_FILENO, buffer.baseAddress?.advanced(by: start), buffer.count - start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            start += count
        }
    }
}
