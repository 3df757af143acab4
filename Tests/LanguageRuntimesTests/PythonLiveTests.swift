import AllocationCount
import Foundation
import LanguageRuntimes
import LinuxSystem
import Testing
import ToolOutput

/// What py-spy says of one thread.
private struct Dumped: Decodable {
    struct Frame: Decodable {
        var name: String
        var filename: String
        var line: UInt32
    }
    var thread: Int32?
    var frames: [Frame]

    private enum CodingKeys: String, CodingKey {
        case frames
        case thread = "os_thread_id"
    }
}

private func detect(_ program: RunningPython) throws -> PythonProcess {
    let detection = PythonProcess.detect(process: program.process, mappings: program.mappings)
    guard case .python(let python) = detection else {
        throw Failure("not found to be Python: \(detection)")
    }
    return python
}

#if DEBUG
private let isOptimized = false
#else
private let isOptimized = true
#endif

private struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

@Suite(.serialized) struct PythonLiveTests {
    private let folder = TemporaryFolder()

    private func start(_ installation: PythonInstallation, _ text: String) throws -> RunningPython {
        let script = folder.write(text, as: "program.py")
        guard let program = RunningPython([installation.path, script]) else {
            throw Failure("\(installation) does not start the program")
        }
        return program
    }

    @Test(arguments: PythonInstallation.readable)
    func `the version is found from memory alone`(_ installation: PythonInstallation) throws {
        let python = try detect(try start(installation, PythonPrograms.deep))
        #expect(python.version.minor == installation.minor)
        if installation.minor >= 11 { #expect(python.version.micro == installation.micro) }
        #expect(python.evaluation != nil)
    }

    @Test(arguments: PythonInstallation.readable.filter { $0.minor >= 13 })
    func `the runtime is found without symbols by its cookie`(_ installation: PythonInstallation) throws {
        let program = try start(installation, PythonPrograms.deep)
        let python = try detect(program)
        let found = PythonInterpreter.runtimeByCookie(
            ProcessMemory(process: program.process), program.mappings, python.path)
        #expect(found == python.runtime)
    }

    @Test(
        .enabled(if: isOptimized, "only an optimised build allocates as the shipped one does: swift test -c release"),
        arguments: PythonInstallation.readable)
    func `1,000 warm stacks allocate nothing`(_ installation: PythonInstallation) throws {
        let program = try start(installation, PythonPrograms.deepEnough)
        var python = try detect(program)
        usleep(300_000)
        for _ in 0..<10 { _ = python.stack(ofThread: program.process) }
        #expect(python.frames.count == 21)
        let before = allocation_count()
        for _ in 0..<1000 { _ = python.stack(ofThread: program.process) }
        #expect(allocation_count() - before == 0, "\(installation)")
    }

    @Test(arguments: PythonInstallation.unreadable)
    func `older versions are found to be unsupported`(_ installation: PythonInstallation) throws {
        let program = try start(
            installation, "import sys, time\nopen(sys.argv[-1], 'w').close()\ntime.sleep(1000)\n")
        guard case .unsupported = PythonProcess.detect(process: program.process, mappings: program.mappings) else {
            throw Failure("\(installation) passes for a version that can be read")
        }
    }

    @Test func `a program without Python is not Python`() throws {
        let program = try #require(RunningPython(["/bin/sh", "-c", ": >\"$0\"; while :; do sleep 100; done"]))
        guard case .notPython = PythonProcess.detect(process: program.process, mappings: program.mappings) else {
            throw Failure("a shell passes for Python")
        }
    }

    @Test(
        .enabled(if: PythonInstallation.pySpy != nil, "needs py-spy (PyPI)"),
        arguments: PythonInstallation.readable)
    func `stacks of stopped threads are those that py-spy reads, frame by frame and line by line`(
        _ installation: PythonInstallation
    ) throws {
        let program = try start(installation, PythonPrograms.calls)
        var warm = try detect(program)
        var compared = 0
        var deepest = 0
        for round in 0..<12 {
            usleep(UInt32(7_000 + round * 1_700))
            program.stop()
            defer { program.resume() }
            let json = output(
                of: "'\(PythonInstallation.pySpy ?? "")' dump --nonblocking --json --pid \(program.process) 2>/dev/null"
            )
            let dumped = try JSONDecoder().decode([Dumped].self, from: Data(json.utf8))
            for thread in program.threads {
                var cold = try detect(program)
                let outcomes = [warm.stack(ofThread: thread), cold.stack(ofThread: thread)]
                // Up to 3.10 py-spy may not know a thread's number: then the stacks are compared as a set.
                let expected = dumped.filter { $0.thread == thread || $0.thread == nil }.map { stack in
                    // The interpreter's own frame beneath `__init__`, which py-spy shows.
                    stack.frames.filter { $0.filename != "__init__" }.map { "\($0.name) \($0.filename):\($0.line)" }
                }
                for (outcome, frames) in zip(outcomes, [warm.interpretedFrames, cold.interpretedFrames]) {
                    guard case .frames = outcome else {
                        Issue.record("\(installation), thread \(thread): \(outcome), py-spy: \(expected)")
                        continue
                    }
                    let actual = frames.map { "\($0.function) \($0.file):\($0.line)" }
                    #expect(expected.contains(actual), "\(installation)")
                    compared += 1
                    deepest = max(deepest, actual.count)
                }
            }
        }
        #expect(compared == 12 * 3 * 2)
        #expect(deepest > 5)
    }

    @Test(
        .enabled(if: PythonInstallation.gdb != nil, "needs gdb"),
        arguments: PythonInstallation.readable)
    func `entries are as many as gdb finds frames of the interpreter's loop`(_ installation: PythonInstallation) throws
    {
        let program = try start(installation, PythonPrograms.calls)
        var python = try detect(program)
        for round in 0..<4 {
            usleep(UInt32(5_000 + round * 2_300))
            program.stop()
            defer { program.resume() }
            let text = output(
                of: "gdb -batch -nx -iex 'set debuginfod enabled off' -p \(program.process) -ex 'bt' 2>/dev/null")
            let names = text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
                let words = line.split(separator: " ")
                let place = words.firstIndex(of: "in").map { $0 + 1 } ?? 1
                return place < words.count ? String(words[place]) : ""
            }
            guard names.contains("main") || names.contains("Py_BytesMain") else { continue }
            let outcome = python.stack(ofThread: program.process)
            guard case .frames = outcome else {
                Issue.record("\(outcome)")
                continue
            }
            var merged: [PythonMerge.Frame] = []
            let native = names.map { PythonMerge.nativeFrame($0) }
            let verdict = PythonMerge.merge(
                native: native.span, python: python.frames.span, isCut: false, into: &merged)
            #expect(verdict == .whole, "\(installation): \(names) \(python.interpretedFrames)")
            let interpreted = merged.compactMap { if case .interpreted(let index) = $0 { index } else { nil } }
            #expect(interpreted == Array(0..<python.frames.count))
        }
    }

