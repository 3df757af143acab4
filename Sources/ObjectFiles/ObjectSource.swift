/// Where an object file's bytes come from: memory, or a descriptor that is read piece by piece.
///
/// Pieces are copied, never mapped: a mapped file that another process shortens kills its reader with SIGBUS.
public protocol ObjectSource {
    /// The whole file's size.
    var byteCount: UInt64 { get }
    /// Exactly `count` bytes from `offset`; the caller has checked both against `byteCount`. Throws when the file has
    /// become shorter meanwhile, or can't be read.
    func bytes(at offset: UInt64, count: Int) throws(ObjectFileError) -> [UInt8]
}

/// An object file that lies in memory.
public struct ObjectBytes: ObjectSource, Sendable {
    private let contents: [UInt8]

    public init(_ contents: [UInt8]) {
        self.contents = contents
    }

    public var byteCount: UInt64 { UInt64(contents.count) }

    public func bytes(at offset: UInt64, count: Int) throws(ObjectFileError) -> [UInt8] {
        guard count >= 0, offset <= byteCount, UInt64(count) <= byteCount - offset else {
            throw .truncated(what: "a part", offset: offset, needed: UInt64(max(count, 0)), size: byteCount)
        }
        return Array(contents[Int(offset)..<Int(offset) + count])
    }
}

extension ObjectSource {
    /// The bytes of a part that the file's headers name; checked against the limit and the file's size.
    func part(_ what: String, at offset: UInt64, size: UInt64, limit: UInt64) throws(ObjectFileError) -> [UInt8] {
        guard size <= limit else { throw .overLimit(what: "bytes of \(what)", value: size, limit: limit) }
        guard offset <= byteCount, size <= byteCount - offset else {
            throw .truncated(what: what, offset: offset, needed: size, size: byteCount)
        }
        return try bytes(at: offset, count: Int(size))
    }
}
