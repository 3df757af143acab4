internal import Profiles

extension ForeignSamples {
    /// What `perf script` prints (perf 6.1). Every event is a type of its own: `cpu-clock` and `task-clock` are CPU time,
    /// with their period in nanoseconds; others count, with `--type cpu` every sample is 1 / rate seconds of CPU time. The
    /// samples of two events never become one type.
    public init(perfScript bytes: [UInt8], facts: ImportFacts) throws(FormatError) {
        self.init()
        let (service, host) = try facts.named()
        samplesPerSecond = facts.samplesPerSecond
        isTimed = true
        // A line has one frame, or the name of a command.
        var lines = TextLines(bytes, longest: 4 * Limits.nameBytes)
        var current: (header: Header, frames: [ForeignFrame])?
        var first: Int64?
        var last: Int64 = 0
        var key: [String: SeriesKey] = [:]
        var eventOfType: [ProfileType: String] = [:]
        var leftAway: [String: Int] = [:]
        func type(of event: String) -> ProfileType {
            if let asked = facts.type {
                return asked == ProfileType.cpu.name ? .cpu : ProfileType(name: asked, unit: "count")
            }
            return ["cpu-clock", "task-clock"].contains(event) ? .cpu : ProfileType(name: event, unit: "count")
        }
        func end(_ samples: inout ForeignSamples) throws(FormatError) {
            guard let (header, frames) = current else { return }
            current = nil
            if let event = facts.event, event != header.event {
                if leftAway[header.event] != nil || leftAway.count < Self.toldEvents {
                    leftAway[header.event, default: 0] += 1
                }
                return
            }
            let start = first ?? header.nanoseconds
            first = start
            last = max(last, header.nanoseconds - start)
            let one =
                key[header.event]
                ?? SeriesKey(
                    service: service, version: "", labels: facts.labels.sorted(), type: type(of: header.event))
            key[header.event] = one
            let event = eventOfType[one.type] ?? header.event
            eventOfType[one.type] = event
            guard event == header.event else {
                throw FormatError(
                    .line(lines.number),
                    "samples of '\(header.event)' would be added to those of '\(event)' as type '\(one.type.name)'; "
                        + "choose one by --event\(facts.type == nil ? "" : ", or leave --type away")")
            }
            let isClock = ["cpu-clock", "task-clock"].contains(header.event)
            let weight =
                one.type == .cpu
                ? (isClock ? header.period : nil) ?? UInt64(facts.nanosecondsPerSample) : header.period ?? 1
            let node = samples.intern(process: header.command, thread: header.command, frames.reversed())
            samples.add(node, host: host, key: one, at: header.nanoseconds - start, samples: 1, weight: weight)
            try samples.checkMemory(.line(lines.number))
        }
        // perf pads the command of a sample without call chain to 16 characters, and prints its one frame behind the event.
        var standsAlone = true
        while let raw = try lines.next() {
            var line = raw
            if standsAlone, raw.first == " ", Self.isPerfScriptHeader(raw) { line = String(raw.drop { $0 == " " }) }
            if line.isEmpty {
                try end(&self)
                standsAlone = true
            } else if line.hasPrefix("#") {
                continue
            } else if line.first == " " || line.first == "\t" {
                guard current != nil else { throw FormatError(.line(lines.number), "a frame without a sample") }
                // Of a stack that is too deep one more is kept, so that it counts as cut.
                let isFull = current.map { $0.frames.count > Limits.depth } ?? true
                if let frame = Self.frame(line) {
                    if !isFull { current?.frames.append(frame) }
                } else if let (file, number) = Self.sourceLine(line), let index = current?.frames.indices.last {
                    current?.frames[index].file = file
                    current?.frames[index].line = number
                } else {
                    throw FormatError(.line(lines.number), "neither a frame nor a source line")
                }
            } else {
                try end(&self)
                guard let (header, rest) = Header.read(line) else {
                    throw FormatError(.line(lines.number), "no header of a sample: COMM PID TIME: EVENT:")
                }
                current = (header, [])
                standsAlone = !rest.isEmpty
                if !rest.isEmpty {
                    guard let frame = Self.frame(" " + rest) else {
                        throw FormatError(.line(lines.number), "what follows the event is no frame")
                    }
                    current?.frames.append(frame)
                }
            }
        }
        try end(&self)
        durationNanoseconds = last
        if let event = facts.event, !leftAway.isEmpty {
            let there = leftAway.keys.sorted().joined(separator: ", ")
            guard key[event] != nil else {
                throw FormatError(.whole, "it has no samples of event '\(event)'; there are: \(there)")
            }
            notes.append("samples of other events were left away: \(there)")
        }
        self = try checked()
    }

    /// Names of events that a remark lists.
    private static let toldEvents = 20

    static func isPerfScriptHeader(_ line: String) -> Bool { Header.read(line) != nil }

    private struct Header {
        var command: String
        var nanoseconds: Int64
        var period: UInt64?
        var event: String

