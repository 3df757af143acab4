/// A glob with `*`, or its negation.
public struct NamePattern: Hashable, Sendable {
    public var glob: String
    public var isNegated: Bool

    public init(glob: String, isNegated: Bool) {
        self.glob = glob
        self.isNegated = isNegated
    }

    /// As users type it: a leading `!` negates.
    public init(_ text: String) {
        isNegated = text.hasPrefix("!")
        glob = isNegated ? String(text.dropFirst()) : text
    }
}

/// What the value of one label must be like.
public struct LabelPattern: Hashable, Sendable {
    public var name: String
    public var value: NamePattern

    public init(name: String, value: NamePattern) {
        self.name = name
        self.value = value
    }

    /// As users type it: `K=V`, negated `K!=V` or `!K=V`; V may hold `*`. nil where it is neither.
    public init?(_ text: String) {
        guard let sign = text.firstIndex(of: "=") else { return nil }
        var name = text[..<sign]
        let (isBefore, isBehind) = (name.hasPrefix("!"), name.hasSuffix("!"))
        guard !(isBefore && isBehind) else { return nil }
        if isBefore { name.removeFirst() }
        if isBehind { name.removeLast() }
        guard !name.isEmpty else { return nil }
        self.name = String(name)
        value = NamePattern(glob: String(text[text.index(after: sign)...]), isNegated: isBefore || isBehind)
    }

    /// As users type it.
    public var text: String { name + (value.isNegated ? "!=" : "=") + value.glob }
}

/// Which samples a question is about. Patterns of one field: any of the positive ones must match (where there are
/// some) and none of the negated ones. Fields are joined by and.
public struct Selection: Hashable, Sendable {
    public var services: [NamePattern]
    /// An unknown version is matched by the empty pattern alone, not by `*`.
    public var versions: [NamePattern]
    /// Those of one name are one field. A label that is not there is matched by the empty pattern alone: `K=*` is what
    /// has it, `K!=V` also what doesn't.
    public var labels: [LabelPattern]
    public var hosts: [NamePattern]
    public var processes: [NamePattern]
    /// Their digits are folded before they are compared, as thread names are.
    public var threads: [NamePattern]
    /// Regular expressions: of each some frame's name has to match, or, where it is negated, none.
    public var frames: [NamePattern]
    public var type: String

    public init(
        services: [NamePattern] = [], versions: [NamePattern] = [], labels: [LabelPattern] = [],
        hosts: [NamePattern] = [], processes: [NamePattern] = [], threads: [NamePattern] = [],
        frames: [NamePattern] = [], type: String = ProfileType.cpu.name
    ) {
        self.services = services
        self.versions = versions
        self.labels = labels
        self.hosts = hosts
        self.processes = processes
        self.threads = threads
        self.frames = frames
        self.type = type
    }
}

/// Replaces each run of digits by `#`, so that a pool's threads are one: worker-17 is worker-#, kworker/0:1 is
/// kworker/#:#.
public func foldedThreadName(_ name: String) -> String {
    var folded: [UInt8] = []
    var inDigits = false
    for byte in name.utf8 {
        let isDigit = byte >= 48 && byte <= 57
        if !isDigit { folded.append(byte) } else if !inDigits { folded.append(35) }
        inDigits = isDigit
    }
    return String(decoding: folded, as: UTF8.self)
}
