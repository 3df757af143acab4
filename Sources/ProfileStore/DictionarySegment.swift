import ByteCoding
import Profiles

/// How far a table of stacks has been written down.
struct TableExtent: Equatable, Sendable {
    var strings = 0
    var modules = 0
    var frames = 0
    /// The root, which every table has, counts.
    var nodes = 1

    init() {}

    init(_ table: StackTable) {
        strings = table.strings.count
        modules = table.modules.count
        frames = table.frames.count
        nodes = table.nodes.count
    }
}

/// The entries that one commit adds to a file's dictionary, as columns of varints. Indices are dense and never change,
/// so the segments of a file, read in order, give its table again.
enum DictionarySegment {
    /// Far above what one commit adds; a bound on what a damaged file can make us reserve.
    static let maximumEntries = 16 << 20
    private static let maximumStringBytes = 1 << 20

    /// The entries of `table` beyond `extent`.
    static func encode(_ table: StackTable, after extent: TableExtent) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeVarint(UInt64(table.strings.count - extent.strings))
        for string in table.strings[extent.strings...] { writer.writeString(string) }

        writer.writeVarint(UInt64(table.modules.count - extent.modules))
        for module in table.modules[extent.modules...] {
            writer.write(module.identity.kind.rawValue)
            writer.writePrefixedBytes(module.identity.bytes)
            writer.writeString(module.name)
        }

        let frames = table.frames[extent.frames...]
        writer.writeVarint(UInt64(frames.count))
        for frame in frames { writer.write(frame.kind.rawValue) }
        for index in [\Frame.name, \Frame.module, \Frame.file] {
            // `none` becomes 0.
            for frame in frames { writer.writeVarint(UInt64(frame[keyPath: index] &+ 1)) }
        }
        for frame in frames { writer.writeVarint(UInt64(frame.line)) }
        var address: UInt64 = 0
        for frame in frames {
            writer.writeSignedVarint(Int64(bitPattern: frame.address &- address))
            address = frame.address
        }

        let nodes = table.nodes[extent.nodes...]
        writer.writeVarint(UInt64(nodes.count))
        for (index, node) in nodes.enumerated() {
            writer.writeVarint(UInt64(extent.nodes + index - 1) &- UInt64(node.parent))
        }
        var frame: Int64 = 0
        for node in nodes {
            writer.writeSignedVarint(Int64(node.frame) - frame)
            frame = Int64(node.frame)
        }
        return writer.bytes
    }

    /// Adds a segment's entries to `table`, which must hold those of all segments before it.
    static func decode(_ bytes: [UInt8], into table: inout StackTable) throws(SegmentError) {
        do {
            try read(bytes, into: &table)
        } catch let error as SegmentError {
            throw error
        } catch {
            throw SegmentError(detail: String(describing: error))
        }
    }

    private static func read(_ bytes: [UInt8], into table: inout StackTable) throws {
        var reader = unsafe ByteReader(bytes.span.bytes)
        func check(_ isRight: Bool, _ detail: @autoclosure () -> String) throws(SegmentError) {
            if !isRight { throw SegmentError(detail: detail()) }
        }

        for _ in 0..<(try count(&reader)) {
            let expected = UInt32(table.strings.count)
            try check(table.intern(try reader.readString(limit: maximumStringBytes)) == expected, "a string twice")
        }
        for _ in 0..<(try count(&reader)) {
            guard let kind = ModuleIdentity.Kind(rawValue: try reader.readUInt8()) else {
                throw SegmentError(detail: "a module of an unknown kind")
            }
            let identity = ModuleIdentity(
                kind: kind, bytes: try reader.readPrefixedBytes(limit: ModuleIdentity.maximumBytes))
            let name = try reader.readString(limit: maximumStringBytes)
            let expected = UInt32(table.modules.count)
            try check(table.intern(Module(identity: identity, name: name)) == expected, "a module twice")
        }

        let frameCount = try count(&reader)
        var frames: [Frame] = []
        for _ in 0..<frameCount {
            guard let kind = Frame.Kind(rawValue: try reader.readUInt8()) else {
                throw SegmentError(detail: "a frame of an unknown kind")
            }
            frames.append(Frame(kind: kind))
        }
        let limits = [table.strings.count, table.modules.count, table.strings.count]
        for (index, limit) in zip([\Frame.name, \Frame.module, \Frame.file], limits) {
            for position in frames.indices {
                let value = try reader.readVarint()
                try check(value <= UInt64(limit), "a frame refers to entry \(value) of \(limit)")
                frames[position][keyPath: index] = UInt32(value) &- 1
            }
        }
        for position in frames.indices { frames[position].line = UInt32(truncatingIfNeeded: try reader.readVarint()) }
        var address: UInt64 = 0
        for position in frames.indices {
            address &+= UInt64(bitPattern: try reader.readSignedVarint())
            frames[position].address = address
            let expected = UInt32(table.frames.count)
            try check(table.intern(frames[position]) == expected, "a frame twice")
        }

        let nodeCount = try count(&reader)
        let firstNode = table.nodes.count
        var parents: [UInt32] = []
        for index in 0..<nodeCount {
            let distance = try reader.readVarint()
            let before = UInt64(firstNode + index - 1)
            try check(distance <= before, "a node's parent lies before the root")
            parents.append(UInt32(before - distance))
        }
        var frame: Int64 = 0
        for parent in parents {
            frame &+= try reader.readSignedVarint()
            try check(frame >= 0 && frame < Int64(table.frames.count), "a node refers to frame \(frame)")
            let expected = UInt32(table.nodes.count)
            try check(table.intern(parent: parent, frame: UInt32(frame)) == expected, "a node twice")
        }
        try check(reader.isAtEnd, "\(reader.remaining) bytes follow the last node")
    }

    private static func count(_ reader: inout ByteReader) throws -> Int {
        let count = try reader.readVarint()
        // Each entry takes at least one byte.
        guard count <= UInt64(maximumEntries), count <= UInt64(reader.remaining) else {
            throw SegmentError(detail: "\(count) entries in \(reader.remaining) bytes")
        }
        return Int(count)
    }
}

/// What is wrong with bytes that were read back.
struct SegmentError: Error, CustomStringConvertible {
    var detail: String
    var description: String { detail }
}
