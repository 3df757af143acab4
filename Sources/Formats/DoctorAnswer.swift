/// The answer of `perf-agent doctor`.
public struct DoctorAnswer: Hashable, Sendable, Decodable, JSONAnswer {
    public enum State: String, Hashable, Sendable, Decodable {
        case ok, limited, missing
    }

    public struct Check: Hashable, Sendable, Decodable, JSONAnswer {
        public var name: String
        public var state: State
        /// What was found.
        public var detail: String
        /// What to change to make it better; nil where nothing is to be done.
        public var remedy: String?

        public init(name: String, state: State, detail: String, remedy: String? = nil) {
            self.name = name
            self.state = state
            self.detail = detail
            self.remedy = remedy
        }

        public func write(to writer: inout JSONWriter) {
            writer.beginObject()
            writer.member("name", name)
            writer.member("state", state.rawValue)
            writer.member("detail", detail)
            writer.member("remedy", remedy)
            writer.endObject()
        }
    }

    public var canSample: Bool
    public var checks: [Check]

    public init(canSample: Bool, checks: [Check]) {
        self.canSample = canSample
        self.checks = checks
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("canSample", canSample)
        writer.key("checks")
        writer.array(checks)
        writer.endObject()
    }
}
