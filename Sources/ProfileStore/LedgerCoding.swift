import ByteCoding
import Profiles

// Ledgers and drop counts as the store keeps them: varints, reasons by the index that is never reused.
extension Ledger {
    var encoded: [UInt8] {
        var writer = ByteWriter()
        for value in [taken, lateRecords, missedTicks, throttledTicks] { writer.writeVarint(value) }
        writer.write(encodeDrops(dropped))
        return writer.bytes
    }

    init(decoding bytes: [UInt8]) throws(ByteCodingError) {
        self.init()
        var reader = unsafe ByteReader(bytes.span.bytes)
        taken = try reader.readVarint()
        lateRecords = try reader.readVarint()
        missedTicks = try reader.readVarint()
        throttledTicks = try reader.readVarint()
        dropped = try decodeDrops(try reader.readBytes(reader.remaining))
    }
}

func encodeDrops(_ drops: [DropReason: UInt64]) -> [UInt8] {
    var writer = ByteWriter()
    for reason in DropReason.allCases {
        guard let count = drops[reason], count > 0 else { continue }
        writer.writeVarint(UInt64(reason.index))
        writer.writeVarint(count)
    }
    return writer.bytes
}

func decodeDrops(_ bytes: [UInt8]) throws(ByteCodingError) -> [DropReason: UInt64] {
    var reader = unsafe ByteReader(bytes.span.bytes)
    var drops: [DropReason: UInt64] = [:]
    while !reader.isAtEnd {
        let index = try reader.readVarint()
        let count = try reader.readVarint()
        // A reason of a newer version is passed over by number, never guessed.
        guard let reason = DropReason.allCases.first(where: { UInt64($0.index) == index }) else { continue }
        drops[reason, default: 0] &+= count
    }
    return drops
}
