import Glibc

/// Reads files of /proc, whose size is known only by reading them to their end.
public enum ProcFile {
    /// The most that is read of any file; the longest real ones (maps of a process with 65,530 mappings) stay below.
    public static let maximumBytes = 16 << 20

    /// The whole content, or nil where the file can't be opened or read (the process may have gone meanwhile).
    ///
    /// What lies beyond `limit` bytes is cut off.
    public static func read(_ path: String, limit: Int = maximumBytes) -> [UInt8]? {
        let descriptor = unsafe path.withCString { unsafe open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content = [UInt8](repeating: 0, count: min(limit, 4096))
        var filled = 0
        while filled < limit {
            if filled == content.count {
                content.append(contentsOf: repeatElement(0, count: min(content.count * 3, limit - content.count)))
            }
            let room = content.count - filled
            let count = unsafe content.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress?.advanced(by: filled), room)
            }
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if count == 0 { break }
            filled += count
        }
        content.removeLast(content.count - filled)
        return content
    }

    /// The target of a symbolic link such as /proc/PID/exe; nil where it can't be read.
    public static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe path.withCString { unsafe readlink($0, &buffer, buffer.count) }
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The entries of a directory whose names are decimal numbers: processes of /proc, threads of /proc/PID/task.
    public static func numbers(in directory: String) -> [Int32] {
        guard let stream = unsafe opendir(directory) else { return [] }
        defer { unsafe closedir(stream) }
        var numbers: [Int32] = []
        while let entry = unsafe readdir(stream) {
            var value: Int32 = 0
            var digits = 0
            var isNumber = true
            unsafe withUnsafeBytes(of: &entry.pointee.d_name) { name in
                for index in name.indices {
                    let byte = unsafe name[index]
                    if byte == 0 { break }
                    let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                    guard byte >= 48, byte <= 57, !overflow else {
                        isNumber = false
                        break
                    }
                    value = product &+ Int32(byte - 48)
                    digits += 1
                }
            }
            if isNumber, digits > 0, value > 0 { numbers.append(value) }
        }
        return numbers.sorted()
    }
}

/// Walks through the fields of a text of /proc.
struct TextFields {
    let bytes: ArraySlice<UInt8>
    private(set) var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    var isAtEnd: Bool { position >= bytes.endIndex }
    var rest: ArraySlice<UInt8> { bytes[position...] }

    mutating func skipSpaces() {
        while position < bytes.endIndex, bytes[position] == 32 || bytes[position] == 9 { position += 1 }
    }

    /// A number in the given base, at most 64 bits; nil, and nothing consumed, where there is none.
    mutating func number(radix: UInt64 = 10) -> UInt64? {
        var value: UInt64 = 0
        var next = position
        while next < bytes.endIndex {
            let digit: UInt64
            switch bytes[next] {
            case 48...57: digit = UInt64(bytes[next] - 48)
            case 97...102: digit = UInt64(bytes[next] - 87)
            default: digit = 99
            }
            guard digit < radix else { break }
            let (product, overflow) = value.multipliedReportingOverflow(by: radix)
            let (sum, carry) = product.addingReportingOverflow(digit)
            guard !overflow, !carry else { return nil }
            value = sum
            next += 1
        }
        guard next > position else { return nil }
        position = next
        return value
    }

    /// True, and the byte consumed, where the next byte is this one.
    mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.endIndex, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    /// The bytes up to the next blank or the end.
    mutating func word() -> ArraySlice<UInt8> {
        let start = position
        while position < bytes.endIndex, bytes[position] != 32, bytes[position] != 9 { position += 1 }
        return bytes[start..<position]
    }
}
