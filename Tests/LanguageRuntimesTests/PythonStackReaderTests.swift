import Glibc
import LanguageRuntimes
import LinuxSystem
import Testing

extension PythonStackReader {
    fileprivate mutating func read(_ thread: Int32) -> PythonStackOutcome {
        read(thread: thread, threadPointer: 0, stackPointer: 0, copiedStack: RawSpan())
    }

    fileprivate var named: [InterpretedFrame] {
        frames.map {
            InterpretedFrame(function: function($0.code), file: file($0.code), line: $0.line, isEntry: $0.isEntry)
        }
    }
}

@Suite struct PythonStackReaderTests {
    @Test(arguments: PythonStructures.layouts)
    func `each version's structures give the same stack`(_ version: String, _ layout: PythonLayout) {
        for knowsType in [true, false] {
            var reader = PythonStructures(layout).reader(knowsType: knowsType)
            for _ in 0..<3 {
                #expect(reader.read(PythonStructures.thread) == .frames(.unknown, isCut: false))
                #expect(reader.named.map(\.function) == PythonStructures.functions)
                #expect(reader.named.map(\.line) == [13, 23, 33])
                #expect(reader.named.allSatisfy { $0.file == "/srv/app.py" })
                #expect(reader.named.map(\.isEntry) == [layout.entry == .always, true, true])
            }
            #expect(reader.statistics.codesRead == 3)
        }
    }

    @Test(arguments: PythonStructures.layouts)
    func `a thread that is none of the interpreter's runs no Python`(_ version: String, _ layout: PythonLayout) {
        var reader = PythonStructures(layout).reader()
        for _ in 0..<200 { #expect(reader.read(99) == .notInPython) }
        // It is looked for more and more seldom.
        #expect(reader.statistics.threadSearches < 15)
    }

    @Test(arguments: PythonStructures.layouts)
    func `a thread is known by the address of its block too`(_ version: String, _ layout: PythonLayout) {
        var reader = PythonStructures(layout).reader()
        let outcome = reader.read(
            thread: 1, threadPointer: PythonStructures.start + 0xC00, stackPointer: 0, copiedStack: RawSpan())
        #expect(outcome == .frames(.unknown, isCut: false))
    }

    @Test(arguments: PythonStructures.layouts)
    func `a chain that comes back to itself ends`(_ version: String, _ layout: PythonLayout) {
        var structures = PythonStructures(layout)
        structures.put(PythonStructures.frame(0), at: PythonStructures.frame(1), layout.framePrevious)
        var reader = structures.reader()
        #expect(reader.read(PythonStructures.thread) == .inconsistent(.cycle))
        #expect(reader.frames.isEmpty)

        structures = PythonStructures(layout)
        structures.put(PythonStructures.state, at: PythonStructures.state, layout.nextThread)
        reader = structures.reader()
        #expect(reader.read(99) == .inconsistent(.cycle))

        structures = PythonStructures(layout)
        structures.put(PythonStructures.interpreter, at: PythonStructures.interpreter, layout.nextInterpreter)
        reader = structures.reader()
        #expect(reader.read(99) == .inconsistent(.cycle))
    }

    @Test(arguments: PythonStructures.layouts)
    func `what is no code object is not believed`(_ version: String, _ layout: PythonLayout) {
        var structures = PythonStructures(layout)
        structures.put(1, at: PythonStructures.code(1), layout.objectType)
        var reader = structures.reader()
        #expect(reader.read(PythonStructures.thread) == .inconsistent(.notCode(address: PythonStructures.code(1))))

        structures = PythonStructures(layout)
        structures.put(0, at: PythonStructures.text(1), layout.textState)
        reader = structures.reader()
        #expect(reader.read(PythonStructures.thread) == .inconsistent(.damagedCode(address: PythonStructures.code(0))))

        structures = PythonStructures(layout)
        structures.put(.max, at: PythonStructures.lineTable(0), layout.bytesSize)
        reader = structures.reader()
        #expect(reader.read(PythonStructures.thread) == .inconsistent(.damagedCode(address: PythonStructures.code(0))))

        structures = PythonStructures(layout)
        structures.put(0x10, at: PythonStructures.code(2), layout.codeFilename)
        reader = structures.reader()
        #expect(reader.read(PythonStructures.thread) == .inconsistent(.unreadable(address: 0x10 + UInt64(0))))
    }

    @Test(arguments: PythonStructures.layouts)
    func `an instruction outside the code is not believed`(_ version: String, _ layout: PythonLayout) {
        var structures = PythonStructures(layout)
        structures.put(0x7FFF_FFF0, at: PythonStructures.frame(0) + UInt64(layout.frameInstruction), bytes: 4)
        var reader = structures.reader()
        guard case .inconsistent(.instructionOutside) = reader.read(PythonStructures.thread) else {
            Issue.record("\(reader.named)")
            return
        }
    }

    @Test(arguments: PythonStructures.layouts)
    func `a code object whose address is used again gets its new name`(_ version: String, _ layout: PythonLayout) {
        var structures = PythonStructures(layout)
        var reader = structures.reader()
        _ = reader.read(PythonStructures.thread)
        #expect(reader.named.first?.function == "leaf")
        structures.putText("another", 5)
        structures.put(
            PythonStructures.text(5), at: PythonStructures.code(0), layout.codeQualifiedName ?? layout.codeName)
        reader.memory = structures.image
        _ = reader.read(PythonStructures.thread)
        #expect(reader.named.first?.function == "another")
    }

    @Test func `text of every width is read, control characters are not`() {
        let layout = PythonStructures.layouts[4].1
        func decode(_ bytes: [UInt8], state: UInt32, length: UInt64) -> String? {
            PythonText.shape(length: length, state: state, layout: layout).map { shape in
                PythonText.decode(bytes[...].prefix(shape.byteCount), shape)
            }
        }
        for shift: UInt32 in [2, 8, 16] {
            func state(_ kind: UInt32, ascii: UInt32 = 0) -> UInt32 { (kind | 1 << 3 | ascii << 4) << shift | 1 }
            #expect(decode(Array("ab\u{1B}c".utf8), state: state(1, ascii: 1), length: 4) == "ab\u{FFFD}c")
            #expect(decode([0x64, 0xE9], state: state(1), length: 2) == "dé")
            #expect(decode([0x3B, 0x26, 0x0A, 0], state: state(2), length: 2) == "☻\u{FFFD}")
            #expect(decode([0x0D, 0xF4, 1, 0, 0, 0xD8, 0, 0], state: state(4), length: 2) == "🐍\u{FFFD}")
        }
        #expect(PythonText.shape(length: 1, state: 0, layout: layout) == nil)
        let long = PythonText.shape(length: .max, state: 4 << 2 | 1 << 5, layout: layout)
        #expect(long?.byteCount == PythonText.maximumBytes)
        #expect(long?.isCut == true)
    }

    @Test(arguments: PythonStructures.layouts)
    func `damaged structures never cost more than their budget`(_ version: String, _ layout: PythonLayout) {
        var random = SeededRandom(named: "damaged structures of \(version)")
        let whole = PythonStructures(layout)
        // Bytes that aren't 0 and their neighbours: pointers, lengths, flags.
        let places = whole.image.bytes.indices.filter {
            whole.image.bytes[max(0, $0 - 4)...].prefix(8).contains { $0 != 0 }
        }
        var outcomes: [String: Int] = [:]
        for _ in 0..<300 {
            var structures = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = places.randomElement(using: &random) ?? 0
                let value =
                    UInt64.random(in: 0...0x7FFF, using: &random)
                    &+ (Bool.random(using: &random) ? PythonStructures.start : 0)
                if Bool.random(using: &random) {
                    structures.image.bytes[place] = .random(in: 0...255, using: &random)
                } else if place & ~7 <= structures.image.bytes.count - 8 {
                    structures.put(value, at: PythonStructures.start + UInt64(place & ~7))
                }
            }
            var reader = structures.reader(knowsType: Bool.random(using: &random))
            for _ in 0..<3 {
                let outcome = reader.read(PythonStructures.thread)
                #expect(reader.frames.count <= PythonProcess.maximumDepth)
                outcomes["\(outcome)".split(separator: "(").first.map { String($0) } ?? "", default: 0] += 1
            }
            #expect(reader.statistics.systemCalls < 3 * 10_000)
        }
        #expect(outcomes.keys.contains("inconsistent"))
        #expect(outcomes.keys.contains("frames"))
    }

