/// What makes two mapped files the same module, on one host or on a thousand.
public struct ModuleIdentity: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// The GNU build ID of the file's notes: 2 to 64 bytes.
        case buildID = 1
        /// SHA-256 over the file's size and headers, 32 bytes, where it has no build ID.
        case contentDigest = 2
        /// Known by name only (the file could not be read, or there is none): no symbol table ever applies to it.
        case name = 3
    }

    public var kind: Kind
    /// Empty for `Kind.name`.
    public var bytes: [UInt8]

    public init(kind: Kind, bytes: [UInt8]) {
        self.kind = kind
        self.bytes = bytes
    }

    public static let name = ModuleIdentity(kind: .name, bytes: [])

    /// Longest identity that is accepted: `ld --build-id=0x…` makes up to this many bytes.
    public static let maximumBytes = 64
}

/// A file, or something like one, that code was mapped from.
///
/// Two modules with a build ID or digest are equal when these are, whatever their paths; others are equal by name.
public struct Module: Hashable, Sendable {
    public var identity: ModuleIdentity
    /// The path as the process saw it, or a name in brackets: `[vdso]`, `[kernel.kallsyms]`, `[anon]`.
    public var name: String

    public init(identity: ModuleIdentity, name: String) {
        self.identity = identity
        self.name = name
    }

    public static let kernel = Module(identity: .name, name: "[kernel.kallsyms]")

    public static func == (left: Module, right: Module) -> Bool {
        left.identity == right.identity && (left.identity.kind != .name || left.name == right.name)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(identity)
        if identity.kind == .name { hasher.combine(name) }
    }
}
