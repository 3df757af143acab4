import ByteCoding
public import Profiles

/// An ELF file: its identity, segments and sections. Symbols are read on demand (`functionSymbols`).
///
/// 64-bit little-endian programs and shared libraries (and their debug files) are read. Every offset, size and count is
/// checked before it is used. Source: System V ABI, chapters 4 and 5 (gabi 4.2); elf(5).
public struct ObjectFile: Sendable {
    /// Program or shared library; position-independent programs are shared libraries here.
    public enum Kind: UInt16, Sendable {
        /// Only where it is asked for: the file that dwz shares among several is one, and holds no code.
        case relocatable = 1
        case program = 2
        case sharedLibrary = 3
    }

    public let kind: Kind
    /// The instruction set's number, e_machine: 62 is x86-64, 183 AArch64.
    public let machine: UInt16
    /// The build ID, or where there is none a digest of size and headers.
    public let identity: ModuleIdentity
    /// Where a program begins, in the file's own address space; 0 where it says nothing.
    public let entryPoint: UInt64
    public let loadSegments: [LoadSegment]
    /// What the loader finds .eh_frame_hdr by (PT_GNU_EH_FRAME); nil where there is none.
    public let exceptionFrameHeader: LoadSegment?
    /// Files run without their section table, so a damaged one spoils only what needs it.
    public let sections: Result<[Section], ObjectFileError>

    public init(
        _ source: some ObjectSource, acceptsRelocatable: Bool = false, limits: Limits = Limits()
    ) throws(ObjectFileError) {
        let header = try FileHeader(source, acceptsRelocatable: acceptsRelocatable)
        let programHeaders = try ProgramHeader.read(header, from: source, limits: limits)
        let sections = Section.readTable(header, from: source, limits: limits)
        kind = header.kind
        machine = header.machine
        entryPoint = header.entryPoint
        self.sections = sections.map(\.sections)
        loadSegments = programHeaders.filter { $0.type == ProgramHeader.load }.map { segment in
            LoadSegment(
                fileOffset: segment.offset, fileSize: segment.fileSize, virtualAddress: segment.virtualAddress,
                isExecutable: segment.flags & ProgramHeader.executable != 0)
        }
        exceptionFrameHeader = programHeaders.first { $0.type == ProgramHeader.exceptionFrames }.map { segment in
            LoadSegment(
                fileOffset: segment.offset, fileSize: segment.fileSize, virtualAddress: segment.virtualAddress,
                isExecutable: false)
        }
        identity = readIdentity(
            header: header, programHeaders: programHeaders, sections: sections, source: source, limits: limits)
    }

    /// What a file may make us read. Real files stay far below.
    public struct Limits: Sendable {
        public var programHeaders: UInt64 = 1 << 12
        public var sections: UInt64 = 1 << 17
        public var noteBytes: UInt64 = 1 << 20
        public var symbols: UInt64 = 1 << 22
        public var stringBytes: UInt64 = 1 << 29

        public init() {}
    }
}
