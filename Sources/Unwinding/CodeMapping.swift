/// Where a piece of a file is mapped executable in a process.
public struct CodeMapping: Hashable, Sendable, BitwiseCopyable {
    /// First address, in the process.
    public var start: UInt64
    /// One past the last address.
    public var end: UInt64
    /// Where in the file the byte at `start` lies.
    public var fileOffset: UInt64
    /// The caller's number of the module, small and dense: states are kept in an array by it.
    public var file: UInt32

    public init(start: UInt64, end: UInt64, fileOffset: UInt64, file: UInt32) {
        self.start = start
        self.end = end
        self.fileOffset = fileOffset
        self.file = file
    }
}