    @Test(arguments: PythonInstallation.readable)
    func `shares of a running program are what it says of itself`(_ installation: PythonInstallation) throws {
        let program = try start(installation, PythonPrograms.shares)
        var python = try detect(program)
        // Each sample weighs the CPU time that has passed since the one before: on a busy machine the program waits.
        var clock = clockid_t()
        try #require(unsafe clock_getcpuclockid(program.process, &clock) == 0)
        var before = cpuSeconds(clock)
        var weights: [String: Double] = [:]
        var total = 0.0
        var squares = 0.0
        let wanted = 1500
        var doubtful = 0
        for _ in 0..<wanted {
            usleep(UInt32.random(in: 300...1700))
            let now = cpuSeconds(clock)
            guard case .frames = python.stack(ofThread: program.process) else {
                doubtful += 1
                continue
            }
            let weight = now - before
            before = now
            let frames = python.interpretedFrames
            #expect(frames.last?.function == "<module>")
            total += weight
            squares += weight * weight
            for name in ["sixty", "thirty", "ten"] where frames.contains(where: { $0.function == name }) {
                weights[name, default: 0] += weight
            }
        }
        #expect(doubtful < wanted / 100)
        for (name, share) in [("sixty", 0.6), ("thirty", 0.3), ("ten", 0.1)] {
            let measured = (weights[name] ?? 0) / total
            // Five standard errors of a weighted proportion, and a percent for what the functions do beside burning.
            let tolerance = 5 * (share * (1 - share) * squares).squareRoot() / total + 0.01
            #expect(abs(measured - share) < tolerance, "\(installation) \(name): \(measured)")
        }
    }

    private func cpuSeconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// What may call what in `storm`; a frame of another stack among these shows.
    private static let callers: [String: Set<String>] = [
        "leaf": ["main", "numbers", "__init__", "<lambda>", "fresh"], "fibonacci": ["main", "fibonacci"],
        "numbers": ["main"], "__init__": ["main", "<listcomp>"], "<listcomp>": ["main"], "<lambda>": ["main"],
        "main": ["<module>"], "fresh": ["<module>"],
    ]

