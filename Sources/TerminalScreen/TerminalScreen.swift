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
    /// Milliseconds after which it is looked whether the terminal is this program's again.
    private static let foregroundDelay: Int32 = 500
    /// The kernel calls a terminal writable where it has room for as many bytes.
    private static let pieceBytes = 256

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
            let delay = keys.isWaiting ? Self.escapeDelay : isTaken ? -1 : Self.foregroundDelay
            let count = unsafe poll(&waits, isTaken ? 2 : 1, delay)
            if count < 0, errno != EINTR { throw .system(call: "poll", errno: errno) }
            if count == 0 {
                for key in keys.finish() where !graph.handle(key, in: size) { return nil }
                // A shell that brings a running job to the foreground sends no signal.
                if !isTaken, linux_terminal_is_foreground(STDIN_FILENO) != 0 {
                    try take(pipe)
                    isTaken = true
                    drawn = []
                }
                if isTaken { draw() }
                continue
            }
            if waits[0].revents != 0 {
                for number in read(signals) {
                    switch Int32(number) {
                    case SIGWINCH: drawn = []
                    case SIGCONT:
                        // In the background the terminal is another's.
                        guard linux_terminal_is_foreground(STDIN_FILENO) != 0 else {
                            linux_terminal_leave_alone()
                            isTaken = false
                            continue
                        }
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
        drawn = write(bytes) ? rows : []
    }

    /// What can be read at once, at most a screenful of keys.
    private func read(_ descriptor: Int32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        }
        return Array(bytes.prefix(max(0, count)))
    }

    /// Whether the terminal took all of it. A signal goes first: a terminal that takes nothing must not keep the program
    /// from ending. A terminal that is gone is found by the next read.
    private func write(_ bytes: [UInt8]) -> Bool {
        var start = 0
        while start < bytes.count {
            var waits = [
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
                pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0),
            ]
            if unsafe poll(&waits, 2, -1) < 0, errno != EINTR { return false }
            if waits[0].revents != 0 { return false }
            // So much fits where a terminal says that there is room.
            let size = min(Self.pieceBytes, bytes.count - start)
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(STDOUT_FILENO, buffer.baseAddress?.advanced(by: start), size)
            }
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { return false }
            start += count
        }
        return true
    }
}
