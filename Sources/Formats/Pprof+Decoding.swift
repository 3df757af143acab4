internal import ByteCoding
internal import Compression

extension Pprof {
    /// Reads a file, gzipped or not, and holds it against every rule that pprof itself holds it against.
    public init(file: [UInt8]) throws(FormatError) {
        guard Gzip.isGzip(file) else {
            try self.init(message: file)
            return
        }
        let message: [UInt8]
        do { message = try Gzip.decompress(file, limit: ForeignSamples.Limits.bytes) } catch {
            throw FormatError(.whole, "\(error)")
        }
        try self.init(message: message)
    }

    init(message: [UInt8]) throws(FormatError) {
        guard !message.isEmpty else { throw FormatError(.whole, "it is empty") }
        self.init()
        var raw = RawProfile()
        try raw.read(message)
        try raw.resolve(into: &self)
    }
}

/// The messages with indices and ids as they are written.
private struct RawProfile {
    var profile = Pprof()
    var strings: [String] = []
    /// Messages that name strings, to be read once all strings are known: tags and where they lie.
    var sampleTypes: [[UInt64: UInt64]] = []
    var periodType: [UInt64: UInt64]?
    var samples: [(locations: [UInt64], values: [Int64], labels: [[UInt64: UInt64]], offset: Int)] = []
    var mappings: [(fields: [UInt64: UInt64], offset: Int)] = []
    var locations: [(fields: [UInt64: UInt64], lines: [[UInt64: UInt64]], offset: Int)] = []
    var functions: [(fields: [UInt64: UInt64], offset: Int)] = []
    var scalars: [UInt64: UInt64] = [:]
    var comments: [UInt64] = []
    private var budget = MemoryBudget()

    /// Numbers of a message that stands in a table, and what is made of them in the end.
    private mutating func entry(_ bytes: [UInt8], from start: Int) throws(FormatError) -> [UInt64: UInt64] {
        let fields = try Fields.scalars(bytes, from: start)
        try budget.take(96 + 64 * fields.count, at: .offset(start))
        return fields
    }

    private mutating func packed(_ bytes: [UInt8], from start: Int) throws(FormatError) -> [UInt64] {
        // Each number ends with a byte below 128.
        let count = bytes.reduce(0) { $0 + ($1 < 0x80 ? 1 : 0) }
        try budget.take(16 * count, at: .offset(start))
        return try Fields.packed(bytes, count: count, from: start)
    }

    mutating func read(_ bytes: [UInt8]) throws(FormatError) {
        try Fields.each(of: bytes, from: 0) { (number, value, inner, start) throws(FormatError) in
            switch (number, inner) {
            case (1, let inner?): sampleTypes.append(try entry(inner, from: start))
            case (2, let inner?): samples.append(try sample(inner, from: start))
            case (3, let inner?): mappings.append((try entry(inner, from: start), start))
            case (4, let inner?):
                var lines: [[UInt64: UInt64]] = []
                var fields: [UInt64: UInt64] = [:]
                try Fields.each(of: inner, from: start) { (number, value, line, start) throws(FormatError) in
                    if number == 4, let line { lines.append(try entry(line, from: start)) }
                    if line == nil, number <= Fields.highest { fields[number] = value }
                }
                try budget.take(128 + 64 * fields.count, at: .offset(start))
                locations.append((fields, lines, start))
            case (5, let inner?): functions.append((try entry(inner, from: start), start))
            case (6, let inner?):
                guard let string = String(validating: inner, as: UTF8.self) else {
                    throw FormatError(.offset(start), "a string is not UTF-8")
                }
                try budget.take(32 + (inner.count > 15 ? 32 + inner.count : 0), at: .offset(start))
                strings.append(string)
            case (11, let inner?): periodType = try Fields.scalars(inner, from: start)
            case (13, let inner?): comments += try packed(inner, from: start)
            case (13, nil):
                try budget.take(32, at: .offset(start))
                comments.append(value)
            case (1...6, nil), (11, nil): throw FormatError(.offset(start), "field \(number) has the wrong wire type")
            case (7...15, _?): throw FormatError(.offset(start), "field \(number) has the wrong wire type")
            case (_, nil):
                if number == 9, scalars[9] != nil {
                    throw FormatError(.offset(start), "a second time_nanos: these are two profiles in one file")
                }
                if number <= Fields.highest { scalars[number] = value }
            default: break
            }
        }
    }

