import ObjectFiles
import Profiles

/// Walks .eh_frame and .debug_frame once and lists their descriptions.
struct FrameGatherer {
    struct Entry {
        /// Distances from the base address.
        var start: UInt32
        var end: UInt32
        /// In its section, with `EncodedSections.debugBit`.
        var place: UInt32
    }

    struct Contents {
        var bytes: [UInt8] = []
        var address: UInt64 = 0
    }

    private(set) var exceptionFrames = Contents()
    private(set) var debugFrames = Contents()
    /// By start, one for each.
    private(set) var entries: [Entry] = []
    private var signalStarts: [UInt32] = []
    private let object: ObjectFile
    private let base: UInt64
    private let limits: UnwindSections.Limits
    /// Executable segments, as addresses.
    private let code: [Range<UInt64>]

    init(_ object: ObjectFile, base: UInt64, limits: UnwindSections.Limits) {
        self.object = object
        self.base = base
        self.limits = limits
        code = object.loadSegments.filter(\.isExecutable).compactMap { segment in
            let (end, overflow) = segment.virtualAddress.addingReportingOverflow(segment.fileSize)
            return overflow ? nil : segment.virtualAddress..<end
        }
    }

    mutating func gather(
        from source: some ObjectSource, expand: (Section) -> [UInt8]?
    ) throws(ObjectFileError) {
        let sections = (try? object.sections.get()) ?? []
        func usable(_ name: String) -> Section? {
            sections.first { $0.name == name && !$0.isEmptyInFile && !$0.isCompressed && $0.size > 0 }
        }
        if let section = usable(".eh_frame") {
            exceptionFrames.bytes = try object.contents(of: section, from: source, limit: limits.frameBytes)
            exceptionFrames.address = section.address
            walk(isDebug: false, stopsAtTerminator: false)
        } else if let found = try withoutSections(source) {
            exceptionFrames = found
            let used = walk(isDebug: false, stopsAtTerminator: true)
            exceptionFrames.bytes.removeLast(exceptionFrames.bytes.count - used)
        }
        // What only debuggers read may be missing or broken without any harm.
        if let section = usable(".debug_frame") {
            debugFrames.bytes = (try? object.contents(of: section, from: source, limit: limits.frameBytes)) ?? []
        } else if let section = sections.first(where: { $0.name == ".debug_frame" || $0.name == ".zdebug_frame" }) {
            debugFrames.bytes = expand(section) ?? []
        }
        if !debugFrames.bytes.isEmpty { walk(isDebug: true, stopsAtTerminator: false) }
        sort()
    }

    /// A file whose section headers are gone: .eh_frame_hdr, which the loader knows, leads to .eh_frame (LSB Core 5.0,
    /// 10.6.2), which then goes on to its terminator.
    private func withoutSections(_ source: some ObjectSource) throws(ObjectFileError) -> Contents? {
        guard let header = object.exceptionFrameHeader,
            let bytes = try object.loadedBytes(at: header.virtualAddress, count: 32, from: source)
        else { return nil }
        return try unsafe bytes.span.withUnsafeBytes { buffer throws(ObjectFileError) -> Contents? in
            let section = unsafe FrameSection(
                bytes: SectionBytes(buffer), address: header.virtualAddress, isDebug: false)
            var cursor = SectionCursor(section.bytes, from: 0, to: buffer.count)
            guard (try? cursor.read(UInt8.self)) == 1, let encoding = try? cursor.read(UInt8.self),
                (try? cursor.skip(2)) != nil
            else { return nil }
            let isFromHeader = encoding & 0x70 == 0x30
            guard
                var address = try? section.readPointer(
                    encoding: isFromHeader ? encoding & 0x8F : encoding, &cursor, isOffset: true)
            else { return nil }
            if isFromHeader { address &+= header.virtualAddress }
            guard let frames = try object.loadedBytes(at: address, count: limits.frameBytes, from: source) else {
                return nil
            }
            return Contents(bytes: frames, address: address)
        }
    }

