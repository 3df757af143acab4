internal import Synchronization
internal import Unwinding

/// Where unwind tables are laid for the sampling thread, which takes them between two rounds of draining.
final class UnwindTableBox: Sendable {
    /// The answer to `SamplerQuestion.unwindSections`; without a table there is none to be had.
    struct Answer: Sendable {
        var file: UInt32
        /// Of the numbers of files: an answer of an older one is about another file.
        var numbering: UInt64
        var table: UnwindTable?
    }

    private let answers = Mutex<[Answer]>([])
    private let count = Atomic(0)

    init() {}

    func put(_ answer: Answer) {
        answers.withLock { $0.append(answer) }
        count.wrappingAdd(1, ordering: .releasing)
    }

    /// Everything that lies there; costs one load where there is nothing.
    func takeAll() -> [Answer] {
        guard count.load(ordering: .acquiring) > 0 else { return [] }
        return answers.withLock { answers in
            count.store(0, ordering: .relaxed)
            defer { answers = [] }
            return answers
        }
    }
}