    private mutating func sample(
        _ bytes: [UInt8], from start: Int
    ) throws(FormatError) -> (locations: [UInt64], values: [Int64], labels: [[UInt64: UInt64]], offset: Int) {
        var locations: [UInt64] = []
        var values: [Int64] = []
        var labels: [[UInt64: UInt64]] = []
        try Fields.each(of: bytes, from: start) { (number, value, inner, start) throws(FormatError) in
            switch number {
            case 1, 2:
                var found = [value]
                if let inner {
                    found = try packed(inner, from: start)
                } else {
                    try budget.take(32, at: .offset(start))
                }
                if number == 1 { locations += found } else { values += found.map { Int64(bitPattern: $0) } }
            case 3:
                guard let inner else { throw FormatError(.offset(start), "a label has the wrong wire type") }
                labels.append(try entry(inner, from: start))
            default: break
            }
        }
        try budget.take(192, at: .offset(start))
        return (locations, values, labels, start)
    }

    func resolve(into profile: inout Pprof) throws(FormatError) {
        if let first = strings.first, !first.isEmpty { throw FormatError(.whole, "the first string is not empty") }
        func string(_ index: UInt64?, _ place: Int? = nil) throws(FormatError) -> String {
            guard let index, index != 0 else { return "" }
            guard index < UInt64(strings.count) else {
                throw FormatError(
                    place.map { .offset($0) } ?? .whole, "string \(index) of \(strings.count) does not exist")
            }
            return strings[Int(index)]
        }
        func signed(_ value: UInt64?) -> Int64 { Int64(bitPattern: value ?? 0) }
        func type(_ fields: [UInt64: UInt64]) throws(FormatError) -> Pprof.ValueType {
            Pprof.ValueType(type: try string(fields[1]), unit: try string(fields[2]))
        }
        func table(_ ids: [(id: UInt64?, offset: Int)], _ word: String) throws(FormatError) -> [UInt64: Int] {
            var table: [UInt64: Int] = [:]
            for (index, entry) in ids.enumerated() {
                guard let id = entry.id, id != 0 else {
                    throw FormatError(.offset(entry.offset), "a \(word) has no id")
                }
                guard table.updateValue(index, forKey: id) == nil else {
                    throw FormatError(.offset(entry.offset), "\(word) \(id) is there twice")
                }
            }
            return table
        }
        for fields in sampleTypes { profile.sampleTypes.append(try type(fields)) }
        if let periodType { profile.periodType = try type(periodType) }
        let mappingIndex = try table(mappings.map { ($0.fields[1], $0.offset) }, "mapping")
        for (fields, offset) in mappings {
            var mapping = Pprof.Mapping()
            (mapping.memoryStart, mapping.memoryLimit) = (fields[2] ?? 0, fields[3] ?? 0)
            mapping.fileOffset = fields[4] ?? 0
            mapping.file = try string(fields[5], offset)
            mapping.buildID = try string(fields[6], offset)
            mapping.hasFunctions = fields[7] ?? 0 != 0
            mapping.hasFileNames = fields[8] ?? 0 != 0
            mapping.hasLineNumbers = fields[9] ?? 0 != 0
            mapping.hasInlineFrames = fields[10] ?? 0 != 0
            profile.mappings.append(mapping)
        }
        let functionIndex = try table(functions.map { ($0.fields[1], $0.offset) }, "function")
        for (fields, offset) in functions {
            profile.functions.append(
                Pprof.Function(
                    name: try string(fields[2], offset), systemName: try string(fields[3], offset),
                    file: try string(fields[4], offset), startLine: signed(fields[5])))
        }
        let locationIndex = try table(locations.map { ($0.fields[1], $0.offset) }, "location")
        for location in locations {
            var lines: [Pprof.Line] = []
            for line in location.lines {
                guard let function = functionIndex[line[1] ?? 0] else {
                    throw FormatError(
                        .offset(location.offset), "a line names function \(line[1] ?? 0), which does not exist")
                }
                lines.append(Pprof.Line(function: function, line: signed(line[2]), column: signed(line[3])))
            }
            profile.locations.append(
                Pprof.Location(
                    mapping: mappingIndex[location.fields[2] ?? 0], address: location.fields[3] ?? 0, lines: lines,
                    isFolded: location.fields[5] ?? 0 != 0))
        }
        guard samples.isEmpty || !sampleTypes.isEmpty else { throw FormatError(.whole, "samples without a type") }
        for sample in samples {
            guard sample.values.count == sampleTypes.count else {
                throw FormatError(
                    .offset(sample.offset),
                    "a sample has \(sample.values.count) values, of \(sampleTypes.count) types")
            }
            var stack: [Int] = []
            stack.reserveCapacity(sample.locations.count)
            for id in sample.locations {
                guard let index = locationIndex[id] else {
                    throw FormatError(.offset(sample.offset), "a sample names location \(id), which does not exist")
                }
                stack.append(index)
            }
            var labels: [Pprof.Label] = []
            for fields in sample.labels {
                var label = Pprof.Label(
                    key: try string(fields[1], sample.offset), text: try string(fields[2], sample.offset))
                label.number = signed(fields[3])
                label.unit = try string(fields[4], sample.offset)
                if !label.text.isEmpty || label.number != 0 || !label.unit.isEmpty { labels.append(label) }
            }
            profile.samples.append(Pprof.Sample(locations: stack, values: sample.values, labels: labels))
        }
        profile.dropFrames = try string(scalars[7])
        profile.keepFrames = try string(scalars[8])
        profile.timeNanoseconds = signed(scalars[9])
        profile.durationNanoseconds = signed(scalars[10])
        profile.period = signed(scalars[12])
        for index in comments { profile.comments.append(try string(index)) }
        profile.defaultSampleType = try string(scalars[14])
        profile.documentation = try string(scalars[15])
    }
}

