internal import Profiles

extension ForeignSamples {
    /// speedscope's file format, sampled profiles and evented ones. Time is CPU time unless the facts name another type;
    /// bytes and bare numbers are types of their own, under the profile's name. Where this project wrote the file, its
    /// stacks begin with process and thread.
    public init(speedscope bytes: [UInt8], facts: ImportFacts) throws(FormatError) {
        self.init()
        let (service, host) = try facts.named()
        samplesPerSecond = facts.samplesPerSecond
        let file = try JSONText.parse(bytes)
        guard file["$schema"]?.string == Speedscope.schema, let list = file["shared"]?["frames"]?.array,
            let profiles = file["profiles"]?.array
        else { throw FormatError(.whole, "no speedscope file: $schema, shared.frames or profiles are missing") }
        let isOwn = file["exporter"]?.string?.hasPrefix(Speedscope.exporter) == true
        var frames: [ForeignFrame] = []
        for (index, frame) in list.enumerated() {
            guard let name = frame["name"]?.string else { throw FormatError(.whole, "frame \(index) has no name") }
            frames.append(Self.frame(name, file: frame["file"]?.string ?? "", line: frame["line"]?.integer ?? 0))
        }
        let known = frames.map { intern($0) }
        try checkMemory(.whole)
        for (index, profile) in profiles.enumerated() {
            func failed(_ reason: String) -> FormatError { FormatError(.whole, "profile \(index): \(reason)") }
            let name = profile["name"]?.string ?? ""
            let factors: [String: Double] = [
                "nanoseconds": 1, "microseconds": 1e3, "milliseconds": 1e6, "seconds": 1e9,
            ]
            let unit = profile["unit"]?.string ?? "none"
            let factor = factors[unit]
            let type: ProfileType =
                if factor != nil {
                    facts.type.map { ProfileType(name: $0, unit: "nanoseconds") }
                        ?? (isOwn && !name.isEmpty ? ProfileType(name: name, unit: "nanoseconds") : .cpu)
                } else if unit == "none", facts.type == nil || facts.type == ProfileType.cpu.name, !isOwn {
                    .cpu
                } else {
                    ProfileType(
                        name: facts.type ?? (name.isEmpty ? unit : name), unit: unit == "none" ? "count" : unit)
                }
            let scale = factor ?? (type == .cpu ? facts.nanosecondsPerSample : 1)
            let key = SeriesKey(service: service, version: "", labels: facts.labels.sorted(), type: type)
            var longest = 0.0
            try Self.eachPart(of: profile, frames: frames.count, failed) { (indices, weight) throws(FormatError) in
                let value = weight * scale
                guard value >= 0, value < 9e18 else { throw failed("a weight is \(weight)") }
                longest += value
                var stack = indices[...]
                var (process, thread) = (isOwn || name.isEmpty ? service : name, isOwn || name.isEmpty ? service : name)
                if isOwn, stack.count >= 2 {
                    (process, thread) = (frames[stack[0]].name, frames[stack[1]].name)
                    stack = stack.dropFirst(2)
                }
                guard value > 0 else { return }
                let samples = type == .cpu ? max(1, (value / facts.nanosecondsPerSample).rounded()) : 1
                let node = intern(process: process, thread: thread, known: stack.lazy.map { known[$0] })
                add(node, host: host, key: key, samples: UInt64(samples), weight: UInt64(value.rounded()))
                do throws(FormatError) { try checkMemory(.whole) } catch { throw failed(error.reason) }
            }
            if factor != nil, !isOwn, longest > 0 {
                durationNanoseconds = max(durationNanoseconds ?? 0, Int64(min(longest, 9e18)))
            }
        }
        self = try checked()
    }

    /// Stacks as indices of frames, root first, with their weights.
    ///
    /// - Parameter frames: how many there are.
    private static func eachPart(
        of profile: JSONText, frames count: Int, _ failed: (String) -> FormatError,
        _ body: (_ stack: [Int], _ weight: Double) throws(FormatError) -> Void
    ) throws(FormatError) {
        func number(_ value: JSONText?, _ word: String) throws(FormatError) -> Double {
            guard let number = value?.number else { throw failed("\(word) is no number") }
            return number
        }
        func index(_ value: JSONText?) throws(FormatError) -> Int {
            guard let index = value?.integer else { throw failed("a frame's index is no whole number") }
            guard index >= 0, index < count else { throw failed("frame \(index) does not exist") }
            return index
        }
        switch profile["type"]?.string {
        case "sampled":
            guard let samples = profile["samples"]?.array, let weights = profile["weights"]?.array,
                samples.count == weights.count
            else { throw failed("samples and weights are not as many") }
            for (sample, weight) in zip(samples, weights) {
                guard let list = sample.array else { throw failed("a sample is no list of frames") }
                var stack: [Int] = []
                for one in list { stack.append(try index(one)) }
                try body(stack, try number(weight, "a weight"))
            }
        case "evented":
            guard let events = profile["events"]?.array else { throw failed("events are missing") }
            var open: [Int] = []
            var frames = 0
            var last = try number(profile["startValue"], "startValue")
            for event in events {
                let (at, frame) = (try number(event["at"], "an event's time"), try index(event["frame"]))
                guard at >= last else { throw failed("an event lies before the one before it") }
                if at > last, !open.isEmpty {
                    frames += open.count
                    guard frames <= Limits.eventedFrames else { throw failed("too many events in deep stacks") }
                    try body(open, at - last)
                }
                last = at
                switch event["type"]?.string {
                case "O":
                    guard open.count < Limits.depth * 4 else { throw failed("a stack is too deep") }
                    open.append(frame)
                case "C":
                    guard open.popLast() == frame else {
                        throw failed("frame \(frame) is closed and is not the last one")
                    }
                default: throw failed("an event is neither O nor C")
                }
            }
            guard open.isEmpty else { throw failed("\(open.count) frames are never closed") }
        default: throw failed("its type is neither sampled nor evented")
        }
    }

