/// A frame as people read it, after symbol tables have been asked.
public struct NamedFrame: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        case process, thread, native, inlined, kernel, jit, interpreted, marker
    }

    public var kind: Kind
    /// The demangled function's name, or `[unknown MODULE+0xOFFSET]`.
    public var name: String
    /// The module's file name without directories; empty where there is none.
    public var module: String
    /// Empty where unknown.
    public var file: String
    /// From 1; 0 where unknown.
    public var line: UInt32

    public init(kind: Kind, name: String, module: String = "", file: String = "", line: UInt32 = 0) {
        self.kind = kind
        self.name = name
        self.module = module
        self.file = file
        self.line = line
    }
}

/// Names addresses of modules. One address may stand for several frames, the inlined ones last.
public protocol Symbolizer {
    /// The frames at `address` of `module`, the outermost first; empty where nothing is known.
    func frames(at address: UInt64, in module: Module) -> [NamedFrame]
}
