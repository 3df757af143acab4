internal import Dispatch
internal import Glibc
public import LinuxSystem
public import SymbolSources
import Synchronization

/// Reads object files by way of the helper process: what they hold is never parsed with the agent's rights.
///
/// One request at a time, in the order of asking. A helper that dies, takes too long or talks nonsense is killed and
/// started anew, after a pause that doubles with each failure in a row. One that is idle ends, and with it the memory
/// that large files took.
public final class ObjectReader: Sendable {
    public struct Options: Sendable {
        /// For one file.
        public var timeLimit: Duration = .seconds(60)
        /// The helper's address space.
        public var memoryBytes = 2 << 30
        /// Larger files are not read.
        public var fileBytes = 4 << 30
        /// Before the second start in a row; doubles up to `longestPause`.
        public var firstPause: Duration = .milliseconds(100)
        public var longestPause: Duration = .seconds(10)
        public var idleLimit: Duration = .seconds(30)
        /// A helper is replaced after so many files, whatever it did.
        public var requestsPerHelper: UInt32 = 256
        public var waitingRequests = 4096
        /// Of the helper. Samples wait for unwind tables; for names nobody is in a hurry.
        public var niceness: Int32 = 5

        public init() {}
    }

    /// Counts since the start.
    public struct Statistics: Hashable, Sendable {
        public var requests: UInt64 = 0
        /// Files that gave no answer, for whatever reason.
        public var failures: UInt64 = 0
        /// Helpers that were started.
        public var starts: UInt64 = 0
        /// Helpers that died of themselves.
        public var deaths: UInt64 = 0
        /// Helpers that were killed because they took too long or answered nonsense.
        public var kills: UInt64 = 0
        /// The running helper, where there is one.
        public var helper: Int32?
    }

    private struct State: ~Copyable {
        var connection: HelperConnection?
        var failuresInARow = 0
        /// Grows with each request: an idle timer that finds another number than it saw does nothing.
        var turn: UInt64 = 0
    }

    private let executable: String
    private let arguments: [String]
    private let options: Options
    private let queue = DispatchQueue(label: "object-reader")
    /// Only touched on the queue.
    private let state = Mutex(State())
    private let counts = Mutex(Statistics())
    private let waiting = Atomic<Int>(0)

    /// `arguments` follow the program's name and make it call `runHelper`; what `runHelper` is told comes behind them.
    public init(
        executable: String = "/proc/self/exe", arguments: [String] = ["helper"], options: Options = Options()
    ) {
        self.executable = executable
        self.arguments = ["perf-agent"] + arguments
        self.options = options
    }

    public var statistics: Statistics { counts.withLock { $0 } }

    /// Identity and load segments of an object file. A descriptor to read a regular file; its position is not used.
    public func identify(_ file: borrowing OwnedDescriptor) async -> Result<ModuleFacts, ObjectReaderFailure> {
        switch await ask(.identify, Files(object: file.rawValue)) {
        case .success(let answer):
            guard let facts = ModuleFacts(decoding: answer.body) else {
                counts.withLock { $0.failures += 1 }
                return .failure(.malformedAnswer("facts that can't be read"))
            }
            return .success(facts)
        case .failure(let failure):
            return .failure(failure)
        }
    }

    /// The encoded symbol table of an object file, as bytes that nobody has vouched for: `SymbolTable(decoding:)` checks
    /// them.
    public func symbolTable(_ file: borrowing OwnedDescriptor) async -> Result<[UInt8], ObjectReaderFailure> {
        await symbolTable(file, with: DebugDescriptors())
    }

    /// As `symbolTable(_:)`, from the debug files as well, where they belong to the object file. Over debug information
    /// that breaks the helper this fails; `functionTable` then gives what the symbols alone give.
    public func symbolTable(
        _ file: borrowing OwnedDescriptor, with debugFiles: borrowing DebugDescriptors
    ) async -> Result<[UInt8], ObjectReaderFailure> {
        await ask(.symbolTable, Files(file, debugFiles)).map(\.body)
    }

    /// As `symbolTable(_:with:)`, without reading debug information.
    public func functionTable(
        _ file: borrowing OwnedDescriptor, with debugFiles: borrowing DebugDescriptors
    ) async -> Result<[UInt8], ObjectReaderFailure> {
        await ask(.functionTable, Files(file, debugFiles)).map(\.body)
    }

    /// Where an object file says that its debug information is; for `DebugFileSearch`.
    public func debugLinks(_ file: borrowing OwnedDescriptor) async -> Result<LinkedModule, ObjectReaderFailure> {
        switch await ask(.debugLinks, Files(object: file.rawValue)) {
        case .success(let answer):
            guard let module = LinkedModule(decoding: answer.body) else {
                counts.withLock { $0.failures += 1 }
                return .failure(.malformedAnswer("links that can't be read"))
            }
            return .success(module)
        case .failure(let failure):
            return .failure(failure)
        }
    }

    /// The sections for unwinding of an object file, in sealed memory, as bytes that nobody has vouched for:
    /// `UnwindTable` checks them.
    public func unwindSections(_ file: borrowing OwnedDescriptor) async -> Result<SealedMemory, ObjectReaderFailure> {
        await ask(.unwindSections, Files(object: file.rawValue)).flatMap { answer in
            answer.memory.map { .success($0) } ?? .failure(.malformedAnswer("no memory"))
        }
    }

