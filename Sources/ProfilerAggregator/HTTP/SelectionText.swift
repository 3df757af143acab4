import Formats
import Profiles
import Settings

/// One side of a comparison as users type it, `service=web,host!=web-1*,label:zone=a,from=-2h,to=-1h`, as parameters of a
/// question. Parts are separated by commas, a backslash takes the next character as it is; a key may stand several times.
struct SelectionText: Equatable {
    /// Names and values as in a URI; times in RFC 3339.
    private(set) var parameters: [(name: String, value: String)] = []

    private static let keys = [
        "service", "host", "process", "thread", "type", "version", "frame", "label:K", "from", "to",
    ]
    private static let maximumBytes = 16 << 10

    /// - Parameters:
    ///   - name: of the parameter that holds the text, for errors.
    ///   - common: parameters for both sides; those of a key that the text has too are left out.
    init(
        _ text: String, name: String, common: [(name: String, value: String)], now: Timestamp
    ) throws(APIError) {
        guard text.utf8.count <= Self.maximumBytes else {
            throw APIError(.badRequest, "\(name): longer than \(Self.maximumBytes) bytes")
        }
        for part in Self.parts(text) {
            let trimmed = part.trimmingSpaces
            if trimmed.isEmpty {
                if text.trimmingSpaces.isEmpty { break }
                throw APIError(.badRequest, "\(name): there is an empty part in '\(text)'")
            }
            guard let sign = trimmed.firstIndex(of: "=") else {
                throw APIError(.badRequest, "\(name): '\(trimmed)' is neither KEY=VALUE nor KEY!=VALUE")
            }
            var key = String(trimmed[..<sign])
            let isNegated = key.hasSuffix("!")
            if isNegated { key.removeLast() }
            try add(key, String(trimmed[trimmed.index(after: sign)...]), isNegated, name, now)
        }
        let given = Set(parameters.map(Self.subject))
        parameters += common.filter { !given.contains(Self.subject($0)) }
    }

    /// What a parameter is about: labels are told apart by their names.
    private static func subject(_ parameter: (name: String, value: String)) -> String {
        guard parameter.name == "label", let label = LabelPattern(parameter.value) else { return parameter.name }
        return "label:\(label.name)"
    }

    static func == (left: SelectionText, right: SelectionText) -> Bool {
        left.parameters.elementsEqual(right.parameters) { $0 == $1 }
    }

    private mutating func add(
        _ key: String, _ value: String, _ isNegated: Bool, _ name: String, _ now: Timestamp
    ) throws(APIError) {
        if key.hasPrefix("label:"), key.utf8.count > 6 {
            parameters.append(("label", String(key.dropFirst(6)) + (isNegated ? "!=" : "=") + value))
            return
        }
        guard Self.keys.contains(key), key != "label:K" else {
            let nearest = key.hasPrefix("label") ? "label:K" : nearestName(to: key, among: Self.keys)
            throw APIError(
                .badRequest, "\(name): '\(key)' is no key of a selection", nearby: nearest.map { [$0] } ?? Self.keys)
        }
        switch key {
        case "from", "to":
            guard !isNegated, let time = TimeExpression(value) else {
                throw APIError(
                    .badRequest, "\(name): \(key) needs \(TimeExpression.expected), not '\(value)'")
            }
            parameters.append((key, RFC3339.text(time.moment(now: now))))
        case "type" where isNegated:
            throw APIError(.badRequest, "\(name): \(key) can't be negated")
        default:
            guard !value.isEmpty else { throw APIError(.badRequest, "\(name): \(key) has no value") }
            parameters.append((key, (isNegated ? "!" : "") + value))
        }
    }

    /// What stands between commas. A backslash takes a comma or a backslash as it is, and is itself before anything else, as
    /// in regular expressions.
    private static func parts(_ text: String) -> [String] {
        var parts = [""]
        var isTaken = false
        for character in text {
            if isTaken {
                if character != ",", character != "\\" { parts[parts.count - 1].append("\\") }
                parts[parts.count - 1].append(character)
                isTaken = false
            } else if character == "\\" {
                isTaken = true
            } else if character == "," {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        if isTaken { parts[parts.count - 1].append("\\") }
        return parts
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var text = Substring(self)
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
