import ObjectFiles
import Profiles

/// Code that no frame description covers, with the starts of its functions: what is left to analyse.
struct KeptCode {
    struct Range {
        /// Distance from the base address.
        var start: UInt32
        /// In `bytes`.
        var offset: UInt32
        var size: UInt32
    }

    struct Function {
        /// Distances from the base address.
        var start: UInt32
        var end: UInt32
    }

    private(set) var ranges: [Range] = []
    private(set) var bytes: [UInt8] = []
    /// By start.
    private(set) var functions: [Function] = []

    /// Shorter gaps are the padding between functions, where a file describes its functions; where it doesn't, a small
    /// function is as likely.
    private static let smallestGaps: (described: UInt64, undescribed: UInt64) = (64, 16)
    /// Of the code: more than this in large gaps is a file that doesn't describe its functions.
    private static let undescribedShare = 0.01
    /// Gaps closer than this are kept as one.
    private static let joinedBelow: UInt64 = 256
    private static let maximumRanges = 1 << 14

    /// A file whose code or symbols can't be read keeps none: stacks then follow frame pointers there.
    static func find(
        in object: ObjectFile, from source: some ObjectSource, covered: [Swift.Range<UInt32>], base: UInt64,
        limits: UnwindSections.Limits
    ) -> KeptCode {
        var kept = KeptCode()
        let code = executableRanges(object)
        var gaps = gaps(in: code, covered: covered, base: base, smallest: smallestGaps.described)
        func size(_ ranges: [Swift.Range<UInt64>]) -> Double {
            ranges.reduce(0) { $0 + Double($1.upperBound - $1.lowerBound) }
        }
        if size(gaps) > undescribedShare * size(code) {
            gaps = Self.gaps(in: code, covered: covered, base: base, smallest: smallestGaps.undescribed)
        }
        for gap in gaps.prefix(maximumRanges) {
            let room = limits.codeBytes - UInt64(kept.bytes.count)
            let size = min(gap.upperBound - gap.lowerBound, room)
            guard size > 0, let start = UInt32(exactly: gap.lowerBound &- base), let count = UInt32(exactly: size),
                let code = try? object.loadedBytes(at: gap.lowerBound, count: size, from: source)
            else { continue }
            kept.ranges.append(
                Range(start: start, offset: UInt32(kept.bytes.count), size: min(count, UInt32(code.count))))
            kept.bytes += code
        }
        kept.keepSystemCalls(object, source, base, covered, limits)
        if !kept.ranges.isEmpty { kept.findFunctions(object, source, base, limits) }
        return kept
    }

    /// glibc ends the description of `clone` and `clone3` before the system call, since the child has another stack there,
    /// and begins another one for the child (sysdeps/unix/sysv/linux/x86_64/clone3.S): between the two, parents wait and
    /// are sampled. Padding ends where a function is aligned, this doesn't.
    private mutating func keepSystemCalls(
        _ object: ObjectFile, _ source: some ObjectSource, _ base: UInt64, _ covered: [Swift.Range<UInt32>],
        _ limits: UnwindSections.Limits
    ) {
        guard object.machine == 62 else { return }
        var found: [Range] = []
        for (cover, next) in zip(covered, covered.dropFirst()) where next.lowerBound & 15 != 0 {
            let size = next.lowerBound - cover.upperBound
            guard size >= 3, size < Self.smallestGaps.described, found.count < 64, !isKept(cover.upperBound),
                UInt64(bytes.count) + UInt64(size) <= limits.codeBytes,
                let code = try? object.loadedBytes(
                    at: base &+ UInt64(cover.upperBound), count: UInt64(size), from: source),
                // syscall
                zip(code, code.dropFirst()).contains(where: { $0 == 0x0F && $1 == 0x05 })
            else { continue }
            found.append(Range(start: cover.upperBound, offset: UInt32(bytes.count), size: UInt32(code.count)))
            bytes += code
        }
        guard !found.isEmpty else { return }
        ranges = (ranges + found).sorted { $0.start < $1.start }
    }

