internal import Glibc

/// Reads whole files of the kernel's (/proc, /sys), whose size isn't known beforehand.
public enum SmallFile {
    /// At most `limit` bytes; what lies beyond is left out.
    public static func bytes(_ path: String, limit: Int = 1 << 20) throws(SystemCallError) -> [UInt8] {
        var buffer: [UInt8] = []
        try read(path, into: &buffer, limit: limit)
        return buffer
    }

    /// The same into a buffer that is kept, so that a file read again and again allocates once.
    public static func read(
        _ path: String, into buffer: inout [UInt8], limit: Int = 1 << 20
    ) throws(SystemCallError) {
        let file = try OwnedDescriptor.open(path)
        buffer.removeAll(keepingCapacity: true)
        while buffer.count < limit {
            let before = buffer.count
            let step = min(max(4096, buffer.capacity - before), limit - before)
            buffer.append(contentsOf: repeatElement(0, count: step))
            let got = unsafe buffer.withUnsafeMutableBytes { memory in
                unsafe Glibc.read(file.rawValue, memory.baseAddress.map { unsafe $0 + before }, step)
            }
            let code = errno
            buffer.removeLast(step - max(0, got))
            if got == 0 { return }
            if got < 0, code != EINTR { throw SystemCallError("read", on: path, code: code) }
        }
    }

    /// The text without white space at its end; nil where the file can't be read or isn't UTF-8.
    public static func text(_ path: String, limit: Int = 1 << 20) -> String? {
        guard let bytes = try? bytes(path, limit: limit), let text = String(validating: bytes, as: UTF8.self) else {
            return nil
        }
        var end = text.endIndex
        while end > text.startIndex, text[text.index(before: end)].isWhitespace { end = text.index(before: end) }
        return String(text[..<end])
    }

    /// A file that holds one decimal number.
    public static func integer(_ path: String) -> Int? {
        text(path, limit: 64).flatMap { Int($0) }
    }
}
