internal import Glibc

/// A configuration file's text and where it lies. The text is at most 1 MiB.
public struct SettingsFile: Hashable, Sendable {
    public var path: String
    public var text: String

    public init(path: String, text: String) {
        self.path = path
        self.text = text
    }

    static let largestBytes = 1 << 20

    /// The whole file. Errors name the path and the reason.
    public static func read(_ path: String) throws(SettingsError) -> SettingsFile {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, reason: reason(errno)) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw .unreadable(path: path, reason: reason(errno))
            }
            if count == 0 { break }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= largestBytes else {
                throw .unreadable(path: path, reason: "larger than \(largestBytes) bytes")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .unreadable(path: path, reason: "not UTF-8 text")
        }
        return SettingsFile(path: path, text: text)
    }

    /// The file that was asked for, else `standardPath` if it exists, else nil. That a file was asked for and is not
    /// there is an error; that the standard one is there and can't be read is one too.
    public static func find(asked path: String?, standardPath: String) throws(SettingsError) -> SettingsFile? {
        if let path { return try read(path) }
        guard unsafe access(standardPath, F_OK) == 0 else { return nil }
        return try read(standardPath)
    }

    private static func reason(_ number: CInt) -> String {
        switch number {
        case ENOENT: "there is no such file (it is set with --config)"
        case EACCES: "permission denied; run as a user who may read it, or change its mode"
        case EISDIR: "it is a directory"
        default: unsafe String(cString: strerror(number))
        }
    }
}
