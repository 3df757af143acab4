/// Why there is no answer. Each description is one message for the user.
public enum QueryError: Error, Hashable, Sendable, CustomStringConvertible {
    case unusableURL(String, reason: String)
    /// No connection.
    case unreachable(ServerURL, reason: String)
    /// A connection, but no whole answer within the time.
    case timedOut(ServerURL, seconds: Double)
    case closedEarly(ServerURL, reason: String)
    case tooLarge(ServerURL, limitBytes: Int)
    /// What came isn't HTTP, or isn't the API's JSON.
    case malformed(ServerURL, reason: String)
    /// The aggregator said why not.
    case refused(ServerURL, status: Int, ServerError)
    /// The question was understood; nothing matches it.
    case noData(message: String, nearby: [String])

    public var description: String {
        switch self {
        case .unusableURL(let text, let reason):
            "'\(text)' can't be used as the aggregator's URL (--server or PERF_SERVER): \(reason)"
        case .unreachable(let server, let reason):
            """
            can't reach the aggregator at \(server): \(reason); is perf-aggregator running there? The URL is set with \
            --server or PERF_SERVER
            """
        case .timedOut(let server, let seconds):
            """
            no whole answer from \(server) within \(seconds.formattedSeconds) s; ask about a shorter time or fewer services, or give it \
            longer with --timeout
            """
        case .closedEarly(let server, let reason):
            "the connection to \(server) ended before the answer did: \(reason)"
        case .tooLarge(let server, let limit):
            "the answer of \(server) is larger than \(limit >> 20) MiB; ask about a shorter time or fewer services"
        case .malformed(let server, let reason):
            "\(server) answers, but not as an aggregator does (--server or PERF_SERVER): \(reason)"
        case .refused(let server, let status, let error):
            "\(server) answers \(status) (\(error.code)): " + Self.text(error.message, nearby: error.nearby ?? [])
        case .noData(let message, let nearby):
            Self.text(message, nearby: nearby)
        }
    }

    private static func text(_ message: String, nearby: [String]) -> String {
        nearby.isEmpty ? message : "\(message); there is: \(nearby.joined(separator: ", "))"
    }
}

/// What stands in an error answer: `{"error":{"code","message","nearby":[…]}}`.
public struct ServerError: Hashable, Sendable, Codable {
    /// `bad_request`, `no_data`, `internal`, `unavailable`.
    public var code: String
    public var message: String
    /// What does exist, where nothing matched or a word is not known.
    public var nearby: [String]?

    public init(code: String, message: String, nearby: [String]? = nil) {
        self.code = code
        self.message = message
        self.nearby = nearby
    }

    /// The JSON object around it.
    public struct Envelope: Hashable, Sendable, Codable {
        public var error: ServerError

        public init(error: ServerError) {
            self.error = error
        }
    }
}

extension Double {
    /// `60`, `0.3`.
    fileprivate var formattedSeconds: String {
        let text = description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
