import Synchronization

/// Lets a few questions, or imports, work at a time and a few more wait; the rest is sent away at once, because a queue that only
/// grows answers nobody.
final class QuestionGate: Sendable {
    private struct State {
        var working = 0
        var waiting: [CheckedContinuation<Bool, Never>] = []
    }

    private let state = Mutex(State())
    private let maximumWorking: Int
    private let maximumWaiting: Int
    /// What it lets through, in the plural.
    private let word: String

    init(_ word: String, working: Int, waiting: Int) {
        self.word = word
        maximumWorking = working
        maximumWaiting = waiting
    }

    func run<Success>(_ body: () async throws(APIError) -> Success) async throws(APIError) -> Success {
        let mayEnter = await withCheckedContinuation { (continuation: CheckedContinuation<Bool, Never>) in
            enter(continuation)
        }
        guard mayEnter else {
            throw APIError(.unavailable, "too many \(word) at once; try again in a few seconds")
        }
        defer { leave() }
        return try await body()
    }

    private func enter(_ continuation: CheckedContinuation<Bool, Never>) {
        enum Place { case now, never, later }
        let place = state.withLock { state -> Place in
            if state.working < maximumWorking {
                state.working += 1
                return .now
            }
            guard state.waiting.count < maximumWaiting else { return .never }
            state.waiting.append(continuation)
            return .later
        }
        switch place {
        case .now: continuation.resume(returning: true)
        case .never: continuation.resume(returning: false)
        case .later: break
        }
    }

    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            if state.waiting.isEmpty {
                state.working -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume(returning: true)
    }
}