    @Test(arguments: PythonInstallation.readable)
    func `stacks of a program that calls without pause hold together`(_ installation: PythonInstallation) throws {
        let program = try start(installation, PythonPrograms.storm)
        var python = try detect(program)
        var read = 0
        var broken: [String: Int] = [:]
        var reasons: [String: Int] = [:]
        for _ in 0..<3000 {
            usleep(50)
            let outcome = python.stack(ofThread: program.process)
            guard case .frames = outcome else {
                reasons["\(outcome)", default: 0] += 1
                continue
            }
            read += 1
            let names = python.interpretedFrames.map { $0.function.split(separator: ".").last.map { String($0) } ?? "" }
            // Frames are read over some microseconds: the nearest to the leaf may be of a call that came meanwhile.
            for (callee, caller) in zip(names, names.dropFirst())
            where !(Self.callers[callee]?.contains(caller) ?? (callee == "<module>" && caller == "main")) {
                broken["\(callee) < \(caller)", default: 0] += 1
            }
            #expect(names.last == "<module>")
        }
        print("\(installation): \(read) of 3000 read, impossible calls \(broken), \(reasons), \(python.statistics)")
        #expect(read > 2900)
        #expect(broken.values.reduce(0, +) < read / 50, "\(broken)")
    }

    @Test(arguments: PythonInstallation.readable)
    func `the stack of a forked child is its own`(_ installation: PythonInstallation) throws {
        let program = try start(installation, PythonPrograms.forked)
        let children = output(of: "cat /proc/\(program.process)/task/\(program.process)/children")
        let child = try #require(Int32(children.split(separator: " ").first ?? ""))
        defer { kill(child, SIGKILL) }
        let mappings = ProcessMaps.parse(ProcFile.read("/proc/\(child)/maps") ?? [])
        guard case .python(var python) = PythonProcess.detect(process: child, mappings: mappings) else {
            throw Failure("the child is not found to be Python")
        }
        usleep(50_000)
        guard case .frames = python.stack(ofThread: child) else { throw Failure("the child's stack can't be read") }
        #expect(python.interpretedFrames.map(\.function) == ["in_child", "<module>"])
    }

    @Test(.enabled(if: getuid() == 0, "needs root for a PID namespace"), arguments: PythonInstallation.readable)
    func `a thread of another PID namespace is known by its number there`(_ installation: PythonInstallation) throws {
        let script = folder.write(PythonPrograms.shares, as: "program.py")
        let program = try #require(
            RunningPython(["/usr/bin/unshare", "--pid", "--fork", "--kill-child", installation.path, script]))
        let children = output(of: "cat /proc/\(program.process)/task/\(program.process)/children")
        let child = try #require(Int32(children.split(separator: " ").first ?? ""))
        #expect(PythonProcess.threadNumber(child, of: child) == 1)
        let mappings = ProcessMaps.parse(ProcFile.read("/proc/\(child)/maps") ?? [])
        guard case .python(var python) = PythonProcess.detect(process: child, mappings: mappings) else {
            throw Failure("the child is not found to be Python")
        }
        guard case .frames = python.stack(ofThread: 1) else { throw Failure("the child's stack can't be read") }
        #expect(python.interpretedFrames.last?.function == "<module>")
    }

    @Test(arguments: PythonInstallation.readable)
    func `a very deep stack is cut at its root`(_ installation: PythonInstallation) throws {
        let program = try start(installation, PythonPrograms.deep)
        var python = try detect(program)
        usleep(200_000)
        for _ in 0..<2 {
            let outcome = python.stack(ofThread: program.process)
            #expect(outcome == .frames(.unknown, isCut: true))
            #expect(python.frames.count == PythonProcess.maximumDepth)
        }
        #expect(python.interpretedFrames.first?.line == 6)
    }

    @Test(arguments: PythonInstallation.readable.filter { [11, 12].contains($0.minor) })
    func `a copy of the stack shows that the process moved on`(_ installation: PythonInstallation) throws {
        let program = try start(installation, PythonPrograms.calls)
        var python = try detect(program)
        let memory = ProcessMemory(process: program.process)
        var moved = 0
        for round in 0..<60 {
            usleep(UInt32(2_000 + round * 137))
            program.stop()
            let stackPointer = try #require(program.stackPointer(program.process))
            var copy = [UInt8](repeating: 0, count: 16 << 10)
            let range = MemoryRange(address: stackPointer, byteCount: copy.count)
            copy.removeLast(copy.count - (try memory.read([range], into: &copy)))
            let outcome = unsafe python.stack(
                ofThread: program.process, stackPointer: stackPointer, copiedStack: copy.span.bytes)
            #expect(outcome == .frames(.same, isCut: false))
            program.resume()
            usleep(UInt32.random(in: 0...2000))
            program.stop()
            let second = unsafe python.stack(
                ofThread: program.process, stackPointer: stackPointer, copiedStack: copy.span.bytes)
            guard case .frames(let agreement, _) = second else {
                program.resume()
                continue
            }
            #expect(agreement != .unknown)
            if agreement == .moved { moved += 1 }
            program.resume()
        }
        #expect(moved > 5)
    }
}
