internal import Synchronization
internal import Unwinding

/// Where answers to a `SamplerQuestion` are laid for the sampling thread, which takes them between two rounds.
final class AnswerBox<Answer: Identifiable & Sendable>: Sendable where Answer.ID: Sendable {
    private let answers = Mutex<[Answer.ID: Answer]>([:])
    private let count = Atomic(0)

    init() {}

    /// A newer answer to the same question takes the place of one that nobody has taken yet.
    func put(_ answer: Answer) {
        answers.withLock { answers in
            answers[answer.id] = answer
            count.store(answers.count, ordering: .releasing)
        }
    }

    /// Everything that lies there; costs one load where there is nothing.
    func takeAll() -> [Answer] {
        guard count.load(ordering: .acquiring) > 0 else { return [] }
        return answers.withLock { answers in
            count.store(0, ordering: .relaxed)
            defer { answers = [:] }
            return Array(answers.values)
        }
    }
}

/// To `SamplerQuestion.unwindSections`; without a table there is none to be had.
struct UnwindTableAnswer: Identifiable, Sendable {
    var file: UInt32
    /// Of the numbers of files: an answer of an older one is about another file.
    var numbering: UInt64
    var table: UnwindTable?

    var id: UInt32 { file }
}
