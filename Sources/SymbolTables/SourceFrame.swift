extension SymbolTable {
    /// One of the functions that an address belongs to.
    public struct SourceFrame: Hashable, Sendable {
        /// Demangled, in the full form; `SymbolNames.short` shortens it.
        public var name: String
        /// Path as the compiler wrote it, made absolute by the unit's directory; empty where unknown.
        public var file: String
        /// From 1; 0 where unknown.
        public var line: UInt32
        /// The compiler put this function's code into the one that follows.
        public var isInlined: Bool

        public init(name: String, file: String, line: UInt32, isInlined: Bool) {
            self.name = name
            self.file = file
            self.line = line
            self.isInlined = isInlined
        }
    }

    /// A `SourceFrame` by indices of the table, for callers that keep the strings.
    public struct FrameIndices: BitwiseCopyable, Hashable, Sendable {
        /// For `name(_:)`.
        public var name: UInt32
        /// For `file(_:)`; 0 where unknown.
        public var file: UInt32
        public var line: UInt32
        public var isInlined: Bool
    }

    /// Innermost inlined function first, the function that holds the address last; empty where nothing is known. A table
    /// without lines gives one frame without file.
    public func frames(at address: UInt64) -> [SourceFrame] {
        var indices: [FrameIndices] = []
        appendFrames(at: address, to: &indices)
        return indices.map { frame in
            SourceFrame(
                name: name(Int(frame.name)), file: file(Int(frame.file)), line: frame.line, isInlined: frame.isInlined)
        }
    }

    /// As `frames(at:)`, without making strings. Two binary searches and the reading of at most `LineRows.blockRows` rows.
    public func appendFrames(at address: UInt64, to frames: inout [FrameIndices]) {
        guard let range = rangeIndex(at: address) else { return }
        var file: UInt32 = 0
        var line: UInt32 = 0
        if let row = rows.row(at: address) {
            file = row.file
            line = row.line
            var inlined = row.inlined
            // A parent's index is less than its child's, and the depth was checked: this ends.
            while inlined > 0 {
                let call = calls[Int(inlined) - 1]
                frames.append(FrameIndices(name: call.name, file: file, line: line, isInlined: true))
                file = call.file
                line = call.line
                inlined = call.parent
            }
        }
        frames.append(FrameIndices(name: nameIndices[range], file: file, line: line, isInlined: false))
    }

    /// The path of a file's index as `FrameIndices` holds it; empty for 0.
    public func file(_ index: Int) -> String {
        index == 0 ? "" : files.string(index - 1)
    }
}

/// A function's body put in the place of a call.
struct InlinedCall: BitwiseCopyable, Hashable, Sendable {
    /// The call, one more than its index, inside whose body this one lies; 0: directly in the function.
    var parent: UInt32
    /// Index of the inlined function's name.
    var name: UInt32
    /// Where the call stands: one more than the file's index, 0 for unknown.
    var file: UInt32
    var line: UInt32

    /// Deeper ones are shown as their ancestor.
    static let maximumDepth = 255
}
