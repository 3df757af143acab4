/// A part of an object file that the loader maps: what turns a place in the file into an address of the file's own
/// address space (ELF: a program header of type PT_LOAD).
public struct LoadSegment: Hashable, Sendable {
    /// Bytes from the file's start.
    public var fileOffset: UInt64
    /// Bytes that come from the file; what the segment has beyond them in memory is zero and holds no code.
    public var fileSize: UInt64
    public var virtualAddress: UInt64
    public var isExecutable: Bool

    public init(fileOffset: UInt64, fileSize: UInt64, virtualAddress: UInt64, isExecutable: Bool) {
        self.fileOffset = fileOffset
        self.fileSize = fileSize
        self.virtualAddress = virtualAddress
        self.isExecutable = isExecutable
    }
}

extension [LoadSegment] {
    /// The address of a byte of the file, in the file's own address space; nil where no segment holds it. Where several
    /// do, an executable one is meant: samples fall into code.
    public func address(ofFileOffset offset: UInt64) -> UInt64? {
        var found: LoadSegment?
        for segment in self where offset >= segment.fileOffset && offset - segment.fileOffset < segment.fileSize {
            if found == nil || segment.isExecutable { found = segment }
            if segment.isExecutable { break }
        }
        guard let found else { return nil }
        return found.virtualAddress &+ (offset - found.fileOffset)
    }
}
