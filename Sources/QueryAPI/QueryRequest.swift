internal import Formats
public import Profiles

/// A question of the HTTP API: `GET /api/v1/ENDPOINT?NAME=VALUE&…`.
public struct QueryRequest: Hashable, Sendable {
    public enum Endpoint: String, Hashable, Sendable, CaseIterable {
        case top, flamegraph, timeline, services, hosts, labels, types, agents, diff, regressions
        case compareHosts = "compare-hosts"
    }

    public struct Parameter: Hashable, Sendable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public static let basePath = "/api/v1"

    public var endpoint: Endpoint
    /// In the order of the URI; a name may stand several times.
    public var parameters: [Parameter]

    public init(_ endpoint: Endpoint, parameters: [Parameter] = []) {
        self.endpoint = endpoint
        self.parameters = parameters
    }

    public mutating func add(_ name: String, _ value: String) {
        parameters.append(Parameter(name: name, value: value))
    }

    /// `from` and `to`.
    public mutating func add(_ range: TimeRange) {
        add("from", RFC3339.text(range.start))
        add("to", RFC3339.text(range.end))
    }

    /// Path and query, percent-encoded: what stands in the request line.
    public var uri: String {
        var uri = "\(Self.basePath)/\(endpoint.rawValue)"
        for (index, parameter) in parameters.enumerated() {
            uri += index == 0 ? "?" : "&"
            uri += "\(percentEncoded(parameter.name))=\(percentEncoded(parameter.value))"
        }
        return uri
    }
}

/// Everything but RFC 3986's unreserved characters as %XX of its UTF-8 bytes: no reader of queries disagrees about
/// what is left ('+' and ' ' differ between readers).
func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in text.utf8 {
        let isLetter = byte | 32 >= 97 && byte | 32 <= 122
        let isUnreserved =
            isLetter || (byte >= 48 && byte <= 57) || byte == 45 || byte == 46 || byte == 95 || byte == 126
        if isUnreserved {
            encoded.append(byte)
        } else {
            encoded += [37, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: encoded, as: UTF8.self)
}
