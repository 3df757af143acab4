import Foundation
import Glibc
import Logging
import Profiles
import Settings
import WireProtocol

@testable import ProfilerAggregator

/// An aggregator in this process, on free ports, over a directory of its own.
final class LiveServer: Sendable {
    let addresses: Aggregator.Addresses
    let directory: String
    private let stopper: AsyncStream<Void>.Continuation
    private let running: Task<Void, any Error>

    init(directory: String? = nil) async throws {
        let path = directory ?? FileManager.default.temporaryDirectory.path + "/aggregator-" + UUID().uuidString
        self.directory = path
        var settings = AggregatorSettings()
        settings.dataDirectory = path
        settings.agentsAddress = HostAndPort(host: "127.0.0.1", port: 0)
        settings.httpAddress = HostAndPort(host: "127.0.0.1", port: 0)
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        let aggregator = Aggregator(settings: settings, logger: logger)
        let (stops, stopper) = AsyncStream<Void>.makeStream()
        let (ready, isReady) = AsyncStream<Aggregator.Addresses>.makeStream()
        self.stopper = stopper
        running = Task {
            defer { isReady.finish() }
            try await aggregator.run(
                ready: { isReady.yield($0) },
                until: {
                    for await _ in stops { return }
                })
        }
        var iterator = ready.makeAsyncIterator()
        guard let addresses = await iterator.next() else {
            try await running.value
            throw CancellationError()
        }
        self.addresses = addresses
    }

    func stop() async throws {
        stopper.yield()
        try await running.value
    }

    func get(_ path: String) async throws -> (status: Int, type: String, body: [UInt8]) {
        try await ask("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [])
    }

    func post(
        _ path: String, type: String, _ body: [UInt8]
    ) async throws -> (status: Int, type: String, body: [UInt8]) {
        let head = "POST \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \(type)\r\n"
        return try await ask(head + "Content-Length: \(body.count)\r\n\r\n", body)
    }

    private func ask(
        _ head: String, _ body: [UInt8]
    ) async throws -> (status: Int, type: String, body: [UInt8]) {
        let port = addresses.http.port
        return try await onThread {
            let connection = try RawConnection(port: port)
            try connection.send(Array(head.utf8) + body)
            let bytes = try connection.receiveAll(seconds: 20)
            let text = String(decoding: bytes, as: UTF8.self)
            guard let end = text.range(of: "\r\n\r\n") else { throw RawConnection.Failure(what: "no header: \(text)") }
            let head = text[..<end.lowerBound]
            let status = Int(head.split(separator: " ")[1]) ?? 0
            let type = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-type:") }
            var body = Array(bytes[(text[..<end.upperBound].utf8.count)...])
            if head.lowercased().contains("transfer-encoding: chunked") { body = Self.unchunked(body) }
            return (status, String(type?.dropFirst(13).trimmingPrefix(" ") ?? ""), body)
        }
    }

    /// Header and body as they came, of an answer that is not chunked.
    func answer(_ path: String) async throws -> (head: String, body: String) {
        let port = addresses.http.port
        return try await onThread {
            let connection = try RawConnection(port: port)
            try connection.send(Array("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8))
            let text = String(decoding: try connection.receiveAll(seconds: 20), as: UTF8.self)
            guard let end = text.range(of: "\r\n\r\n") else { throw RawConnection.Failure(what: "no header: \(text)") }
            return (String(text[..<end.lowerBound]), String(text[end.upperBound...]))
        }
    }

    private static func unchunked(_ bytes: [UInt8]) -> [UInt8] {
        var body: [UInt8] = []
        var rest = bytes[...]
        while let line = rest.firstRange(of: [13, 10]) {
            let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16) ?? 0
            rest = rest[line.upperBound...]
            if size == 0 { break }
            body += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        return body
    }
}

/// Runs blocking work on a thread of its own: the pool of Swift's tasks is small.
func onThread<Success: Sendable>(_ body: @escaping @Sendable () throws -> Success) async throws -> Success {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            do {
                continuation.resume(returning: try body())
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}

/// A TCP connection to this machine, with blocking calls.
final class RawConnection {
    struct Failure: Error { var what: String }

    private let descriptor: Int32
    private var decoder = MessageDecoder()

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: &address) { start in
            unsafe start.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(what: "connect: \(errno)") }
    }

    deinit { Glibc.close(descriptor) }

    /// Nothing more is sent; what comes can still be received.
    func end() { shutdown(descriptor, Int32(SHUT_WR)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let part = Array(bytes[sent...])
            let count = unsafe Glibc.send(descriptor, part, part.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { throw Failure(what: "send: \(errno)") }
            sent += count
        }
    }

    func send(_ message: Message) throws { try send(try message.encoded()) }

    /// nil at the end of the stream.
    private func receive(seconds: Int) throws -> [UInt8]? {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
        if count == 0 { return nil }
        // A peer that closes with bytes of ours unread resets the connection: an end as well.
        if count < 0, errno == ECONNRESET { return nil }
        guard count > 0 else { throw Failure(what: "nothing came within \(seconds) s: \(errno)") }
        return Array(buffer[..<count])
    }

    func receiveAll(seconds: Int) throws -> [UInt8] {
        var all: [UInt8] = []
        while let part = try receive(seconds: seconds) { all += part }
        return all
    }

    /// nil at the end of the stream.
    func nextMessage(seconds: Int = 60) throws -> Message? {
        while true {
            if let message = try decoder.next() { return message }
            guard let part = try receive(seconds: seconds) else { return nil }
            decoder.append(part)
        }
    }

    /// Hello and Welcome.
    func greet(agent: UInt64 = 1, epoch: UInt64 = 1) throws -> Welcome {
        try send(.hello(hello(agent: agent, epoch: epoch)))
        guard case .welcome(let welcome)? = try nextMessage() else { throw Failure(what: "no Welcome") }
        return welcome
    }
}
