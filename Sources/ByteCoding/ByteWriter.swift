/// Builds little-endian bytes; the counterpart of `ByteReader`.
public struct ByteWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init(reserving capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    public mutating func write(_ value: UInt8) { bytes.append(value) }
    public mutating func write(_ value: UInt16) { writeFixed(value) }
    public mutating func write(_ value: UInt32) { writeFixed(value) }
    public mutating func write(_ value: UInt64) { writeFixed(value) }
    public mutating func write(_ values: some Collection<UInt8>) { bytes.append(contentsOf: values) }

    /// Unsigned LEB128 (DWARF 5, 7.6).
    public mutating func writeVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Zigzag form: small magnitudes of either sign stay short.
    public mutating func writeSignedVarint(_ value: Int64) {
        writeVarint(UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    public mutating func writePrefixedBytes(_ values: some Collection<UInt8>) {
        writeVarint(UInt64(values.count))
        bytes.append(contentsOf: values)
    }

    public mutating func writeString(_ string: String) {
        writePrefixedBytes(string.utf8)
    }

    private mutating func writeFixed(_ value: some FixedWidthInteger) {
        var rest = value.littleEndian
        unsafe withUnsafeBytes(of: &rest) { unsafe bytes.append(contentsOf: $0) }
    }
}