    /// Returns how many bytes were walked. What makes no sense ends the walk, or where only the one description is
    /// wrong is passed over.
    @discardableResult
    private mutating func walk(isDebug: Bool, stopsAtTerminator: Bool) -> Int {
        let contents = isDebug ? debugFrames : exceptionFrames
        return unsafe contents.bytes.span.withUnsafeBytes { buffer in
            let section = unsafe FrameSection(
                bytes: SectionBytes(buffer), address: contents.address, isDebug: isDebug)
            var commons: [Int: FrameSection.Common?] = [:]
            var last: (offset: Int, common: FrameSection.Common?) = (-1, nil)
            var offset = 0
            while offset + 4 <= buffer.count, entries.count < limits.entries {
                guard let head = try? section.head(at: offset) else { return offset }
                defer { offset = head.end }
                if head.isTerminator {
                    if stopsAtTerminator { return head.end }
                    continue
                }
                guard let commonOffset = head.commonOffset else { continue }
                if last.offset != commonOffset {
                    if let known = commons[commonOffset] {
                        last = (commonOffset, known)
                    } else {
                        last = (commonOffset, try? section.common(at: commonOffset))
                        commons[commonOffset] = .some(last.common)
                    }
                }
                guard let common = last.common, let description = try? section.description(head, common: common) else {
                    continue
                }
                add(description, at: offset, isDebug: isDebug)
            }
            return min(offset, buffer.count)
        }
    }

    private mutating func add(_ description: FrameSection.Description, at offset: Int, isDebug: Bool) {
        // Descriptions of functions that the linker left out begin at 0 or lie elsewhere.
        guard description.start < description.end, code.contains(where: { $0.contains(description.start) }),
            let start = UInt32(exactly: description.start &- base), let end = UInt32(exactly: description.end &- base),
            let place = UInt32(exactly: offset), place < EncodedSections.debugBit
        else { return }
        entries.append(Entry(start: start, end: end, place: place | (isDebug ? EncodedSections.debugBit : 0)))
        if description.common.isSignal { signalStarts.append(start) }
    }

    /// .eh_frame goes before .debug_frame where both describe an address.
    private mutating func sort() {
        func isBefore(_ left: Entry, _ right: Entry) -> Bool {
            left.start != right.start ? left.start < right.start : left.place < right.place
        }
        let isSorted = zip(entries, entries.dropFirst()).allSatisfy { isBefore($0, $1) }
        if !isSorted { entries.sort(by: isBefore) }
        var kept: [Entry] = []
        kept.reserveCapacity(entries.count)
        for entry in entries {
            if let previous = kept.last {
                if previous.start == entry.start { continue }
                let isDebug = entry.place & EncodedSections.debugBit != 0
                if isDebug, previous.place & EncodedSections.debugBit == 0, entry.start < previous.end { continue }
            }
            kept.append(entry)
        }
        entries = kept
    }

    /// What descriptions cover, by start, joined where they touch.
    var covered: [Range<UInt32>] {
        var ranges: [Range<UInt32>] = []
        for entry in entries {
            if let last = ranges.last, entry.start <= last.upperBound {
                ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, entry.end)
            } else {
                ranges.append(entry.start..<entry.end)
            }
        }
        return ranges
    }

    func indexRecords() -> [UInt8] {
        var values: [UInt32] = []
        values.reserveCapacity(entries.count * 2)
        for entry in entries {
            values.append(entry.start)
            values.append(entry.place)
        }
        return UnwindSections.words(values)
    }

    /// Described signal trampolines of aarch64: their descriptions lead past the interrupted function (see
    /// `Unwinder.describedRule`), so the code must tell.
    func trampolines(
        in object: ObjectFile, from source: some ObjectSource, _ architecture: UserArchitecture
    ) -> [UInt32] {
        guard architecture == .aarch64 else { return [] }
        var found: [UInt32] = []
        for start in signalStarts.prefix(16) {
            guard let bytes = try? object.loadedBytes(at: base &+ UInt64(start), count: 64, from: source) else {
                continue
            }
            found += KeptCode.trampolines(in: bytes, architecture).map { start &+ UInt32($0) }
        }
        return found
    }
}
