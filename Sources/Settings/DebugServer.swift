/// A debuginfod server, by the prefix of its URLs.
public struct DebugServer: Hashable, Sendable, CustomStringConvertible {
    /// Without a slash at its end. May hold a password.
    private let prefix: String

    private static let maximumBytes = 2048
    /// More are not asked.
    private static let maximumCount = 16

    /// nil for anything but http:// and https:// with a host.
    public init?(_ text: some StringProtocol) {
        let lowered = text.lowercased()
        guard let scheme = ["http://", "https://"].first(where: lowered.hasPrefix),
            text.utf8.count <= Self.maximumBytes,
            text.utf8.allSatisfy({ $0 > 32 && $0 < 127 }), !text.contains("#"), !text.contains("?")
        else { return nil }
        var rest = text.dropFirst(scheme.count)
        while rest.last == "/" { rest.removeLast() }
        guard let first = rest.first, first != "/" else { return nil }
        prefix = scheme + rest
    }

    /// Servers in the order of asking, as DEBUGINFOD_URLS names them: separated by spaces (debuginfod-client-config(7)).
    /// `refused` are the words that are none; those of newer clients that say how to check signatures are passed over.
    public static func list(_ text: String) -> (servers: [DebugServer], refused: [String]) {
        var servers: [DebugServer] = []
        var refused: [String] = []
        for word in text.split(whereSeparator: \.isWhitespace) where !word.hasPrefix("ima:") {
            guard let server = DebugServer(word), servers.count < maximumCount else {
                refused.append(String(word))
                continue
            }
            if !servers.contains(server) { servers.append(server) }
        }
        return (servers, refused)
    }

    /// Where debuginfod(8) has the file with debug information of a build ID, which is given in lower-case digits.
    public func url(ofDebugFile buildID: String) -> String { "\(prefix)/buildid/\(buildID)/debuginfo" }

    /// The same for the same server, for files: 16 digits of FNV-1a over the prefix.
    public var digest: String {
        let hash = prefix.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Without name and password.
    public var description: String {
        let start = prefix.index(prefix.startIndex, offsetBy: prefix.hasPrefix("https") ? 8 : 7)
        let end = prefix[start...].firstIndex(of: "/") ?? prefix.endIndex
        let host = prefix[start..<end].split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return "\(prefix[..<start])\(host)\(prefix[end...])"
    }
}
