import Foundation
import Yams

/// Enough of OpenAPI and JSON Schema to hold answers against `openapi.yaml`: a keyword that is not known here is an
/// error, so that nothing in the file goes unread.
struct OpenAPI {
    private let root: [String: Any]

    init() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Sources/ProfilerAggregator/openapi.yaml")
        root = try Yams.load(yaml: String(contentsOf: file, encoding: .utf8)) as? [String: Any] ?? [:]
    }

    var paths: Set<String> { Set((root["paths"] as? [String: Any] ?? [:]).keys) }

    private func operation(_ path: String) -> [String: Any] {
        let path = (root["paths"] as? [String: Any])?[path] as? [String: Any]
        return (path?["get"] ?? path?["post"]) as? [String: Any] ?? [:]
    }

    func parameters(_ path: String) -> Set<String> {
        Set((operation(path)["parameters"] as? [Any] ?? []).compactMap { resolve($0)["name"] as? String })
    }

    func problems(path: String, status: Int, type: String, body: [UInt8]) throws -> [String] {
        let responses = operation(String(path.prefix { $0 != "?" }))["responses"] as? [String: Any] ?? [:]
        guard let response = responses[String(status)] else { return ["status \(status) is not described"] }
        let content = resolve(response)["content"] as? [String: Any] ?? [:]
        guard let media = content[String(type.prefix { $0 != ";" })] as? [String: Any] else {
            return ["content type \(type) is not described"]
        }
        guard type.hasPrefix("application/json") else { return [] }
        let value = try JSONSerialization.jsonObject(with: Data(body), options: [.fragmentsAllowed])
        return check(value, resolve(media["schema"] ?? [:]), "$")
    }

    private func resolve(_ value: Any) -> [String: Any] {
        guard let object = value as? [String: Any] else { return [:] }
        guard let reference = object["$ref"] as? String else { return object }
        var found: Any = root
        for key in reference.dropFirst(2).split(separator: "/") {
            found = (found as? [String: Any])?[String(key)] ?? [String: Any]()
        }
        return resolve(found)
    }

    private func check(_ value: Any, _ schema: [String: Any], _ place: String) -> [String] {
        var problems: [String] = []
        let known = [
            "type", "properties", "required", "additionalProperties", "items", "enum", "allOf", "description", "format",
        ]
        problems += schema.keys.filter { !known.contains($0) }.map { "\(place): keyword \($0) is not known" }
        for part in schema["allOf"] as? [Any] ?? [] { problems += check(value, resolve(part), place) }
        let types = schema["type"] as? [String] ?? (schema["type"] as? String).map { [$0] } ?? []
        if !types.isEmpty, !types.contains(where: { Self.matches(value, $0) }) {
            problems.append("\(place): \(value) is not of type \(types)")
        }
        if let words = schema["enum"] as? [String], !words.contains(value as? String ?? "") {
            problems.append("\(place): \(value) is none of \(words)")
        }
        if let object = value as? [String: Any] {
            let properties = schema["properties"] as? [String: Any] ?? [:]
            for name in schema["required"] as? [String] ?? [] where object[name] == nil {
                problems.append("\(place).\(name) is missing")
            }
            for (name, member) in object {
                if let property = properties[name] {
                    problems += check(member, resolve(property), "\(place).\(name)")
                } else if let rest = schema["additionalProperties"] {
                    if rest as? Bool == false { problems.append("\(place).\(name) is not described") }
                    problems += check(member, resolve(rest), "\(place).\(name)")
                }
            }
        }
        if let array = value as? [Any], let items = schema["items"] {
            for (index, item) in array.enumerated() { problems += check(item, resolve(items), "\(place)[\(index)]") }
        }
        return problems
    }

    private static func matches(_ value: Any, _ type: String) -> Bool {
        switch type {
        case "object": value is [String: Any]
        case "array": value is [Any]
        case "string": value is String
        case "null": value is NSNull
        case "integer": (value as? NSNumber).map { $0.doubleValue == $0.doubleValue.rounded() } ?? false
        case "number": value is NSNumber
        case "boolean": value is Bool
        default: false
        }
    }
}
