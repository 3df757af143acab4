public import ObjectFiles

/// Makes the unwind sections of a module as one flat blob.
public enum UnwindSections {
    /// What a file may make us keep.
    public struct Limits: Sendable {
        /// Bytes of .eh_frame, and of .debug_frame.
        public var frameBytes: UInt64 = 256 << 20
        /// Frame descriptions.
        public var entries = 1 << 23
        /// Bytes of code that is kept where call frame information is missing.
        public var codeBytes: UInt64 = 64 << 20
        /// Load segments.
        public var segments = 64
        public var object = ObjectFile.Limits()

        public init() {}
    }

    public static func encode(
        _ object: ObjectFile, from source: some ObjectSource, limits: Limits = Limits()
    ) throws(UnwindSectionsError) -> [UInt8] {
        throw .notUnwindSections
    }
}
