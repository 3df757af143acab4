/// One element of a stack, as indices into the tables of its `StackTable`.
///
/// A native frame is (module, address) and is named later by the module's symbol table. What can't be looked up later
/// (kernel, JIT-compiled and interpreted code) carries the name that its own host gave it.
public struct Frame: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// The root of every stack: the process's name.
        case process = 1
        /// The second element of every stack: the thread's name with its digits folded.
        case thread = 2
        /// An address in a file. Without a module it is an address that no mapping held.
        case native = 3
        /// A kernel function, by name.
        case kernel = 4
        /// A function compiled at run time, by name, with file and line where its runtime tells them.
        case jit = 5
        /// A function run by an interpreter, by name, with file and line.
        case interpreted = 6
        /// Not code: a remark on the stack itself, such as `[truncated]`.
        case marker = 7
        /// Code of an imported profile, by name, with file and line, and the address where it was told.
        case function = 8
        /// Likewise, inlined into the frame before it.
        case inlined = 9

        package static let last = inlined

        /// Whether such frames can have a file and a line of their own; those of native code come from symbol tables.
        package var hasSource: Bool { [.jit, .interpreted, .function, .inlined].contains(self) }
        package var hasAddress: Bool { self == .native || self == .function }
    }

    public var kind: Kind
    /// Index of a string, or `none`.
    public var name: UInt32
    /// Index of a module, or `none`.
    public var module: UInt32
    /// Index of the source file's path among the strings, or `none`.
    public var file: UInt32
    /// Line in `file`, from 1; 0 where unknown.
    public var line: UInt32
    /// Native frames: the address in the file's own address space, already moved one byte back, into the call, where it
    /// was a return address. Functions of imported profiles: likewise, as far as it was told. 0 for every other kind.
    public var address: UInt64

    public static let none = UInt32.max

    public init(
        kind: Kind, name: UInt32 = none, module: UInt32 = none, file: UInt32 = none, line: UInt32 = 0,
        address: UInt64 = 0
    ) {
        self.kind = kind
        self.name = name
        self.module = module
        self.file = file
        self.line = line
        self.address = address
    }

    /// The text of the marker at the root end of a stack that was cut.
    public static let truncatedMarker = "[truncated]"
    /// How the marker of a stack begins that broke before its root: `[broken: REASON]`.
    public static let brokenMarkerPrefix = "[broken: "

    /// The reason that a broken stack's marker tells; nil for every other name.
    public static func brokenReason(ofMarker name: String) -> String? {
        guard name.hasPrefix(brokenMarkerPrefix) else { return nil }
        let reason = name.dropFirst(brokenMarkerPrefix.count)
        return String(reason.hasSuffix("]") ? reason.dropLast() : reason)
    }

    /// A 64-bit mix of all fields, for the open tables of `StackTable`; not stable across versions.
    @inlinable
    package var mixedBits: UInt64 {
        var bits = address &* 0x9E37_79B9_7F4A_7C15
        bits ^= UInt64(module) << 32 | UInt64(name)
        bits = (bits ^ bits >> 29) &* 0xBF58_476D_1CE4_E5B9
        bits ^= UInt64(file) << 40 | UInt64(line) << 8 | UInt64(kind.rawValue)
        bits = (bits ^ bits >> 32) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
