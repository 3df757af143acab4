/// Where an aggregator's HTTP API is: `http://HOST[:PORT][/PREFIX]`. The port is 80 unless given, as in any URL.
public struct ServerURL: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; IPv6 without brackets.
    public var host: String
    public var port: Int
    /// Before /api/v1, for an aggregator behind a proxy; empty, or with a slash in front and none behind.
    public var prefix: String

    public static let standard = "http://127.0.0.1:7172"

    public init(_ text: String) throws(QueryError) {
        func unusable(_ reason: String) -> QueryError { .unusableURL(text, reason: reason) }
        guard let scheme = text.range(of: "://") else { throw unusable("it must begin with http://") }
        switch text[..<scheme.lowerBound].lowercased() {
        case "http": break
        case "https": throw unusable("https comes later; use http:// over a connection that you trust")
        default: throw unusable("it must begin with http://")
        }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var path = rest[authority.endIndex...]
        while path.hasSuffix("/") { path.removeLast() }
        let isPlain: (UInt8) -> Bool = { $0 > 32 && $0 < 127 && $0 != 63 && $0 != 35 }
        guard path.utf8.allSatisfy(isPlain) else {
            throw unusable("a path without '?', '#' and spaces may follow the port")
        }
        guard !authority.contains("@") else { throw unusable("user names and passwords in URLs are not taken") }

        var host = authority
        var digits = authority[authority.endIndex...]
        if authority.hasPrefix("[") {
            guard let bracket = authority.firstIndex(of: "]") else { throw unusable("a bracket is missing") }
            host = authority[authority.index(after: authority.startIndex)..<bracket]
            let after = authority[authority.index(after: bracket)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw unusable("only a port may follow the bracket") }
            digits = after.dropFirst()
            guard after.isEmpty || !digits.isEmpty else { throw unusable("the port is missing after ':'") }
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            digits = authority[authority.index(after: colon)...]
            guard !digits.isEmpty else { throw unusable("the port is missing after ':'") }
        }
        guard !host.isEmpty, host.utf8.allSatisfy(isPlain) else { throw unusable("the host name is missing") }
        var port = 80
        if !digits.isEmpty {
            guard digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let number = Int(digits),
                (1...65_535).contains(number)
            else { throw unusable("the port must be 1 to 65535") }
            port = number
        }
        self.host = String(host)
        self.port = port
        prefix = String(path)
    }

    /// `HOST:PORT`, as in the Host header.
    var authority: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    public var description: String { "http://\(authority)\(prefix)" }
}

extension String {
    /// The first place where `part` stands. (Foundation's has the same name; this file needs no other part of it.)
    fileprivate func range(of part: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(part) { return start..<index(start, offsetBy: part.count) }
            start = index(after: start)
        }
        return nil
    }
}