    @Test func `a table of offsets that can't be is refused`() {
        var bytes = PythonStructures.debugOffsets(minor: 13)
        #expect(PythonDebugOffsets(Array(bytes.prefix(300))) == nil)
        bytes[9 * 8 + 5] = 1
        #expect(PythonDebugOffsets(bytes).flatMap { PythonLayout($0) } == nil)
        bytes = PythonStructures.debugOffsets(minor: 13)
        bytes[10] = 99
        #expect(PythonDebugOffsets(bytes) == nil)
    }

    /// Seeds for the fuzz target PythonFrames: a byte that chooses the layout, then the image.
    @Test(.enabled(if: ProcessSettings.corpusFolder != nil, "writes files: PERF_FLEET_PYTHON_CORPUS names the folder"))
    func `whole structures are written as seeds`() throws {
        let folder = try #require(ProcessSettings.corpusFolder)
        for (index, (version, layout)) in PythonStructures.layouts.enumerated() {
            let bytes = [UInt8(index)] + PythonStructures(layout).image.bytes
            let stream = try #require(unsafe fopen("\(folder)/\(version)", "w"))
            unsafe fwrite(bytes, 1, bytes.count, stream)
            unsafe fclose(stream)
        }
    }
}

private enum ProcessSettings {
    static var corpusFolder: String? { unsafe getenv("PERF_FLEET_PYTHON_CORPUS").map { unsafe String(cString: $0) } }
}
