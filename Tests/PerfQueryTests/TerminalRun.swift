import Foundation

/// A run of perf-query in a terminal, as its user sees it: the screens are those of pyte, a terminal emulator that has
/// nothing to do with this project.
struct TerminalRun: Decodable {
    /// What is done, and what must be seen before the next step.
    struct Step: Encodable {
        /// Bytes of keys.
        var send: String?
        var resize: [Int]?
        /// To the program.
        var signal: Int32?
        /// Brings the stopped program to the foreground, as a shell does.
        var foreground: Bool?
        /// What some row must hold, and what none may.
        var until: String?
        var gone: String?
        /// Waits until the program is stopped, or has the terminal's alternate screen.
        var stopped: Bool?
        var alternate: Bool?
    }

    struct Look: Decodable {
        var rows: [String]
        /// Different backgrounds.
        var colours: Int
        /// Whether the terminal's settings are those from before the program.
        var isRestored: Bool
        var isCursorSeen: Bool
        var wraps: Bool
        /// Whether the alternate screen is shown.
        var isAlternate: Bool
        /// What the terminal was told to call its window.
        var title: String
    }

    var error: String?
    /// One after each step, and one after the end.
    var looks: [Look]
    /// As `waitpid` tells: the exit code, or the signal's number negated.
    var status: Int?
    var output: String

    static let isPossible: Bool = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", "import pyte"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    private struct Plan: Encodable {
        var columns: Int
        var rows: Int
        var words: [String]
        var environment: [String: String]
        var steps: [Step]
    }

    /// - Parameter words: the program and its arguments, `perf-query` for the one that was built beside these tests.
    static func run(
        _ words: [String], columns: Int = 60, rows: Int = 12, environment: [String: String] = [:], steps: [Step]
    ) async throws -> TerminalRun {
        let path = try ProgramRun.path()
        let plan = Plan(
            columns: columns, rows: rows, words: words.map { $0.replacingOccurrences(of: "perf-query", with: path) },
            environment: ["PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8"]
                .merging(environment) { $1 }, steps: steps)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", driver, String(decoding: try JSONEncoder().encode(plan), as: UTF8.self)]
        let result = try await ProgramRun.run(process)
        guard result.status == 0 else {
            return TerminalRun(error: result.errors, looks: [], status: nil, output: result.output)
        }
        return try JSONDecoder().decode(TerminalRun.self, from: Data(result.output.utf8))
    }

    /// A terminal, and a small shell in it that runs one program in a process group of its own.
    private static let driver = #"""
        import fcntl, json, os, pty, select, signal, struct, sys, termios, time
        import pyte
        # What the tests' own threads have blocked is inherited.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        plan = json.loads(sys.argv[1])
        told, tell = os.pipe()
        start, go = os.pipe()
        shell, terminal = pty.fork()
        if shell == 0:
            os.read(start, 1)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            program = os.fork()
            if program == 0:
                os.setpgid(0, 0)
                os.tcsetpgrp(0, os.getpid())
                signal.signal(signal.SIGTTOU, signal.SIG_DFL)
                try:
                    os.execve(plan["words"][0], plan["words"], plan["environment"])
                finally:
                    os._exit(127)
            def foreground(*_):
                os.tcsetpgrp(0, program)
                os.kill(-program, signal.SIGCONT)
            signal.signal(signal.SIGUSR1, foreground)
            def say(what):
                os.write(tell, (json.dumps(what) + "\n").encode())
            say({"program": program})
            while True:
                _, status = os.waitpid(program, os.WUNTRACED)
                os.tcsetpgrp(0, os.getpgrp())
                if os.WIFSTOPPED(status):
                    say({"stopped": os.WSTOPSIG(status)})
                    continue
                say({"status": os.waitstatus_to_exitcode(status)})
                signal.pause()
        def resize(columns, rows):
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        resize(plan["columns"], plan["rows"])
        before = termios.tcgetattr(terminal)
        screen = pyte.Screen(plan["columns"], plan["rows"])
        stream = pyte.ByteStream(screen)
        output, heard, facts = b"", b"", {}
        os.write(go, b"g")

        def look():
            cells = [screen.buffer[y][x] for y in range(screen.lines) for x in range(screen.columns)]
            return {
                "rows": [row.rstrip() for row in screen.display], "colours": len({cell.bg for cell in cells}),
                "isRestored": termios.tcgetattr(terminal) == before, "isCursorSeen": not screen.cursor.hidden,
                "wraps": pyte.modes.DECAWM in screen.mode, "title": screen.title,
                "isAlternate": output.rfind(b"\x1b[?1049h") > output.rfind(b"\x1b[?1049l")}

        def pump(seconds):
            global output, heard
            ready, _, _ = select.select([terminal, told], [], [], seconds)
            if terminal in ready:
                new = os.read(terminal, 65536)
                output += new
                stream.feed(new)
            if told in ready:
                heard += os.read(told, 4096)
                *lines, heard = heard.split(b"\n")
                for line in lines: facts.update(json.loads(line))

        def wait(what, test):
            end = time.monotonic() + 30
            while not test():
                if time.monotonic() > end:
                    raise Exception("waited for " + what + " in vain: " + "\n".join(screen.display))
                pump(0.05)

        looks, error = [], None
        try:
            wait("the program", lambda: "program" in facts)
            for step in plan["steps"]:
                facts.pop("stopped", None)
                if "resize" in step:
                    screen.resize(step["resize"][1], step["resize"][0])
                    resize(*step["resize"])
                if "signal" in step: os.kill(facts["program"], step["signal"])
                if step.get("foreground"): os.kill(shell, signal.SIGUSR1)
                if "send" in step: os.write(terminal, step["send"].encode())
                if step.get("stopped"): wait("a stop", lambda: "stopped" in facts)
                if step.get("alternate"): wait("the alternate screen", lambda: look()["isAlternate"])
                if "until" in step: wait(step["until"], lambda: any(step["until"] in row for row in screen.display))
                if "gone" in step: wait("no " + step["gone"], lambda: not any(step["gone"] in row for row in screen.display))
                looks.append(look())
            wait("the end", lambda: "status" in facts)
            pump(0)
            looks.append(look())
        except Exception as problem:
            error = str(problem)
            os.kill(facts.get("program", shell), signal.SIGKILL)
        os.kill(shell, signal.SIGKILL)
        os.waitpid(shell, 0)
        print(json.dumps({"looks": looks, "error": error, "status": facts.get("status"), "output": output.decode("utf-8", "replace")}))
        """#
}
