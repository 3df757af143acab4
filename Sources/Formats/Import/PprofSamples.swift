internal import Profiles

extension ForeignSamples {
    /// The samples of a pprof profile. Labels of samples give host, service, version, process and thread where the facts
    /// do not; all others become labels of the series.
    public init(_ pprof: Pprof, facts: ImportFacts) throws(FormatError) {
        self.init()
        start = pprof.timeNanoseconds > 0 ? Timestamp(nanoseconds: pprof.timeNanoseconds) : nil
        durationNanoseconds = pprof.durationNanoseconds > 0 ? pprof.durationNanoseconds : nil
        let columns = try Columns.of(pprof, facts: facts)
        if pprof.periodType?.type == "cpu", pprof.period > 0 { samplesPerSecond = 1e9 / Double(pprof.period) }

        let pieces = pprof.locations.map { location in Self.frames(of: location, in: pprof).map { intern($0) } }
        let dropped = Self.labelsWithTooManyValues(pprof)
        for key in dropped.sorted() {
            notes.append("label \(key) has more than \(Limits.labelValues) values and was left away")
        }
        for (index, sample) in pprof.samples.enumerated() {
            var text: [String: [String]] = [:]
            for label in sample.labels where !dropped.contains(label.key) {
                text[label.key, default: []].append(
                    label.text.isEmpty ? "\(label.number)\(label.unit.isEmpty ? "" : " \(label.unit)")" : label.text)
            }
            func take(_ key: String) -> String? { text.removeValue(forKey: key)?.first }
            let (host, service) = (take(Pprof.LabelKey.host), take(Pprof.LabelKey.service))
            guard let service = facts.service ?? service, let host = facts.host ?? host else {
                throw FormatError(
                    .whole, "its samples name no service and host; give --service and --host")
            }
            let version = take(Pprof.LabelKey.version) ?? ""
            let process = take(Pprof.LabelKey.process) ?? service
            let thread = take(Pprof.LabelKey.thread) ?? process
            for label in facts.labels { text[label.name] = [label.value] }
            let labels = text.map { Label(name: $0.key, value: $0.value.joined(separator: ",")) }.sorted()
            // The leaf first, so that of a stack that is too deep no more is made than is kept.
            var frames: [UInt32] = []
            for location in sample.locations where frames.count <= Limits.depth {
                frames += pieces[location].reversed().prefix(Limits.depth + 1)
            }
            let node = intern(process: process, thread: thread, known: frames.reversed())
            for column in columns {
                let value = sample.values[column.value]
                let count = column.count.map { sample.values[$0] } ?? (value == 0 ? 0 : column.isCount ? value : 1)
                guard value >= 0, count >= 0 else {
                    throw FormatError(.sample(index + 1), "a negative value: a difference can't be stored")
                }
                let (weight, overflow) = UInt64(value).multipliedReportingOverflow(by: column.factor)
                guard !overflow else { throw FormatError(.sample(index + 1), "too large a value") }
                add(
                    node, host: host,
                    key: SeriesKey(service: service, version: version, labels: labels, type: column.type),
                    samples: UInt64(count == 0 && value > 0 ? 1 : count), weight: weight)
            }
            try checkMemory(.sample(index + 1))
        }
        self = try checked()
    }

    /// A type of ours, and the sample type that its values come from.
    private struct Columns {
        var type: ProfileType
        var value: Int
        var count: Int?
        var factor: UInt64 = 1
        /// Whether the values themselves count samples.
        var isCount = false

        static func of(_ pprof: Pprof, facts: ImportFacts) throws(FormatError) -> [Columns] {
            let types = pprof.sampleTypes
            let factors: [String: UInt64] = [
                "nanoseconds": 1, "ns": 1, "microseconds": 1000, "us": 1000, "milliseconds": 1_000_000,
                "ms": 1_000_000, "seconds": 1_000_000_000, "s": 1_000_000_000,
            ]
            let counts = types.firstIndex { ["samples", "sample"].contains($0.type) && $0.unit == "count" }
            func column(_ index: Int) -> Columns {
                let one = types[index]
                let factor = factors[one.unit]
                return Columns(
                    type: ProfileType(name: one.type, unit: factor == nil ? one.unit : "nanoseconds"), value: index,
                    count: counts, factor: factor ?? 1, isCount: one.unit == "count")
            }
            if let asked = facts.type, let index = types.firstIndex(where: { $0.type == asked }) {
                return [column(index)]
            }
            if facts.type == nil || facts.type == ProfileType.cpu.name {
                if let cpu = types.firstIndex(where: { $0.type == "cpu" && factors[$0.unit] != nil }) {
                    return [column(cpu)]
                }
                if types.count == 1, let counts {
                    let period =
                        pprof.periodType?.type == "cpu" && pprof.period > 0
                        ? UInt64(pprof.period) : UInt64(facts.nanosecondsPerSample)
                    return [Columns(type: .cpu, value: counts, count: counts, factor: period)]
                }
            }
            if let asked = facts.type {
                let there = types.map(\.type).joined(separator: ", ")
                throw FormatError(.whole, "it has no samples of type '\(asked)'; there are: \(there)")
            }
            return types.indices.filter { $0 != counts }.map { column($0) }
        }
    }

