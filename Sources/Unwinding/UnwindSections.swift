import ByteCoding
public import ObjectFiles
import Profiles

/// Makes the unwind sections of a module as one flat blob, for `UnwindTable`.
///
/// The index is made from the descriptions themselves, not from .eh_frame_hdr: it holds .debug_frame's too, is sorted
/// whatever the linker did, and leaves out what describes no code. Reading 13 MB of descriptions takes less time than
/// reading them from a disk.
public enum UnwindSections {
    /// What a file may make us keep.
    public struct Limits: Sendable {
        /// Bytes of .eh_frame, and of .debug_frame.
        public var frameBytes: UInt64 = 256 << 20
        /// Frame descriptions.
        public var entries = 1 << 23
        /// Bytes of code that is kept where no description covers it.
        public var codeBytes: UInt64 = 64 << 20
        /// Load segments.
        public var segments = 64
        public var object = ObjectFile.Limits()

        public init() {}
    }

    /// Runs where files may be read that nobody vouches for. A file without any unwind information gives a blob too: it
    /// has code.
    ///
    /// - Parameters:
    ///   - source: the one that `object` was read from.
    ///   - expand: the bytes of a section that is compressed, as Go's linker leaves .debug_frame; nil where they can't be
    ///     had.
    public static func encode(
        _ object: ObjectFile, from source: some ObjectSource, limits: Limits = Limits(),
        expand: (Section) -> [UInt8]? = { _ in nil }
    ) throws(UnwindSectionsError) -> [UInt8] {
        guard let architecture = UserArchitecture(machine: object.machine) else {
            throw .unsupportedMachine(object.machine)
        }
        guard object.loadSegments.count <= limits.segments else {
            throw .overLimit(
                what: "load segments", value: UInt64(object.loadSegments.count), limit: UInt64(limits.segments))
        }
        let base = (object.loadSegments.map(\.virtualAddress).min() ?? 0) & ~0xFFF
        var gatherer = FrameGatherer(object, base: base, limits: limits)
        do throws(ObjectFileError) {
            try gatherer.gather(from: source, expand: expand)
        } catch {
            throw .object(error)
        }
        let kept = KeptCode.find(in: object, from: source, covered: gatherer.covered, base: base, limits: limits)
        var parts: [(EncodedSections.Part, address: UInt64, bytes: [UInt8])] = []
        parts.append((.segments, 0, segmentRecords(object.loadSegments)))
        parts.append((.index, 0, gatherer.indexRecords()))
        parts.append((.exceptionFrames, gatherer.exceptionFrames.address, gatherer.exceptionFrames.bytes))
        parts.append((.debugFrames, gatherer.debugFrames.address, gatherer.debugFrames.bytes))
        parts.append((.code, 0, kept.bytes))
        parts.append((.codeRanges, 0, kept.rangeRecords()))
        parts.append((.functionStarts, 0, kept.functionRecords()))
        parts.append((.stubs, 0, stubRecords(object, base: base)))
        let trampolines = kept.trampolines(architecture) + gatherer.trampolines(in: object, from: source, architecture)
        parts.append((.trampolines, 0, words(Set(trampolines).sorted())))
        parts.append((.stackRoots, 0, GoStackRoots.records(in: object, from: source, base: base, limits: limits)))
        return blob(parts.filter { !$0.bytes.isEmpty }, object: object, base: base)
    }

    private static func segmentRecords(_ segments: [LoadSegment]) -> [UInt8] {
        var writer = ByteWriter(reserving: segments.count * 24)
        for segment in segments.filter(\.isExecutable) + segments.filter({ !$0.isExecutable }) {
            writer.write(segment.fileOffset)
            writer.write(segment.fileSize)
            writer.write(segment.virtualAddress)
        }
        return writer.bytes
    }

    private static func stubRecords(_ object: ObjectFile, base: UInt64) -> [UInt8] {
        var writer = ByteWriter()
        for section in (try? object.sections.get()) ?? [] where section.isExecutable && section.isLoaded {
            let kind: EncodedSections.StubKind
            switch section.name {
            case ".plt": kind = .lazy
            case ".plt.sec", ".plt.got", ".iplt", ".plt.bnd": kind = .plain
            default: continue
            }
            guard let start = UInt32(exactly: section.address &- base), let size = UInt32(exactly: section.size) else {
                continue
            }
            writer.write(start)
            writer.write(size)
            writer.write(kind.rawValue)
            if writer.bytes.count >= 16 * 12 { break }
        }
        return writer.bytes
    }

    static func words(_ values: [UInt32]) -> [UInt8] {
        var writer = ByteWriter(reserving: values.count * 4)
        for value in values { writer.write(value) }
        return writer.bytes
    }

    private static func blob(
        _ parts: [(kind: EncodedSections.Part, address: UInt64, bytes: [UInt8])], object: ObjectFile, base: UInt64
    ) -> [UInt8] {
        func padded(_ count: Int) -> Int { (count + 7) / 8 * 8 }
        let headEnd = EncodedSections.headerBytes + parts.count * EncodedSections.partBytes
        let total = parts.reduce(headEnd) { $0 + padded($1.bytes.count) }
        var writer = ByteWriter(reserving: total)
        writer.write(EncodedSections.magic)
        writer.write(EncodedSections.version)
        writer.write(UInt32(object.machine))
        writer.write(base)
        writer.write(object.entryPoint)
        writer.write(UInt64(total))
        writer.write(UInt32(parts.count))
        writer.write(repeatElement(0, count: EncodedSections.headerBytes - writer.bytes.count))
        var offset = headEnd
        for part in parts {
            writer.write(part.kind.rawValue)
            writer.write(UInt32(8))
            writer.write(part.address)
            writer.write(UInt64(offset))
            writer.write(UInt64(part.bytes.count))
            offset += padded(part.bytes.count)
        }
        for part in parts {
            writer.write(part.bytes)
            writer.write(repeatElement(0, count: padded(part.bytes.count) - part.bytes.count))
        }
        return writer.bytes
    }
}
