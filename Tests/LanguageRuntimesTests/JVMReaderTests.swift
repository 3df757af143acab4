import Foundation
import Testing

@testable import LanguageRuntimes

/// The reader on structures made by hand; `JVMLiveTests` hold it against running JVMs.
@Suite struct JVMReaderTests {
    private static let inner = JVMFrame(function: "demo.Chain.inner", file: "Chain.java", line: 40, kind: .inlined)
    private static let outer = JVMFrame(function: "demo.Chain.outer", file: "Chain.java", line: 31, kind: .compiled)

    @Test(arguments: JVMStructures.Version.allCases)
    func `methods, inlined ones and lines are found by what the library says of itself`(
        version: JVMStructures.Version
    ) throws {
        let made = JVMStructures(version)
        var reader = try JVMReader(made.image, libraryStart: JVMStructures.start, isX86: true)
        #expect(reader.majorVersion == version.rawValue)
        let found = try reader.refresh(at: 100)
        #expect(found.blobs == 2 && found.newBlobs == 2 && found.methods == 1 && found.inconsistent == 0, "\(found)")
        #expect(reader.codeBounds == JVMStructures.code..<JVMStructures.code + 0x800)
        #expect(reader.frames(at: JVMStructures.compiledCode + 15, time: 100) == [Self.inner, Self.outer])
        #expect(reader.frames(at: JVMStructures.compiledCode + 30, time: 100) == [Self.outer])
        #expect(reader.frames(at: JVMStructures.interpreterCode, time: 100).map(\.function) == ["Interpreter"])
        #expect(reader.frames(at: JVMStructures.code + 0x700, time: 100).isEmpty)
        // A method that the interpreter runs, at its sixth bytecode.
        let bytecodes = JVMStructures.methods[1] + 0x80 + 0x28
        let interpreted = reader.interpretedFrame(
            method: JVMStructures.methods[1], bytecodePointers: [7, UInt32(bytecodes) + 5])
        #expect(
            interpreted
                == JVMFrame(function: "demo.Chain.inner", file: "Chain.java", line: 41, kind: .interpreted))
        #expect(reader.interpretedFrame(method: JVMStructures.start + 0x2F00, bytecodePointers: []) == nil)
        let again = try reader.refresh(at: 200)
        #expect(again.blobs == 2 && again.newBlobs == 0)
    }

    @Test(arguments: JVMStructures.Version.allCases)
    func `a compiled method's frame is not there before its prologue and behind its epilogue`(
        version: JVMStructures.Version
    ) throws {
        var reader = try JVMReader(
            JVMStructures(version).image, libraryStart: JVMStructures.start, isX86: true)
        _ = try reader.refresh(at: 1)
        let code = JVMStructures.compiledCode
        func range(_ offset: UInt64) -> JVMCodeRange? {
            reader.ranges.first { ($0.start..<$0.end).contains(code + offset) }
        }
        let end = JVMStructures.compiledEnd - code
        #expect(range(0)?.kind == .frameless && range(7)?.kind == .frameless)
        #expect(range(8)?.kind == .compiled && range(8)?.frameBytes == 16)
        #expect(range(12)?.kind == .compiled && range(12)?.frameBytes == 48)
        #expect(range(end - 2)?.frameBytes == 16)
        #expect(range(end - 1)?.kind == .frameless)
        #expect(range(end) == nil)
        #expect(reader.ranges.first { $0.start == JVMStructures.interpreterCode }?.kind == .interpreter)
    }

    @Test func `code that was compiled anew has its new name from then on`() throws {
        var made = JVMStructures(.jdk17)
        let memory = ChangingMemory(made.image)
        var reader = try JVMReader(memory, libraryStart: JVMStructures.start, isX86: true)
        _ = try reader.refresh(at: 100)
        made.put(JVMStructures.methods[1], at: JVMStructures.compiledBlob + 0x30)
        made.put(78, at: JVMStructures.compiledBlob + 0x60, bytes: 4)
        memory.image = made.image
        let found = try reader.refresh(at: 200)
        #expect(found.newBlobs == 1)
        let address = JVMStructures.compiledCode + 20
        #expect(reader.names.match(address, at: 150)?.name == "demo.Chain.outer")
        #expect(reader.names.match(address, at: 250)?.name == "demo.Chain.inner")
    }

    @Test func `a library that lacks what is needed says what`() throws {
        var made = JVMStructures(.jdk17)
        let name = try #require(made.image.bytes.firstIndex(ofText: "_segmap"))
        made.image.bytes[name] = 0x58
        #expect(throws: JVMError.unknownVersion(missing: "CodeHeap::_segmap")) {
            _ = try JVMReader(made.image, libraryStart: JVMStructures.start, isX86: true)
        }
        let symbol = try #require(made.image.bytes.firstIndex(ofText: "gHotSpotVMStructs"))
        made.image.bytes[symbol] = 0x58
        #expect(throws: JVMError.noDescription) {
            _ = try JVMReader(made.image, libraryStart: JVMStructures.start, isX86: true)
        }
    }

    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["PERF_FLEET_JVM_CORPUS"] != nil,
            "writes files: PERF_FLEET_JVM_CORPUS names the folder"))
    func `images for fuzzing`() throws {
        let folder = try #require(ProcessInfo.processInfo.environment["PERF_FLEET_JVM_CORPUS"])
        for version in JVMStructures.Version.allCases {
            try Data([0] + JVMStructures(version).image.bytes).write(
                to: URL(fileURLWithPath: "\(folder)/\(version)"))
        }
    }
}

/// Memory of a process that goes on while it is read; changed by the one thread that reads.
private final class ChangingMemory: ForeignMemory, @unchecked Sendable {
    var image: MemoryImage

    init(_ image: MemoryImage) { self.image = image }

    func read(_ address: UInt64, into bytes: inout [UInt8], at offset: Int, count: Int) -> Bool {
        image.read(address, into: &bytes, at: offset, count: count)
    }
}

extension [UInt8] {
    fileprivate func firstIndex(ofText text: String) -> Int? {
        let wanted = [0] + Array(text.utf8) + [0]
        return indices.first { self[$0...].starts(with: wanted) }.map { $0 + 1 }
    }
}
