/// A JavaScript function that a stack frame runs.
public struct V8Frame: Hashable, Sendable {
    /// `(anonymous FILE:LINE:COLUMN)` where the function has no name, as V8's own perf maps call it.
    public var function: String
    /// The script's path or URL; empty where unknown.
    public var file: String
    /// Where the function begins, not where it runs; 0 where unknown.
    public var line: UInt32
}

/// A JavaScript frame as small as a sample's path wants it: its function is a number that its reader knows.
public struct V8StackFrame: BitwiseCopyable, Hashable, Sendable {
    /// Where the frame's own frame pointer points: what tells which native frame this is.
    public var framePointer: UInt64
    /// The same for every frame of a function until `V8Reader.generation` changes; `unreadable` where what the frame
    /// calls its function was none when it was read.
    public var function: UInt32
    /// Where the function begins; 0 where unknown.
    public var line: UInt32

    public static let unreadable = UInt32.max

    public init(framePointer: UInt64, function: UInt32, line: UInt32) {
        self.framePointer = framePointer
        self.function = function
        self.line = line
    }
}

/// V8's frames that belong to no JavaScript function hold a marker in the place of the context, which tells their kind
/// (src/execution/frames.h, StackFrame::Type). The numbers are each version's own.
public struct V8FrameKinds: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// The way from C++ into JavaScript and back, from one function to the next: entry, construction, exit.
        case glue
        /// Code that was made of a regular expression.
        case regularExpression
        /// Anything else: builtins and stubs that do work of their own, JavaScript's functions.
        case other
    }

    /// Bit n: kind number n.
    private var glue: UInt64 = 0
    private var regularExpression: UInt64 = 0

    private static let glueNames = [
        "EntryFrame", "ConstructEntryFrame", "InternalFrame", "ConstructFrame", "ExitFrame", "BuiltinExitFrame",
        "ApiCallbackExitFrame",
    ]

    /// - Parameter number: Of a kind's name, where this V8 has it.
    public init(_ number: (String) -> Int64?) {
        func bit(_ name: String) -> UInt64 {
            guard let number = number(name), (0..<64).contains(number) else { return 0 }
            return 1 << UInt64(number)
        }
        glue = Self.glueNames.reduce(0) { $0 | bit($1) }
        regularExpression = bit("IrregexpFrame")
    }

    public func kind(ofMarker word: UInt64) -> Kind {
        // A small number with a tag of one bit, in all builds.
        guard word & 1 == 0, word < 128 else { return .other }
        let bit: UInt64 = 1 << (word >> 1)
        return glue & bit != 0 ? .glue : regularExpression & bit != 0 ? .regularExpression : .other
    }
}