    private static func labelsWithTooManyValues(_ pprof: Pprof) -> Set<String> {
        let own: Set = [
            Pprof.LabelKey.host, Pprof.LabelKey.service, Pprof.LabelKey.version, Pprof.LabelKey.process,
            Pprof.LabelKey.thread,
        ]
        var values: [String: Set<Pprof.Label>] = [:]
        for sample in pprof.samples {
            for label in sample.labels
            where !own.contains(label.key) && values[label.key]?.count ?? 0 <= Limits.labelValues {
                values[label.key, default: []].insert(label)
            }
        }
        return Set(values.filter { $0.value.count > Limits.labelValues }.keys)
    }

    private static func isMarker(_ location: Pprof.Location, in pprof: Pprof) -> Bool {
        guard location.mapping == nil, location.lines.count == 1 else { return false }
        let name = pprof.functions[location.lines[0].function].name
        return name == Frame.truncatedMarker || Frame.brokenReason(ofMarker: name) != nil
    }

    /// A location's frames, the outermost first.
    private static func frames(of location: Pprof.Location, in pprof: Pprof) -> [ForeignFrame] {
        let mapping = location.mapping.map { pprof.mappings[$0] }
        let address = mapping.map { fileAddress(location.address, in: $0) } ?? location.address
        let module = mapping.map { Self.module(of: $0, hasNames: !location.lines.isEmpty) }
        if location.lines.isEmpty { return [ForeignFrame(kind: .native, name: "", module: module, address: address)] }
        if isMarker(location, in: pprof) {
            return [ForeignFrame(kind: .marker, name: pprof.functions[location.lines[0].function].name)]
        }
        return location.lines.reversed().enumerated().map { (index: Int, line: Pprof.Line) -> ForeignFrame in
            let function = pprof.functions[line.function]
            let name = function.name.isEmpty ? function.systemName : function.name
            let number = UInt32(clamping: line.line)
            let isKernel = mapping?.file.hasPrefix("[kernel") == true && function.file.isEmpty && number == 0
            if isKernel, location.lines.count == 1 { return ForeignFrame(kind: .kernel, name: name, module: module) }
            return ForeignFrame(
                kind: index == 0 ? .function : .inlined, name: name, module: module, file: function.file, line: number,
                address: index == 0 ? address : 0)
        }
    }

    /// As an offset in the file where the mapping tells where it lies in memory.
    private static func fileAddress(_ address: UInt64, in mapping: Pprof.Mapping) -> UInt64 {
        address &- mapping.memoryStart &+ mapping.fileOffset
    }

    /// A module by its build ID. Where an address without a name is only an offset in the file, the module is known by
    /// its name alone, so that no symbol table names the wrong place.
    private static func module(of mapping: Pprof.Mapping, hasNames: Bool) -> Module {
        let name = mapping.file.isEmpty ? "[unknown]" : mapping.file
        let isOwnAddress = mapping.memoryStart == 0 && mapping.fileOffset == 0
        guard hasNames || isOwnAddress else { return Module(identity: .name, name: name) }
        let isDigest = mapping.buildID.hasPrefix(Pprof.digestPrefix)
        let digits = isDigest ? mapping.buildID.dropFirst(Pprof.digestPrefix.count) : mapping.buildID[...]
        guard let bytes = bytes(ofHex: digits), (2...ModuleIdentity.maximumBytes).contains(bytes.count) else {
            return Module(identity: .name, name: name)
        }
        let isWholeDigest = isDigest && bytes.count == 32
        return Module(
            identity: isDigest && !isWholeDigest
                ? .name : ModuleIdentity(kind: isDigest ? .contentDigest : .buildID, bytes: bytes), name: name)
    }

    private static func bytes(ofHex digits: Substring) -> [UInt8]? {
        let digits = Array(digits.utf8)
        guard !digits.isEmpty, digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16),
                digits[index] != 0x2B
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}