    /// Executable sections but PLTs, whose frames are known; without section headers the executable segments.
    private static func executableRanges(_ object: ObjectFile) -> [Swift.Range<UInt64>] {
        func range(_ start: UInt64, _ size: UInt64) -> Swift.Range<UInt64>? {
            let (end, overflow) = start.addingReportingOverflow(size)
            return overflow || size == 0 ? nil : start..<end
        }
        let sections = (try? object.sections.get()) ?? []
        let code = sections.filter { $0.isExecutable && $0.isLoaded && !$0.isEmptyInFile && !$0.name.hasPrefix(".plt") }
        let ranges =
            code.isEmpty
            ? object.loadSegments.filter(\.isExecutable).compactMap { range($0.virtualAddress, $0.fileSize) }
            : code.compactMap { range($0.address, $0.size) }
        // Without overlaps, whatever the file says: the gaps are then found in one pass.
        var joined: [Swift.Range<UInt64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, range.lowerBound <= last.upperBound {
                joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
        return joined
    }

    /// What `covered` leaves of `code`; both ascend.
    private static func gaps(
        in code: [Swift.Range<UInt64>], covered: [Swift.Range<UInt32>], base: UInt64, smallest: UInt64
    ) -> [Swift.Range<UInt64>] {
        var gaps: [Swift.Range<UInt64>] = []
        func add(_ start: UInt64, _ end: UInt64) {
            guard end > start, end - start >= smallest else { return }
            if let last = gaps.last, start <= last.upperBound &+ joinedBelow, start >= last.lowerBound {
                gaps[gaps.count - 1] = last.lowerBound..<max(last.upperBound, end)
            } else {
                gaps.append(start..<end)
            }
        }
        var next = 0
        for range in code {
            var position = max(range.lowerBound, gaps.last?.upperBound ?? 0)
            while next < covered.count, base &+ UInt64(covered[next].upperBound) <= position { next += 1 }
            var cover = next
            while cover < covered.count, base &+ UInt64(covered[cover].lowerBound) < range.upperBound {
                add(position, base &+ UInt64(covered[cover].lowerBound))
                position = max(position, base &+ UInt64(covered[cover].upperBound))
                cover += 1
            }
            add(position, range.upperBound)
        }
        return gaps
    }

    private mutating func findFunctions(
        _ object: ObjectFile, _ source: some ObjectSource, _ base: UInt64, _ limits: UnwindSections.Limits
    ) {
        var ends: [UInt32: UInt32] = [:]
        for section in [ObjectFile.SymbolSection.symbols, .dynamicSymbols] {
            guard
                let symbols = try? object.functionSymbols(section, from: source, limits: limits.object)
            else { continue }
            for symbol in symbols.symbols {
                guard let start = UInt32(exactly: symbol.address &- base), isKept(start) else { continue }
                let size = UInt32(clamping: symbol.size)
                var end = size == 0 ? UInt32.max : UInt32(clamping: UInt64(start) + UInt64(size))
                if Self.isPart(symbols.nameBytes(symbol, limit: 1 << 12)) { end = start }
                // A name for the whole goes before one for a part, a larger size before a smaller.
                ends[start] = max(end, ends[start] ?? 0)
            }
        }
        functions = ends.map { Function(start: $0.key, end: $0.value) }.sorted { $0.start < $1.start }
    }

    /// NAME.cold, NAME.cold.3: what a compiler has moved out of NAME; it begins with NAME's frame already built.
    private static func isPart(_ name: ArraySlice<UInt8>) -> Bool {
        let mark = Array(".cold".utf8)
        var position = name.startIndex
        while let dot = name[position...].firstIndex(of: mark[0]) {
            let rest = name[dot...]
            if rest.starts(with: mark), rest.count == mark.count || rest[dot + mark.count] == mark[0] { return true }
            position = dot + 1
        }
        return false
    }

    private func isKept(_ distance: UInt32) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].start <= distance { low = middle + 1 } else { high = middle }
        }
        return low > 0 && distance - ranges[low - 1].start < ranges[low - 1].size
    }

    func rangeRecords() -> [UInt8] {
        UnwindSections.words(ranges.flatMap { [$0.start, $0.size, $0.offset] })
    }

    func functionRecords() -> [UInt8] { UnwindSections.words(functions.flatMap { [$0.start, $0.end] }) }

    /// Signal trampolines without a description, as musl has them.
    func trampolines(_ architecture: UserArchitecture) -> [UInt32] {
        let found = Self.trampolines(in: bytes, architecture)
        guard !found.isEmpty else { return [] }
        return found.prefix(64).compactMap { offset in
            guard let range = ranges.first(where: { offset >= $0.offset && offset - Int($0.offset) < $0.size }) else {
                return nil
            }
            return range.start &+ UInt32(offset - Int(range.offset))
        }
    }

    /// Offsets of trampolines in code: x86-64 mov rax or eax, 15; syscall. aarch64 mov x8, 139; svc 0.
    static func trampolines(in code: [UInt8], _ architecture: UserArchitecture) -> [Int] {
        let tail: [UInt8] =
            architecture == .x86_64
            ? [0x0F, 0x00, 0x00, 0x00, 0x0F, 0x05] : [0x68, 0x11, 0x80, 0xD2, 0x01, 0x00, 0x00, 0xD4]
        guard code.count >= tail.count else { return [] }
        var found: [Int] = []
        let span = code.span
        for offset in 0...code.count - tail.count where span[offset] == tail[0] {
            var matches = true
            for index in tail.indices where span[offset + index] != tail[index] {
                matches = false
                break
            }
            guard matches else { continue }
            guard architecture == .x86_64 else {
                found.append(offset)
                continue
            }
            if offset >= 3, span[offset - 3] == 0x48, span[offset - 2] == 0xC7, span[offset - 1] == 0xC0 {
                found.append(offset - 3)
            } else if offset >= 1, span[offset - 1] == 0xB8 {
                found.append(offset - 1)
            }
        }
        return found
    }
}
