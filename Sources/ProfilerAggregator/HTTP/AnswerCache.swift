import Synchronization

/// Answers that were given, for as long as nothing changes in the store; the ones not asked for longest go first where
/// they take too much memory.
final class AnswerCache: Sendable {
    private struct Entry {
        var version: UInt64
        var answer: QueryService.Answer
        var lastUse: UInt64
    }

    private struct State {
        var entries: [Question: Entry] = [:]
        var bytes = 0
        var uses: UInt64 = 0

        mutating func remove(_ question: Question) {
            guard let entry = entries.removeValue(forKey: question) else { return }
            bytes -= entry.answer.bytes.count + AnswerCache.entryBytes
        }
    }

    private let state = Mutex(State())
    private let maximumBytes: Int
    /// What an entry takes beside its answer: the question with its patterns, and the dictionary's share.
    static let entryBytes = 1024

    /// - Parameter maximumBytes: of all answers together; one of more than an eighth of it is not kept.
    init(maximumBytes: Int) {
        self.maximumBytes = maximumBytes
    }

    /// The answer to the question, if it was given to this version of the store.
    func answer(to question: Question, version: UInt64) -> QueryService.Answer? {
        state.withLock { state in
            guard let entry = state.entries[question] else { return nil }
            guard entry.version == version else {
                state.remove(question)
                return nil
            }
            state.uses += 1
            state.entries[question]?.lastUse = state.uses
            return entry.answer
        }
    }

    func keep(_ answer: QueryService.Answer, to question: Question, version: UInt64) {
        let size = answer.bytes.count + Self.entryBytes
        guard size <= maximumBytes / 8 else { return }
        state.withLock { state in
            state.remove(question)
            // What an older version was told is of no more use.
            for (old, entry) in state.entries where entry.version != version { state.remove(old) }
            while state.bytes + size > maximumBytes,
                let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse })?.key
            {
                state.remove(oldest)
            }
            state.uses += 1
            state.entries[question] = Entry(version: version, answer: answer, lastUse: state.uses)
            state.bytes += size
        }
    }

    var bytes: Int { state.withLock { $0.bytes } }
}
