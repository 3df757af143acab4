internal import Glibc
import LinuxSystem

/// What the helper process answered: in the message, or in memory that it has sealed.
struct HelperAnswer: Sendable {
    var body: [UInt8] = []
    var memory: SealedMemory?

    /// Of all unwind sections and code of one file.
    static let maximumMemoryBytes = 256 << 20
}

/// One running helper process and the socket to it.
struct HelperConnection: ~Copyable {
    private var process: ChildProcess
    private let channel: DescriptorChannel
    private(set) var requests: UInt32 = 0

    private init(process: consuming ChildProcess, channel: consuming DescriptorChannel) {
        self.process = process
        self.channel = channel
    }

    var identifier: Int32 { process.identifier }

    /// Starts a helper and waits until it has given up its rights.
    /// `more` of the environment than that every helper gets.
    static func start(
        executable: String, arguments: [String], environment more: [String] = [], timeLimit: Duration
    ) throws(ObjectReaderFailure) -> HelperConnection {
        // Only what the Swift runtime needs: no backtraces of hostile memory, and its libraries in a development build.
        var environment = ["SWIFT_BACKTRACE=enable=no"] + more
        if let path = unsafe getenv("LD_LIBRARY_PATH") {
            unsafe environment.append("LD_LIBRARY_PATH=" + String(cString: path))
        }
        var theirs = OwnedDescriptor(-1)
        let channel: DescriptorChannel
        do { channel = try DescriptorChannel(other: &theirs) } catch { throw .notStarted(error) }
        let process: ChildProcess
        do {
            process = try ChildProcess(
                executable: executable, arguments: arguments, environment: environment, inherited: theirs.rawValue)
        } catch {
            throw .notStarted(error)
        }
        // As long as we hold the child's end too, its death would not show as the socket's.
        _ = consume theirs
        var connection = HelperConnection(process: process, channel: channel)
        let answer = try connection.receive(before: ContinuousClock.now + timeLimit, timeLimit: timeLimit).message
        switch answer.kind {
        case .ready: return connection
        case .failed: throw .notConfined(String(decoding: answer.body, as: UTF8.self))
        default: throw .malformedAnswer("an answer before any request")
        }
    }

    /// A file that the next request takes.
    struct Attachment {
        var kind: HelperMessage.Kind
        var body: [UInt8] = []
        /// The caller's.
        var descriptor: Int32
    }

    /// Asks for one file. After an error that `endsHelper` the connection is of no further use.
    mutating func ask(
        _ kind: HelperMessage.Kind, file: Int32, with attachments: [Attachment] = [], body: [UInt8] = [],
        timeLimit: Duration
    ) throws(ObjectReaderFailure) -> HelperAnswer {
        requests += 1
        let deadline = ContinuousClock.now + timeLimit
        do {
            for attachment in attachments {
                try HelperMessage(kind: attachment.kind, request: requests, body: attachment.body)
                    .send(over: channel, descriptor: attachment.descriptor, before: deadline)
            }
            try HelperMessage(kind: kind, request: requests, body: body).send(
                over: channel, descriptor: file, before: deadline)
        } catch {
            throw error.code == ETIMEDOUT ? .tookTooLong(timeLimit) : .helperDied(process.end())
        }
        let received = try receive(before: deadline, timeLimit: timeLimit)
        let answer = received.message
        guard answer.request == requests else { throw .malformedAnswer("the answer to another request") }
        switch answer.kind {
        case .unwindSections where kind == .unwindSections:
            do {
                return HelperAnswer(
                    memory: try SealedMemory(received.descriptor, maximumBytes: HelperAnswer.maximumMemoryBytes))
            } catch {
                throw .malformedAnswer("memory that can't be used: \(error)")
            }
        case kind: return HelperAnswer(body: answer.body)
        case .failed: throw .notReadable(String(decoding: answer.body, as: UTF8.self))
        default: throw .malformedAnswer("an answer to another question")
        }
    }

    private mutating func receive(
        before deadline: ContinuousClock.Instant, timeLimit: Duration
    ) throws(ObjectReaderFailure) -> HelperMessage.Received {
        do throws(HelperMessageError) {
            if let received = try HelperMessage.receive(over: channel, before: deadline) { return received }
        } catch .channel(let error) where error.code == ETIMEDOUT {
            throw .tookTooLong(timeLimit)
        } catch .malformed(let what) {
            throw .malformedAnswer(what)
        } catch {
            throw .helperDied(process.end())
        }
        // It has closed its end, which it never does of itself.
        throw .helperDied(process.end())
    }
}
