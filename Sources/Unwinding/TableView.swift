/// The parts of one module's unwind sections, checked to lie inside; trivially copied. Who keeps one keeps the memory.
struct TableView: BitwiseCopyable {
    private(set) var segments = SectionBytes.empty
    private(set) var index = SectionBytes.empty
    private(set) var exceptionFrames: FrameSection
    private(set) var debugFrames: FrameSection
    private(set) var code = SectionBytes.empty
    private(set) var codeRanges = SectionBytes.empty
    private(set) var functionStarts = SectionBytes.empty
    private(set) var stubs = SectionBytes.empty
    private(set) var trampolines = SectionBytes.empty
    private(set) var stackRoots = SectionBytes.empty
    let base: UInt64
    let entryPoint: UInt64
    let architecture: UserArchitecture
    /// Names the table in the cache; given by the unwinder.
    var serial: UInt32 = 0

    init(_ blob: SectionBytes) throws(UnwindSectionsError) {
        guard blob.count >= EncodedSections.headerBytes, blob.word64(at: 0) == EncodedSections.magic,
            blob.word32(at: 8) == EncodedSections.version
        else { throw .notUnwindSections }
        let machine = blob.word32(at: 12)
        guard let architecture = UserArchitecture(machine: UInt16(truncatingIfNeeded: machine)), machine <= 0xFFFF
        else {
            throw .unsupportedMachine(UInt16(truncatingIfNeeded: machine))
        }
        self.architecture = architecture
        base = blob.word64(at: 16)
        entryPoint = blob.word64(at: 24)
        guard blob.word64(at: 32) == UInt64(blob.count) else { throw .damaged(what: "their size") }
        let partCount = Int(blob.word32(at: 40))
        guard partCount <= EncodedSections.maximumParts,
            EncodedSections.headerBytes + partCount * EncodedSections.partBytes <= blob.count
        else { throw .damaged(what: "the number of parts") }
        exceptionFrames = FrameSection(bytes: .empty, address: 0, isDebug: false)
        debugFrames = FrameSection(bytes: .empty, address: 0, isDebug: true)
        for number in 0..<partCount {
            let record = EncodedSections.headerBytes + number * EncodedSections.partBytes
            guard
                let bytes = blob.part(at: blob.word64(at: record + 16), count: blob.word64(at: record + 24))
            else { throw .damaged(what: "part \(number) lies outside") }
            let address = blob.word64(at: record + 8)
            // Kinds of a later version would come with another version.
            guard let kind = EncodedSections.Part(rawValue: blob.word32(at: record)) else {
                throw .damaged(what: "a part of kind \(blob.word32(at: record))")
            }
            switch kind {
            case .segments: segments = bytes
            case .index: index = bytes
            case .exceptionFrames: exceptionFrames = FrameSection(bytes: bytes, address: address, isDebug: false)
            case .debugFrames: debugFrames = FrameSection(bytes: bytes, address: address, isDebug: true)
            case .code: code = bytes
            case .codeRanges: codeRanges = bytes
            case .functionStarts: functionStarts = bytes
            case .stubs: stubs = bytes
            case .trampolines: trampolines = bytes
            case .stackRoots: stackRoots = bytes
            }
        }
    }

    /// From a place in the file to a distance from the base address; nil where no segment holds it.
    @inline(__always)
    func distance(ofFileOffset offset: UInt64) -> UInt32? {
        var record = 0
        while record < segments.count {
            let within = offset &- segments.word64(at: record)
            if within < segments.word64(at: record &+ 8) {
                return UInt32(exactly: segments.word64(at: record &+ 16) &+ within &- base)
            }
            record &+= 24
        }
        return nil
    }

    /// The description that the index has for an address, whether it covers it or not.
    func entry(for distance: UInt32) -> Int? {
        let count = index.countNotAbove(distance, stride: 8)
        return count > 0 ? count - 1 : nil
    }

    func description(ofEntry entry: Int) throws(StepFailure) -> (FrameSection, FrameSection.Description) {
        let place = index.word32(at: entry * 8 + 4)
        let section = place & EncodedSections.debugBit == 0 ? exceptionFrames : debugFrames
        return (section, try section.description(at: Int(place & ~EncodedSections.debugBit)))
    }

    /// How many bytes the PLT stub at an address has pushed above the return address; nil where none is.
    func stubBytes(at distance: UInt32) -> Int32? {
        var record = 0
        while record < stubs.count {
            let within = distance &- stubs.word32(at: record)
            if within < stubs.word32(at: record + 4) {
                guard architecture == .x86_64, stubs.word32(at: record + 8) == EncodedSections.StubKind.lazy.rawValue
                else { return 0 }
                // First entry: push of 6 bytes, jump. Others: jump of 6, push of 5, jump of 5.
                if within < 16 { return within < 6 ? 8 : 16 }
                return within & 15 < 11 ? 0 : 8
            }
            record += 12
        }
        return nil
    }

    func isTrampoline(_ distance: UInt32) -> Bool {
        let count = trampolines.countNotAbove(distance, stride: 4)
        return count > 0 && trampolines.word32(at: (count - 1) * 4) == distance
    }

    /// Whether a function that was called from here has no caller's frame above this one's, and why.
    func stackRoot(at distance: UInt32) -> EncodedSections.StackRootKind? {
        let count = stackRoots.countNotAbove(distance, stride: 12)
        guard count > 0, distance < stackRoots.word32(at: (count - 1) * 12 + 4) else { return nil }
        return EncodedSections.StackRootKind(rawValue: stackRoots.word32(at: (count - 1) * 12 + 8))
    }

    /// The kept code around an address, the distance of its first byte, and where the function begins, if known.
    func code(at distance: UInt32) -> (bytes: SectionBytes, start: UInt32, functionStart: UInt32?)? {
        let count = codeRanges.countNotAbove(distance, stride: 12)
        guard count > 0 else { return nil }
        let record = (count - 1) * 12
        let start = codeRanges.word32(at: record)
        let size = codeRanges.word32(at: record + 4)
        guard distance &- start < size,
            let bytes = code.part(at: UInt64(codeRanges.word32(at: record + 8)), count: UInt64(size))
        else { return nil }
        let functions = functionStarts.countNotAbove(distance, stride: 8)
        guard functions > 0 else { return (bytes, start, nil) }
        let function = functionStarts.word32(at: (functions - 1) * 8)
        let end = functionStarts.word32(at: (functions - 1) * 8 + 4)
        return (bytes, start, function >= start && distance < end ? function : nil)
    }
}
