internal import Synchronization
internal import Unwinding

/// Where what is known of frames of code made at run time is laid for the sampling thread.
final class RuntimeCodeBox: Sendable {
    struct Answer: Sendable {
        /// Slot and serial of the process; an answer about an entry that has left its slot is about nobody.
        var slot: UInt32
        var serial: UInt64
        var code: RuntimeCode
        /// Where such code lies, known or not.
        var bounds: Range<UInt64>
    }

    private let answers = Mutex<[UInt64: Answer]>([:])
    private let count = Atomic(0)

    init() {}

    /// A newer answer about a process takes the place of one that nobody has taken yet.
    func put(_ answer: Answer) {
        answers.withLock { answers in
            answers[answer.serial] = answer
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
