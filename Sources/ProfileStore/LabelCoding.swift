import ByteCoding
import Profiles

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