        /// `COMM PID[/TID] [CPU] SECONDS.MICROSECONDS: [PERIOD] EVENT: [FRAME]`; the command may hold spaces.
        static func read(_ line: String) -> (Header, rest: String)? {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            guard words.count >= 3 else { return nil }
            for index in words.indices.dropFirst().dropLast() where isTask(words[index]) {
                var next = index + 1
                if words[next].hasPrefix("["), words[next].hasSuffix("]") { next += 1 }
                guard next < words.endIndex, let time = nanoseconds(words[next]) else { continue }
                let command = line[..<words[index].startIndex].trimmedEnd()
                next += 1
                var period: UInt64?
                if next < words.endIndex, let number = UInt64(words[next]) {
                    period = number
                    next += 1
                }
                guard next < words.endIndex, words[next].hasSuffix(":") else { return nil }
                var event = words[next].dropLast()
                // Modifiers follow a colon, `cpu-clock:ppp`; a tracepoint has one in its name.
                if let colon = event.lastIndex(of: ":"),
                    event[event.index(after: colon)...].allSatisfy({ "ukhpPGHDSW".contains($0) })
                {
                    event = event[..<colon]
                }
                let rest = line[words[next].endIndex...].drop { $0 == " " }.trimmedEnd()
                return (Header(command: command, nanoseconds: time, period: period, event: String(event)), rest)
            }
            return nil
        }

        private static func isTask(_ word: Substring) -> Bool {
            let parts = word.split(separator: "/", omittingEmptySubsequences: false)
            return parts.count <= 2
                && parts.allSatisfy {
                    !$0.isEmpty && $0.utf8.count <= 10 && $0.utf8.allSatisfy { $0 >= 48 && $0 <= 57 }
                }
        }

        private static func nanoseconds(_ word: Substring) -> Int64? {
            guard word.hasSuffix(":") else { return nil }
            let parts = word.dropLast().split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 2, (1...9).contains(parts[1].utf8.count), parts[0].utf8.count <= 10,
                parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { $0 >= 48 && $0 <= 57 } }),
                let seconds = Int64(parts[0]),
                let fraction = Int64(parts[1] + String(repeating: "0", count: 9 - parts[1].utf8.count))
            else { return nil }
            let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            return overflow || product > .max - fraction ? nil : product + fraction
        }
    }

    /// White space, a hexadecimal address, `SYMBOL[+0xOFFSET]`, `(DSO)`.
    private static func frame(_ line: String) -> ForeignFrame? {
        let text = line.drop { $0 == " " || $0 == "\t" }
        guard let space = text.firstIndex(of: " "), let address = UInt64(text[..<space], radix: 16) else { return nil }
        var rest = text[text.index(after: space)...].trimmedEnd()[...]
        guard rest.hasSuffix(")") else { return nil }
        // The object's name may hold brackets itself: its opening one is the last that a space stands before.
        guard let open = lastOpening(rest) else { return nil }
        let object = String(rest[rest.index(open, offsetBy: 2)...].dropLast())
        rest = rest[..<open]
        var name = String(rest)
        if let plus = name.utf8.lastIndex(of: 0x2B), name[plus...].hasPrefix("+0x"),
            UInt64(name[plus...].dropFirst(3), radix: 16) != nil
        {
            name = String(name[..<plus])
        }
        if object == "inlined" { return ForeignFrame(kind: .inlined, name: name) }
        if name == Frame.truncatedMarker || Frame.brokenReason(ofMarker: name) != nil {
            return ForeignFrame(kind: .marker, name: name)
        }
        let module = object == "[unknown]" ? nil : Module(identity: .name, name: object)
        if name == "[unknown]" || name.isEmpty {
            return ForeignFrame(kind: .native, name: "", module: module, address: address)
        }
        let isKernel = object.hasPrefix("[") && object.hasSuffix("]") && object != "[vdso]" && module != nil
        if isKernel { return ForeignFrame(kind: .kernel, name: name, module: module) }
        if object.hasPrefix("/tmp/perf-"), object.hasSuffix(".map") { return ForeignFrame(kind: .jit, name: name) }
        return ForeignFrame(name: name, module: module, address: address)
    }

    /// Where ` (` of the object begins; with an empty name the bracket stands first.
    private static func lastOpening(_ text: Substring) -> Substring.Index? {
        var index = text.utf8.endIndex
        while index > text.utf8.startIndex {
            index = text.utf8.index(before: index)
            guard text.utf8[index] == 0x28, index > text.utf8.startIndex else { continue }
            let before = text.utf8.index(before: index)
            guard text.utf8[before] == 0x20 else { continue }
            // `/path (deleted)` is one name.
            if text[index...] == "(deleted))" { continue }
            return before
        }
        return nil
    }

    /// `  file.c:12`.
    private static func sourceLine(_ line: String) -> (file: String, line: UInt32)? {
        let text = line.drop { $0 == " " || $0 == "\t" }
        guard let colon = text.utf8.lastIndex(of: 0x3A), colon > text.startIndex,
            let number = UInt32(text[text.utf8.index(after: colon)...].prefix { $0.isNumber })
        else { return nil }
        return (String(text[..<colon]), number)
    }
}

extension Substring {
    fileprivate func trimmedEnd() -> String {
        var text = self
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}

extension String {
    fileprivate func trimmedEnd() -> String { self[...].trimmedEnd() }
}
