internal import Unwinding

/// What the sampling thread knows of processes with code made at run time: how large its frames are, and when it may
/// next ask for more. A process without such code costs nothing here.
struct RuntimeProcesses {
    private struct Known {
        var serial: UInt64
        var code: RuntimeCode?
        var bounds: Range<UInt64> = 0..<0
        /// CLOCK_MONOTONIC nanoseconds.
        var nextQuestion: UInt64 = 0
        var pause = RuntimeProcesses.firstPause
        var questions = 1
    }

    private let box: AnswerBox<RuntimeCodeAnswer>
    private var known: [UInt32: Known] = [:]

    /// A runtime makes most of its code in its first moments, and a short-lived process has no others.
    private static let firstPause: UInt64 = 100_000_000
    private static let earlyQuestions = 5
    private static let longestPause: UInt64 = 1_000_000_000

    init(box: AnswerBox<RuntimeCodeAnswer>) {
        self.box = box
    }

    /// Takes what has been laid into the box.
    mutating func takeAnswers() {
        for answer in box.takeAll() where known[answer.slot]?.serial == answer.serial {
            known[answer.slot]?.code = answer.code
            known[answer.slot]?.bounds = answer.bounds
        }
    }

    func code(ofSlot slot: UInt32) -> RuntimeCode? { known.isEmpty ? nil : known[slot]?.code }

    func hasCode(ofSlot slot: UInt32) -> Bool { !known.isEmpty && known[slot]?.code != nil }

    /// Whether frame pointers say nothing about a frame at `address`: it is code of a JVM whose frames are known by
    /// their sizes, but this one not yet. Compiled Java leaves the frame pointer to others, so that callers are skipped.
    func isSizeMissing(slot: UInt32, address: UInt64) -> Bool {
        guard let state = known[slot], let code = state.code else { return false }
        return state.bounds.contains(address) && code.range(holding: address) == nil
    }

    /// Whether to ask about a process one of whose stacks led through run-time code at `address` that nobody told the
    /// frames of: at its first such sample, some times more soon after, then at most once a second.
    mutating func shouldAsk(slot: UInt32, serial: UInt64, address: UInt64, time: UInt64) -> Bool {
        guard var state = known[slot], state.serial == serial else {
            known[slot] = Known(serial: serial, nextQuestion: time &+ Self.firstPause)
            return true
        }
        guard time >= state.nextQuestion else { return false }
        if let code = state.code {
            guard state.bounds.contains(address), code.range(holding: address) == nil else { return false }
        }
        state.questions += 1
        if state.questions > Self.earlyQuestions { state.pause = min(2 * state.pause, Self.longestPause) }
        state.nextQuestion = time &+ state.pause
        known[slot] = state
        return true
    }

    /// Forgets processes that have ended; before their slots go to others.
    mutating func forgetEnded(_ table: borrowing ProcessTable) {
        guard !known.isEmpty else { return }
        let ended = known.filter { slot, state in
            guard table.entries.indices.contains(Int(slot)) else { return true }
            let entry = table.entries[Int(slot)]
            return entry.isEnded || entry.serial != state.serial
        }
        for slot in ended.keys { known[slot] = nil }
    }
}
