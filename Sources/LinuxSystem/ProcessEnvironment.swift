import Glibc

/// Reads chosen variables of another process's environment, as it was when its program began.
public enum ProcessEnvironment {
    /// More than this of an environment is not looked at.
    public static let maximumBytes = 1 << 20
    /// A value longer than this is not taken.
    public static let maximumValueBytes = 1024

    /// The variables of `names` that the process has; nil where its environment can't be read.
    ///
    /// An environment holds passwords. Only the named values leave the buffer, which is overwritten before it is freed.
    public static func variables(_ names: [String], of process: Int32) -> [String: String]? {
        let path = "/proc/\(process)/environ"
        let descriptor = unsafe path.withCString { unsafe open($0, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // One buffer that never grows: growing would leave a copy behind that nobody clears.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: maximumBytes, alignment: 16)
        var filled = 0
        defer {
            unsafe explicit_bzero(buffer.baseAddress.unsafelyUnwrapped, filled)
            unsafe buffer.deallocate()
        }
        while filled < maximumBytes {
            let count = unsafe Glibc.read(
                descriptor, buffer.baseAddress?.advanced(by: filled), min(maximumBytes - filled, 65_536))
            if count < 0, errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { break }
            filled += count
        }
        return unsafe variables(names, in: UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
    }

    /// The variables of `names` in a block of `NAME=VALUE` strings that each end in a zero byte; the first one counts,
    /// as getenv(3) has it.
    static func variables(_ names: [String], in block: UnsafeRawBufferPointer) -> [String: String] {
        var found: [String: String] = [:]
        var start = 0
        while start < block.count {
            var end = start
            while end < block.count, unsafe block[end] != 0 { end += 1 }
            for name in names where found[name] == nil {
                let length = name.utf8.count
                guard end - start > length, unsafe block[start + length] == 0x3D else { continue }
                var isSame = true
                for (offset, byte) in name.utf8.enumerated() where unsafe block[start + offset] != byte {
                    isSame = false
                    break
                }
                let value = start + length + 1
                if isSame, end - value <= maximumValueBytes {
                    found[name] = unsafe String(decoding: block[value..<end], as: UTF8.self)
                }
            }
            start = end + 1
        }
        return found
    }
}
