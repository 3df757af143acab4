import Formats
import HTTPTypes
import Hummingbird
import NIOCore
import Patterns
import ProfileStore

/// An answer that is an error: `{"error":{"code","message","nearby":[…]}}`.
struct APIError: Error, Equatable {
    enum Code: String, CaseIterable {
        case badRequest = "bad_request"
        case noData = "no_data"
        case notFound = "not_found"
        case internalError = "internal"
        case unavailable

        var status: HTTPResponse.Status {
            switch self {
            case .badRequest: .badRequest
            case .noData, .notFound: .notFound
            case .internalError: .internalServerError
            case .unavailable: .serviceUnavailable
            }
        }
    }

    var code: Code
    var message: String
    /// What exists that may have been meant.
    var nearby: [String] = []

    init(_ code: Code, _ message: String, nearby: [String] = []) {
        self.code = code
        self.message = message
        self.nearby = nearby
    }

    init(_ error: ProfileStoreError) {
        switch error {
        case .deadlineExceeded, .cancelled: self.init(.unavailable, error.description)
        case .tooLarge: self.init(.badRequest, error.description)
        default: self.init(.internalError, error.description)
        }
    }

    init(_ error: PatternError, parameter: String) {
        self.init(.badRequest, "\(parameter): '\(error.pattern)' is no regular expression: \(error)")
    }

    var json: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("error")
        writer.beginObject()
        writer.member("code", code.rawValue)
        writer.member("message", message)
        writer.key("nearby")
        writer.beginArray()
        for name in nearby { writer.value(name) }
        writer.endArray()
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    var response: Response {
        Response(
            status: code.status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json + [0x0A])))
    }
}
