internal import ByteCoding
internal import Compression

extension Pprof {
    /// A file as pprof writes it: the message, gzipped.
    public func file() -> [UInt8] { Gzip.compress(message()) }

    /// The message alone. Ids count from 1, strings stand in the order of their first use.
    public func message() -> [UInt8] {
        var strings = StringTable()
        var body = ByteWriter()
        for type in sampleTypes { body.message(1) { type.encode(to: &$0, &strings) } }
        for sample in samples {
            body.message(2) { writer in
                writer.packed(1, sample.locations.map { UInt64($0 + 1) })
                writer.packed(2, sample.values.map { UInt64(bitPattern: $0) })
                for label in sample.labels {
                    writer.message(3) {
                        $0.field(1, strings.index(of: label.key))
                        $0.field(2, strings.index(of: label.text))
                        $0.field(3, UInt64(bitPattern: label.number))
                        $0.field(4, strings.index(of: label.unit))
                    }
                }
            }
        }
        for (index, mapping) in mappings.enumerated() {
            body.message(3) {
                $0.field(1, UInt64(index + 1))
                $0.field(2, mapping.memoryStart)
                $0.field(3, mapping.memoryLimit)
                $0.field(4, mapping.fileOffset)
                $0.field(5, strings.index(of: mapping.file))
                $0.field(6, strings.index(of: mapping.buildID))
                $0.field(7, mapping.hasFunctions ? 1 : 0)
                $0.field(8, mapping.hasFileNames ? 1 : 0)
                $0.field(9, mapping.hasLineNumbers ? 1 : 0)
                $0.field(10, mapping.hasInlineFrames ? 1 : 0)
            }
        }
        for (index, location) in locations.enumerated() {
            body.message(4) { writer in
                writer.field(1, UInt64(index + 1))
                writer.field(2, UInt64((location.mapping ?? -1) + 1))
                writer.field(3, location.address)
                for line in location.lines {
                    writer.message(4) {
                        $0.field(1, UInt64(line.function + 1))
                        $0.field(2, UInt64(bitPattern: line.line))
                        $0.field(3, UInt64(bitPattern: line.column))
                    }
                }
                writer.field(5, location.isFolded ? 1 : 0)
            }
        }
        for (index, function) in functions.enumerated() {
            body.message(5) {
                $0.field(1, UInt64(index + 1))
                $0.field(2, strings.index(of: function.name))
                $0.field(3, strings.index(of: function.systemName))
                $0.field(4, strings.index(of: function.file))
                $0.field(5, UInt64(bitPattern: function.startLine))
            }
        }
        body.field(7, strings.index(of: dropFrames))
        body.field(8, strings.index(of: keepFrames))
        body.field(9, UInt64(bitPattern: timeNanoseconds))
        body.field(10, UInt64(bitPattern: durationNanoseconds))
        if let periodType { body.message(11) { periodType.encode(to: &$0, &strings) } }
        body.field(12, UInt64(bitPattern: period))
        body.packed(13, comments.map { strings.index(of: $0) })
        body.field(14, strings.index(of: defaultSampleType))
        body.field(15, strings.index(of: documentation))
        for string in strings.strings {
            body.writeVarint(6 << 3 | 2)
            body.writeString(string)
        }
        return body.bytes
    }
}

extension Pprof.ValueType {
    fileprivate func encode(to writer: inout ByteWriter, _ strings: inout StringTable) {
        writer.field(1, strings.index(of: type))
        writer.field(2, strings.index(of: unit))
    }
}

/// The table of strings, whose first is the empty one.
private struct StringTable {
    private(set) var strings = [""]
    private var indices: [String: UInt64] = ["": 0]

    mutating func index(of string: String) -> UInt64 {
        if let known = indices[string] { return known }
        let index = UInt64(strings.count)
        strings.append(string)
        indices[string] = index
        return index
    }
}

/// Fields of a protobuf message (protobuf.dev, "Encoding"): a tag is number and wire type, 0 for varints and 2 for what
/// has a length.
extension ByteWriter {
    /// A varint; zero is the default and is left away.
    fileprivate mutating func field(_ number: UInt64, _ value: UInt64) {
        guard value != 0 else { return }
        writeVarint(number << 3)
        writeVarint(value)
    }

    fileprivate mutating func message(_ number: UInt64, _ write: (inout ByteWriter) -> Void) {
        var inner = ByteWriter()
        write(&inner)
        writeVarint(number << 3 | 2)
        writePrefixedBytes(inner.bytes)
    }

    fileprivate mutating func packed(_ number: UInt64, _ values: [UInt64]) {
        guard !values.isEmpty else { return }
        message(number) { for value in values { $0.writeVarint(value) } }
    }
}
