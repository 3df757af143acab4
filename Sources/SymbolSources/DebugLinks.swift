import ByteCoding
import Compression
public import ObjectFiles

/// What an object file says of where its debug information is.
public struct DebugLinks: Hashable, Sendable {
    /// It has DWARF of its own.
    public var hasDebugInformation = false
    /// It has a full symbol table.
    public var hasSymbols = false
    /// `.gnu_debuglink`: a file name without directories, and the CRC-32 of that file.
    public var link: Link?
    /// `.gnu_debugaltlink` (dwz): a path, and the build ID of the file shared by several.
    public var alternate: Alternate?

    public struct Link: Hashable, Sendable {
        public var name: String
        public var checksum: UInt32

        public init(name: String, checksum: UInt32) {
            self.name = name
            self.checksum = checksum
        }
    }

    public struct Alternate: Hashable, Sendable {
        public var path: String
        public var buildID: [UInt8]

        public init(path: String, buildID: [UInt8]) {
            self.path = path
            self.buildID = buildID
        }
    }

    public init() {}

    /// Names that lead elsewhere and sections that make no sense are left out.
    public init(_ object: ObjectFile, from source: some ObjectSource) {
        guard let sections = try? object.sections.get() else { return }
        hasDebugInformation = DebugImage.isPresent(in: object)
        hasSymbols = sections.contains { $0.type == 2 && $0.size > 0 }
        if let bytes = Self.bytes(of: ".gnu_debuglink", in: sections, source), let (name, rest) = Self.text(bytes),
            !name.contains("/"), name != "..", name != "."
        {
            // Padded to 4 bytes from the section's start.
            let place = (bytes.count - rest.count + 3) / 4 * 4
            if bytes.count >= place + 4 {
                let checksum = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) }
                link = Link(name: name, checksum: checksum)
            }
        }
        if let bytes = Self.bytes(of: ".gnu_debugaltlink", in: sections, source), let (path, rest) = Self.text(bytes),
            rest.count >= 2, rest.count <= 64
        {
            alternate = Alternate(path: path, buildID: Array(rest))
        }
    }

    private static func bytes(of name: String, in sections: [Section], _ source: some ObjectSource) -> [UInt8]? {
        guard let section = sections.first(where: { $0.name == name && $0.type != 8 }), section.size <= 8192,
            section.offset <= source.byteCount, section.size <= source.byteCount - section.offset
        else { return nil }
        return try? source.bytes(at: section.offset, count: Int(section.size))
    }

    /// UTF-8 up to a zero, and what is behind it.
    private static func text(_ bytes: [UInt8]) -> (String, ArraySlice<UInt8>)? {
        guard let zero = bytes.firstIndex(of: 0), zero > 0, zero <= 4096,
            let text = String(validating: bytes[..<zero], as: UTF8.self)
        else { return nil }
        return (text, bytes[(zero + 1)...])
    }

    /// The CRC-32 of a whole file.
    static func checksum(_ source: some ObjectSource) throws(ObjectFileError) -> UInt32 {
        var checksum: UInt32 = 0
        var offset: UInt64 = 0
        while offset < source.byteCount {
            let part = try source.bytes(at: offset, count: Int(min(4 << 20, source.byteCount - offset)))
            checksum = Zlib.crc32(part, previous: checksum)
            offset += UInt64(part.count)
        }
        return checksum
    }

    /// The small ELF file in `.gnu_debugdata` (MiniDebugInfo), expanded; nil where there is none or it is damaged.
    static func miniature(_ object: ObjectFile, from source: some ObjectSource) -> ObjectBytes? {
        guard let section = try? object.sections.get().first(where: { $0.name == ".gnu_debugdata" && $0.type != 8 }),
            section.size <= 64 << 20, section.offset <= source.byteCount,
            section.size <= source.byteCount - section.offset,
            let packed = try? source.bytes(at: section.offset, count: Int(section.size)),
            let bytes = try? XZ.decompress(packed, limit: 256 << 20)
        else { return nil }
        return ObjectBytes(bytes)
    }
}
