internal import Analysis
public import Profiles

extension Pprof {
    /// Labels of every sample beside those of its series.
    package enum LabelKey {
        package static let host = "host"
        package static let service = "service"
        package static let version = "version"
        package static let process = "process"
        package static let thread = "thread"
    }

    /// Samples of one type, added up by host, series and stack. Mappings begin at address 0, so that addresses are those
    /// of the file's own address space; where nothing but the address is known, a location has no line.
    ///
    /// - Parameters:
    ///   - range: what was really covered; the samples' own range where it is nil.
    ///   - depth: locations kept per stack, counted from the leaf.
    ///   - comments: remarks for people.
    public init(
        of samples: SampleSet, symbolizer: some Symbolizer, range: TimeRange? = nil, depth: Int = .max,
        comments: [String] = []
    ) {
        self.init()
        let type = samples.slices.first.map { samples.keys[Int($0.key)].type } ?? .cpu
        sampleTypes = [ValueType(type: "samples", unit: "count"), ValueType(type: type.name, unit: type.unit)]
        defaultSampleType = type.name
        self.comments = comments
        if let range = range ?? samples.range {
            timeNanoseconds = range.start.nanoseconds
            durationNanoseconds = range.end.nanoseconds &- range.start.nanoseconds
        }
        periodType = sampleTypes[1]
        if let rate = samples.slices.first?.samplesPerSecond, type == .cpu,
            samples.slices.allSatisfy({ $0.samplesPerSecond == rate })
        {
            period = Int64((1e9 / rate).rounded())
        } else if samples.sampleCount > 0 {
            period = Int64(clamping: samples.totalWeight / samples.sampleCount)
        }

        let source = SourceLocations(samples, symbolizer: symbolizer)
        addTables(of: source)
        var truncated: Int?
        for (group, count) in Self.sums(samples) {
            var stack = source.locations(of: group.node).map { Int($0) }
            let codeCount = stack.prefix { source.locations[$0].kind != .marker }.count
            if codeCount > depth {
                stack = Array(stack.prefix(depth))
                let marker = truncated ?? addLocation(named: Frame.truncatedMarker)
                truncated = marker
                stack.append(marker)
            }
            self.samples.append(
                Sample(
                    locations: stack, values: [Int64(clamping: count.samples), Int64(clamping: count.weight)],
                    labels: Self.labels(of: group, in: samples)))
        }
    }

    private mutating func addTables(of source: SourceLocations) {
        functions = source.functions.map { Function(name: $0.name, systemName: $0.name, file: $0.file) }
        mappings = source.mappings.map { module in
            var mapping = Mapping()
            mapping.file = module.name
            mapping.buildID = Self.buildID(of: module.identity)
            return mapping
        }
        for location in source.locations {
            let mapping = location.mapping == Frame.none ? nil : Int(location.mapping)
            if let mapping {
                let end = location.address | 0xFFF
                mappings[mapping].memoryLimit = max(mappings[mapping].memoryLimit, end == .max ? end : end + 1)
                for line in location.lines {
                    mappings[mapping].hasFunctions = true
                    if !functions[Int(line.function)].file.isEmpty { mappings[mapping].hasFileNames = true }
                    if line.line > 0 { mappings[mapping].hasLineNumbers = true }
                    if line.isInlined { mappings[mapping].hasInlineFrames = true }
                }
            }
            locations.append(
                Location(
                    mapping: mapping, address: location.address,
                    lines: location.lines.map { Line(function: Int($0.function), line: Int64($0.line)) }))
        }
    }

    private mutating func addLocation(named name: String) -> Int {
        functions.append(Function(name: name, systemName: name, file: ""))
        locations.append(
            Location(mapping: nil, address: 0, lines: [Line(function: functions.count - 1, line: 0)]))
        return locations.count - 1
    }

    /// A digest in place of a build ID says so, so that nobody looks for a file of that ID.
    static func buildID(of identity: ModuleIdentity) -> String {
        let digits = identity.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return switch identity.kind {
        case .buildID: digits
        case .contentDigest: digestPrefix + digits
        case .name: ""
        }
    }

    static let digestPrefix = "sha256-"

    struct Group: Hashable {
        var host: UInt32
        var key: UInt32
        var node: UInt32
    }

    /// What each stack of each series of each host adds up to over all windows, in the order in which they first come.
    static func sums(_ samples: SampleSet) -> [(group: Group, count: (samples: UInt64, weight: UInt64))] {
        var place: [Group: Int] = [:]
        var sums: [(group: Group, count: (samples: UInt64, weight: UInt64))] = []
        for slice in samples.slices {
            let stacks = slice.stacks
            for (index, node) in stacks.nodes.enumerated() {
                let group = Group(host: slice.host, key: slice.key, node: node)
                let known = place[group] ?? sums.count
                if known == sums.count {
                    place[group] = known
                    sums.append((group, (0, 0)))
                }
                sums[known].count.samples &+= stacks.counts[index]
                sums[known].count.weight &+= stacks.weights[index]
            }
        }
        return sums
    }

    private static func labels(of group: Group, in samples: SampleSet) -> [Label] {
        let key = samples.keys[Int(group.key)]
        var labels = [
            Label(key: LabelKey.host, text: samples.hosts[Int(group.host)].name),
            Label(key: LabelKey.service, text: key.service),
        ]
        if !key.version.isEmpty { labels.append(Label(key: LabelKey.version, text: key.version)) }
        for frame in samples.stacks.stack(of: group.node).prefix(2) where frame.name != Frame.none {
            let name = samples.stacks.strings[Int(frame.name)]
            if frame.kind == .process { labels.append(Label(key: LabelKey.process, text: name)) }
            if frame.kind == .thread { labels.append(Label(key: LabelKey.thread, text: name)) }
        }
        for label in key.labels { labels.append(Label(key: label.name, text: label.value)) }
        // A label without a value is none to pprof.
        return labels.filter { !$0.text.isEmpty }
    }
}
