internal import Unwinding

/// What the sampling thread knows of processes with code made at run time: how large its frames are, up to when that
/// holds, and when it may next ask for more. A process without such code costs nothing here.
///
/// A runtime makes code all the time. A sample that is newer than what is known of its process, and whose stack leads
/// through code that nobody knows or comes to no good end, waits for the next reading rather than being followed by
/// frames that were others' before.
struct RuntimeProcesses {
    private struct Known {
        var serial: UInt64
        /// The runtime is one that tells of its frames (HotSpot): to wait for it is worth while.
        var tellsFrames: Bool
        var code: RuntimeCode?
        var bounds: Range<UInt64> = 0..<0
        /// All times are CLOCK_MONOTONIC nanoseconds. What is known holds for samples up to this.
        var knownAt: UInt64 = 0
        /// Of the newest sample that waits.
        var wantedAt: UInt64 = 0
        var nextQuestion: UInt64 = 0
        var pause = RuntimeProcesses.firstPause
        var questions = 0

        init(serial: UInt64, tellsFrames: Bool) {
            self.serial = serial
            self.tellsFrames = tellsFrames
        }

        /// Counts a question; they come the more seldom the more there were.
        mutating func asked(at time: UInt64) {
            questions += 1
            if questions > RuntimeProcesses.earlyQuestions {
                pause = min(
                    2 * pause, tellsFrames ? RuntimeProcesses.longestPauseWaiting : RuntimeProcesses.longestPause)
            }
            nextQuestion = time &+ pause
        }
    }

    private let box: AnswerBox<RuntimeCodeAnswer>
    private var known: [UInt32: Known] = [:]

    /// A runtime makes most of its code in its first moments, and a short-lived process has no others.
    private static let firstPause: UInt64 = 100_000_000
    private static let earlyQuestions = 5
    private static let longestPause: UInt64 = 1_000_000_000
    /// Where stacks wait: what waits when the window closes is lost, so it should be little. How often a code cache is
    /// really read depends on what that costs (`RuntimeReaders`).
    private static let longestPauseWaiting: UInt64 = 200_000_000

    init(box: AnswerBox<RuntimeCodeAnswer>) {
        self.box = box
    }

    /// A process in which a runtime lies that tells of its frames.
    mutating func found(slot: UInt32, serial: UInt64) {
        guard known[slot]?.serial != serial else {
            known[slot]?.tellsFrames = true
            return
        }
        known[slot] = Known(serial: serial, tellsFrames: true)
    }

    /// Takes what has been laid into the box; true where there was anything about a process that is known.
    mutating func takeAnswers() -> Bool {
        var isAny = false
        for answer in box.takeAll() where known[answer.slot]?.serial == answer.serial {
            known[answer.slot]?.code = answer.code
            known[answer.slot]?.bounds = answer.bounds
            known[answer.slot]?.knownAt = answer.readAt
            isAny = true
        }
        return isAny
    }

    func code(ofSlot slot: UInt32) -> RuntimeCode? { known.isEmpty ? nil : known[slot]?.code }

    func hasCode(ofSlot slot: UInt32) -> Bool { !known.isEmpty && known[slot]?.code != nil }

    /// Whether frame pointers say nothing about a frame at `address`: it is code of a JVM whose frames are known by
    /// their sizes, but this one not yet. Compiled Java leaves the frame pointer to others, so that callers are skipped.
    func isSizeMissing(slot: UInt32, address: UInt64) -> Bool {
        guard let state = known[slot], let code = state.code else { return false }
        return state.bounds.contains(address) && code.range(holding: address) == nil
    }

    /// Whether a stack that was sampled at `time` should be followed again once more is known.
    func isDoubtful(_ stack: borrowing SampledStack, slot: UInt32, time: UInt64) -> Bool {
        guard !known.isEmpty, let state = known[slot], state.tellsFrames, state.knownAt < time else { return false }
        return stack.unknownRuntimeAddress != nil || stack.end != .whole
    }

    /// Whether to ask about a process one of whose stacks led through run-time code at `address` that nobody told the
    /// frames of: at its first such sample, some times more soon after, then at most once a second, or five times where
    /// its runtime tells of frames and stacks wait.
    mutating func shouldAsk(slot: UInt32, serial: UInt64, address: UInt64, time: UInt64) -> Bool {
        if known[slot]?.serial != serial { known[slot] = Known(serial: serial, tellsFrames: false) }
        guard var state = known[slot], time >= state.nextQuestion else { return false }
        if let code = state.code {
            guard state.bounds.contains(address), code.range(holding: address) == nil else { return false }
        }
        state.asked(at: time)
        known[slot] = state
        return true
    }

    /// A stack of `time` waits.
    mutating func waits(slot: UInt32, time: UInt64) {
        guard let state = known[slot], state.tellsFrames, state.wantedAt < time else { return }
        known[slot]?.wantedAt = time
    }

    /// Slots of processes about which to ask now, because stacks wait.
    mutating func dueQuestions(at time: UInt64) -> [UInt32] {
        guard !known.isEmpty else { return [] }
        var due: [UInt32] = []
        for (slot, state) in known where state.knownAt < state.wantedAt && time >= state.nextQuestion {
            due.append(slot)
        }
        for slot in due { known[slot]?.asked(at: time) }
        return due
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
