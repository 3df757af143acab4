internal import Profiles

extension ForeignSamples {
    /// Folded stacks: `process;frame;…;leaf VALUE`, a line each; the last white space separates. Endings tell the kind of
    /// a frame (`_[k]` kernel, `_[i]` inlined, `_[j]` JIT-compiled).
    public init(folded bytes: [UInt8], facts: ImportFacts) throws(FormatError) {
        self.init()
        let (service, host) = try facts.named()
        samplesPerSecond = facts.samplesPerSecond
        let type = ProfileType(
            name: facts.type ?? ProfileType.cpu.name,
            unit: facts.type == nil || facts.type == ProfileType.cpu.name ? ProfileType.cpu.unit : "count")
        let key = SeriesKey(service: service, version: "", labels: facts.labels.sorted(), type: type)
        var lines = TextLines(bytes)
        while let line = try lines.next() {
            if line.allSatisfy({ $0 == " " || $0 == "\t" }) { continue }
            func failed(_ reason: String) -> FormatError { FormatError(.line(lines.number), reason) }
            guard let space = line.lastIndex(where: { $0 == " " || $0 == "\t" }), space > line.startIndex else {
                throw failed("no value behind a stack")
            }
            let digits = line[line.index(after: space)...]
            guard let value = Double(digits), value >= 0, value < 1e18, digits.first?.isNumber == true else {
                throw failed("'\(digits.prefix(40))' is no value")
            }
            let samples = UInt64(digits) ?? UInt64(value.rounded(.up))
            var stack = line[..<space]
            let process = String(stack.prefix { $0 != ";" })
            // The leaf first, so that of a stack that is too deep no more is made than is kept.
            var frames: [ForeignFrame] = []
            while frames.count <= Limits.depth, let end = stack.utf8.lastIndex(of: 0x3B) {
                frames.append(Self.frame(stack[stack.utf8.index(after: end)...]))
                stack = stack[..<end]
            }
            let node = intern(process: process, thread: process, frames.reversed())
            let weight = type == .cpu ? value * facts.nanosecondsPerSample : value
            guard weight < 9e18 else { throw failed("the value is too large") }
            add(node, host: host, key: key, samples: samples, weight: UInt64(weight.rounded()))
            try checkMemory(.line(lines.number))
        }
        self = try checked()
    }

    private static func frame(_ name: Substring) -> ForeignFrame {
        if name == Frame.truncatedMarker || Frame.brokenReason(ofMarker: String(name)) != nil {
            return ForeignFrame(kind: .marker, name: String(name))
        }
        for (ending, kind) in [("_[k]", Frame.Kind.kernel), ("_[i]", .inlined), ("_[j]", .jit)]
        where name.hasSuffix(ending) { return ForeignFrame(kind: kind, name: String(name.dropLast(ending.count))) }
        return ForeignFrame(name: String(name))
    }
}

extension ImportFacts {
    /// What formats without such facts of their own need.
    func named() throws(FormatError) -> (service: String, host: String) {
        guard let service, !service.isEmpty, let host, !host.isEmpty else {
            throw FormatError(.whole, "such a file names no service and host; give --service and --host")
        }
        return (service, host)
    }
}

/// The lines of a text, without their ends.
struct TextLines {
    private let bytes: [UInt8]
    private var start = 0
    /// Of the line that was taken last, from 1.
    private(set) var number = 0
    private let longest: Int

    /// - Parameter longest: bytes of a line.
    init(_ bytes: [UInt8], longest: Int = .max) {
        self.bytes = bytes
        self.longest = longest
    }

    /// nil at the end.
    mutating func next() throws(FormatError) -> String? {
        guard start < bytes.count else { return nil }
        number += 1
        var end = start
        while end < bytes.count, bytes[end] != 0x0A { end += 1 }
        var last = end
        if last > start, bytes[last - 1] == 0x0D { last -= 1 }
        guard last - start <= longest else {
            throw FormatError(.line(number), "longer than \(longest >> 10) KiB")
        }
        let line = bytes[start..<last]
        start = end + 1
        guard let text = String(validating: line, as: UTF8.self) else {
            throw FormatError(.line(number), "not UTF-8")
        }
        return text
    }
}