    private static func frame(_ name: String, file: String, line: Int) -> ForeignFrame {
        if name == Frame.truncatedMarker || Frame.brokenReason(ofMarker: name) != nil {
            return ForeignFrame(kind: .marker, name: name)
        }
        return ForeignFrame(name: name, file: file, line: UInt32(clamping: line))
    }

    /// V8's CPU profile (Chrome DevTools protocol, Profiler.Profile; node --cpu-prof): a tree of functions, and which of
    /// them ran for how many microseconds. What V8 calls idle is no CPU time.
    public init(v8Profile bytes: [UInt8], facts: ImportFacts) throws(FormatError) {
        self.init()
        let (service, host) = try facts.named()
        samplesPerSecond = facts.samplesPerSecond
        let file = try JSONText.parse(bytes)
        guard let nodes = file["nodes"]?.array else { throw FormatError(.whole, "no V8 profile: nodes are missing") }
        let type =
            facts.type.map { $0 == ProfileType.cpu.name ? .cpu : ProfileType(name: $0, unit: "nanoseconds") } ?? .cpu
        let key = SeriesKey(service: service, version: "", labels: facts.labels.sorted(), type: type)
        var place: [Int: Int] = [:]
        for (index, node) in nodes.enumerated() {
            guard let id = node["id"]?.integer, place.updateValue(index, forKey: id) == nil else {
                throw FormatError(.whole, "node \(index) has no id of its own")
            }
        }
        var parent = [Int](repeating: -1, count: nodes.count)
        for (index, node) in nodes.enumerated() {
            for child in node["children"]?.array ?? [] {
                guard let id = child.integer, let found = place[id], parent[found] < 0, found != index else {
                    throw FormatError(.whole, "node \(index) has a child that does not exist or has a parent already")
                }
                parent[found] = index
            }
        }
        // A way up that comes back to itself is no tree.
        var seen = [Int](repeating: -1, count: nodes.count)
        for index in nodes.indices {
            var above = index
            while above >= 0, seen[above] < 0 {
                seen[above] = index
                above = parent[above]
            }
            guard above < 0 || seen[above] != index else {
                throw FormatError(.whole, "node \(above) is its own parent")
            }
        }
        func frame(_ node: JSONText) -> (frame: ForeignFrame, name: String) {
            let call = node["callFrame"]
            let name = call?["functionName"]?.string ?? ""
            let line = (call?["lineNumber"]?.integer ?? -1) + 1
            return (
                ForeignFrame(
                    kind: .interpreted, name: name.isEmpty ? "(anonymous)" : name, file: call?["url"]?.string ?? "",
                    line: UInt32(clamping: line)), name
            )
        }
        var known: [(frame: UInt32, name: String)] = []
        for node in nodes {
            let (one, name) = frame(node)
            known.append((intern(one), name))
        }
        /// Stacks by node, made when they are first asked for.
        var stacks: [Int: (node: UInt32, isIdle: Bool)] = [:]
        func stack(_ index: Int, _ samples: inout ForeignSamples) throws(FormatError) -> (node: UInt32, isIdle: Bool) {
            if let found = stacks[index] { return found }
            // The leaf first; of a stack that is too deep no more is made than is kept.
            var path: [UInt32] = []
            var above = index
            while above >= 0, path.count <= Limits.depth {
                if known[above].name != "(root)" { path.append(known[above].frame) }
                above = parent[above]
            }
            let found = (
                samples.intern(process: service, thread: service, known: path.reversed()),
                known[index].name == "(idle)"
            )
            stacks[index] = found
            do throws(FormatError) { try samples.checkMemory(.whole) } catch {
                throw FormatError(.whole, "node \(index): \(error.reason)")
            }
            return found
        }
        var idle = 0
        if let ids = file["samples"]?.array, let deltas = file["timeDeltas"]?.array {
            guard ids.count == deltas.count else { throw FormatError(.whole, "samples and timeDeltas are not as many") }
            isTimed = true
            var time = 0.0
            for (id, delta) in zip(ids, deltas) {
                guard let index = id.integer.flatMap({ place[$0] }), let delta = delta.number, delta.magnitude < 1e15
                else {
                    throw FormatError(.whole, "a sample of a node that does not exist, or without a time")
                }
                time += delta
                let found = try stack(index, &self)
                if found.isIdle {
                    idle += 1
                } else {
                    add(
                        found.node, host: host, key: key, at: Int64(max(0, min(time, 9e15)) * 1000), samples: 1,
                        weight: UInt64(max(0, delta) * 1000))
                    try checkMemory(.whole)
                }
            }
            durationNanoseconds = Int64(max(0, min(time, 9e15)) * 1000)
        } else {
            for (index, node) in nodes.enumerated() {
                guard let hits = node["hitCount"]?.integer, hits > 0 else { continue }
                let found = try stack(index, &self)
                if found.isIdle {
                    idle = idle.addingReportingOverflow(hits).overflow ? Int.max : idle + hits
                } else {
                    add(
                        found.node, host: host, key: key, samples: UInt64(hits),
                        weight: UInt64(min(9e18, Double(hits) * facts.nanosecondsPerSample)))
                }
            }
        }
        if idle > 0 { notes.append("\(idle) samples of an idle thread are no CPU time and were left away") }
        self = try checked()
    }
}