    /// Where units of an object file, or of its debug file, were split off to. It takes as long as reading all of them.
    func splitReferences(
        _ file: borrowing OwnedDescriptor, with debugFiles: borrowing DebugDescriptors
    ) async -> Result<[SplitReference], ObjectReaderFailure> {
        switch await ask(.splitReferences, Files(file, debugFiles)) {
        case .success(let answer):
            guard let references = [SplitReference](decoding: answer.body) else {
                counts.withLock { $0.failures += 1 }
                return .failure(.malformedAnswer("places of split units that can't be read"))
            }
            return .success(references)
        case .failure(let failure):
            return .failure(failure)
        }
    }

    /// The caller's descriptors.
    private struct Files {
        var object: Int32
        var others: [HelperConnection.Attachment] = []

        init(object: Int32) { self.object = object }

        init(_ file: borrowing OwnedDescriptor, _ debugFiles: borrowing DebugDescriptors) {
            object = file.rawValue
            if debugFiles.debug.rawValue >= 0 {
                others.append(.init(kind: .debugFile, descriptor: debugFiles.debug.rawValue))
            }
            if debugFiles.alternate.rawValue >= 0 {
                others.append(.init(kind: .alternateFile, descriptor: debugFiles.alternate.rawValue))
            }
            for split in debugFiles.split {
                let body = split.reference.map { [$0].encoded() } ?? []
                guard body.count <= HelperMessage.maximumBody(.splitFile) else { continue }
                others.append(.init(kind: .splitFile, body: body, descriptor: split.file.descriptor.rawValue))
            }
        }
    }

    /// The caller's descriptors stay open while it awaits this, since it only lends them.
    private func ask(_ kind: HelperMessage.Kind, _ files: Files) async -> Result<HelperAnswer, ObjectReaderFailure> {
        let before = waiting.wrappingAdd(1, ordering: .relaxed).oldValue
        defer { waiting.wrappingSubtract(1, ordering: .relaxed) }
        guard before < options.waitingRequests else {
            return .failure(.tooManyRequests(limit: options.waitingRequests))
        }
        return await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: self.perform(kind, files)) }
        }
    }

    private func perform(_ kind: HelperMessage.Kind, _ files: Files) -> Result<HelperAnswer, ObjectReaderFailure> {
        let result = state.withLock { state in
            let result = answer(kind, files, &state)
            state.turn += 1
            endWhenIdle(after: state.turn)
            return result
        }
        counts.withLock { counts in
            counts.requests += 1
            if case .failure = result { counts.failures += 1 }
        }
        return result
    }

    private func answer(
        _ kind: HelperMessage.Kind, _ files: Files, _ state: inout State
    ) -> Result<HelperAnswer, ObjectReaderFailure> {
        // What is no regular file has no size; the helper says so.
        if let size = try? FileBytes.size(files.object), size > UInt64(options.fileBytes) {
            return .failure(
                .notReadable("bytes of the file: \(size) is over the limit of \(options.fileBytes)"))
        }
        do throws(ObjectReaderFailure) {
            if state.connection == nil { try start(&state) }
            guard
                let answer = try state.connection?.ask(
                    kind, file: files.object, with: files.others, timeLimit: options.timeLimit)
            else {
                return .failure(.malformedAnswer("nothing"))
            }
            state.failuresInARow = 0
            retire(&state)
            return .success(answer)
        } catch {
            if error.endsHelper {
                state.connection = nil
                state.failuresInARow += 1
                counts.withLock { counts in
                    counts.helper = nil
                    if case .helperDied = error { counts.deaths += 1 } else { counts.kills += 1 }
                }
            } else {
                state.failuresInARow = 0
                retire(&state)
            }
            return .failure(error)
        }
    }

    private func start(_ state: inout State) throws(ObjectReaderFailure) {
        if state.failuresInARow > 0 {
            let doublings = min(state.failuresInARow - 1, 20)
            pause(min(options.firstPause * (1 << doublings), options.longestPause))
        }
        let connection = try HelperConnection.start(
            executable: executable, arguments: arguments + ["\(options.niceness)", "\(options.memoryBytes)"],
            timeLimit: options.timeLimit)
        let identifier = connection.identifier
        state.connection = consume connection
        counts.withLock { counts in
            counts.starts += 1
            counts.helper = identifier
        }
    }

    private func retire(_ state: inout State) {
        guard let requests = state.connection?.requests, requests >= options.requestsPerHelper else { return }
        end(&state)
    }

    private func end(_ state: inout State) {
        state.connection = nil
        counts.withLock { $0.helper = nil }
    }

    private func endWhenIdle(after turn: UInt64) {
        let (seconds, attoseconds) = options.idleLimit.components
        let nanoseconds = Int(clamping: seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        queue.asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) { [weak self] in
            guard let self else { return }
            state.withLock { state in
                if state.turn == turn { end(&state) }
            }
        }
    }
}

private func pause(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    var left = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    var rest = timespec()
    while unsafe nanosleep(&left, &rest) != 0, errno == EINTR { left = rest }
}
