import ByteCoding
import Profiles

/// The distinct windows of some batches: start and length of each, ascending. Hosts' windows are aligned, so they are
/// few.
func encodeWindows(_ windows: Set<TimeRange>) -> [UInt8] {
    var writer = ByteWriter()
    var before: Int64 = 0
    for window in windows.sorted(by: { $0.start < $1.start }) {
        writer.writeSignedVarint(window.start.nanoseconds &- before)
        writer.writeSignedVarint(window.end.nanoseconds &- window.start.nanoseconds)
        before = window.start.nanoseconds
    }
    return writer.bytes
}

func decodeWindows(_ bytes: [UInt8]) throws -> [TimeRange] {
    var reader = unsafe ByteReader(bytes.span.bytes)
    var windows: [TimeRange] = []
    var start: Int64 = 0
    while !reader.isAtEnd {
        start &+= try reader.readSignedVarint()
        windows.append(
            TimeRange(
                start: Timestamp(nanoseconds: start),
                end: Timestamp(nanoseconds: start &+ (try reader.readSignedVarint()))))
    }
    return windows
}

/// Count, then name and value of each.
func encodeLabels(_ labels: [Label]) -> [UInt8] {
    var writer = ByteWriter()
    writer.writeVarint(UInt64(labels.count))
    for label in labels {
        writer.writeString(label.name)
        writer.writeString(label.value)
    }
    return writer.bytes
}

/// nil for bytes that are no labels.
func decodeLabels(_ bytes: [UInt8]) -> [Label]? {
    do {
        var reader = unsafe ByteReader(bytes.span.bytes)
        var labels: [Label] = []
        for _ in 0..<min(try reader.readVarint(), UInt64(bytes.count)) {
            let name = try reader.readString(limit: bytes.count)
            labels.append(Label(name: name, value: try reader.readString(limit: bytes.count)))
        }
        return reader.isAtEnd ? labels : nil
    } catch {
        return nil
    }
}
