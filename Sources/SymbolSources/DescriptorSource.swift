import LinuxSystem
public import ObjectFiles

/// An object file behind a descriptor, read by pread: a file that is shortened meanwhile gives an error and no SIGBUS.
public struct DescriptorSource: ObjectSource {
    private let descriptor: Int32
    public let byteCount: UInt64

    /// The descriptor stays the caller's and must stay open as long as this is used. Throws for anything but a regular
    /// file, and `.overLimit` above `maximumBytes`.
    public init(_ descriptor: Int32, maximumBytes: UInt64 = Self.maximumBytes) throws(ObjectFileError) {
        self.descriptor = descriptor
        do { byteCount = try FileBytes.size(descriptor) } catch { throw .unreadable(error.code) }
        guard byteCount <= maximumBytes else {
            throw .overLimit(what: "bytes of the file", value: byteCount, limit: maximumBytes)
        }
    }

    /// Largest file that is looked into; of these bytes only headers, notes and symbols are read.
    public static let maximumBytes: UInt64 = 4 << 30

    public func bytes(at offset: UInt64, count: Int) throws(ObjectFileError) -> [UInt8] {
        do { return try FileBytes.read(descriptor, at: offset, count: count) } catch { throw .unreadable(error.code) }
    }
}