/// Fields of a protobuf message: a tag is number and wire type; 0 is a varint, 1 eight bytes, 2 what has a length, 5 four
/// bytes.
private enum Fields {
    /// The highest number that any message has; what stands beyond it is skipped.
    static let highest: UInt64 = 15

    typealias Body = (_ number: UInt64, _ value: UInt64, _ inner: [UInt8]?, _ start: Int) throws(FormatError) -> Void

    /// - Parameter start: where the message begins in the file, for errors.
    static func each(of bytes: [UInt8], from start: Int, _ body: Body) throws(FormatError) {
        var reader = unsafe ByteReader(bytes.span.bytes)
        while !reader.isAtEnd {
            let place = start + reader.offset
            var value: UInt64 = 0
            var inner: [UInt8]?
            let tag: UInt64
            do throws(ByteCodingError) {
                tag = try reader.readVarint()
                switch tag & 7 {
                case 0: value = try reader.readVarint()
                case 1: value = try reader.readUInt64()
                case 2: inner = try reader.readPrefixedBytes(limit: bytes.count)
                case 5: value = UInt64(try reader.readUInt32())
                default: break
                }
            } catch {
                throw FormatError(.offset(place), "a field of the message: \(error)")
            }
            guard tag >> 3 > 0, [0, 1, 2, 5].contains(tag & 7) else {
                throw FormatError(.offset(place), "this is no field of a protobuf message")
            }
            try body(tag >> 3, value, inner, inner.map { start + reader.offset - $0.count } ?? place)
        }
    }

    /// The last value of each field that is a number.
    static func scalars(_ bytes: [UInt8], from start: Int) throws(FormatError) -> [UInt64: UInt64] {
        var fields: [UInt64: UInt64] = [:]
        try each(of: bytes, from: start) { (number, value, inner, _) throws(FormatError) in
            if inner == nil, number <= highest { fields[number] = value }
        }
        return fields
    }

    static func packed(_ bytes: [UInt8], count: Int, from start: Int) throws(FormatError) -> [UInt64] {
        var reader = unsafe ByteReader(bytes.span.bytes)
        var values: [UInt64] = []
        values.reserveCapacity(count)
        while !reader.isAtEnd {
            do throws(ByteCodingError) { values.append(try reader.readVarint()) } catch {
                throw FormatError(.offset(start + reader.offset), "packed numbers: \(error)")
            }
        }
        return values
    }
}
