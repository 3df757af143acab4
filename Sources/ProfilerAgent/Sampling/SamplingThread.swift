internal import Glibc
internal import LinuxSystem
internal import PerfEvents
internal import Profiles
internal import Synchronization

/// What a sampling thread does.
struct SamplingPlan: Sendable {
    var options: SamplingOptions
    var filter = TargetFilter.wholeHost
    var rule: WindowRule
    /// Frames kept per stack, counted from the leaf.
    var depth = 1024
    /// Bytes that the stacks of one window may take.
    var windowMemoryBytes = 32 << 20
    /// Samples of one window that are kept one by one, with their times; 0 for none.
    var momentsPerWindow = 0
    var ledgerFile: LedgerFile?
}

/// The one thread that samples: waits on the kernel's rings, drains them, attributes and adds up, and hands a window
/// over at its end. A plain thread, because it must neither wait for a pool's thread nor hold one up.
final class SamplingThread: Sendable {
    /// Windows in their order; ends when the thread has ended. Two may wait; then the open one grows.
    let windows: AsyncStream<RawWindow>
    /// What should be looked at soon. The oldest are forgotten when nobody takes them.
    let questions: AsyncStream<SamplerQuestion>
    /// Where emptied window tables go back to.
    let spareTables = SpareTables()
    /// Where tables for unwinding are laid for this thread.
    let unwindTables = AnswerBox<UnwindTableAnswer>()
    /// Where interpreters that were found are laid, and what is read of them.
    let interpreters = SampledInterpreters()
    /// Where frames of code made at run time are described to this thread.
    let runtimeCodes = AnswerBox<RuntimeCodeAnswer>()

    /// What the thread has found out, once it has ended.
    struct Outcome: Sendable {
        var ledger: Ledger
        var samplesElsewhere: UInt64
        var wasRingReduced: Bool
        /// The filter's processes that lived when sampling ended.
        var targets: [Int32] = []
    }

    private let plan: SamplingPlan
    private let windowsIn: AsyncStream<RawWindow>.Continuation
    private let questionsIn: AsyncStream<SamplerQuestion>.Continuation
    private let shouldStop = Atomic(false)
    private let state = Mutex(State())

    private struct State: Sendable {
        var waker: WakeSignal?
        var outcome: Outcome?
        var targets: [Int32] = []
        var onStart: CheckedContinuation<PerfEventError?, Never>?
        var onEnd: [CheckedContinuation<Void, Never>] = []
    }

    init(_ plan: SamplingPlan) {
        self.plan = plan
        (windows, windowsIn) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(2))
        (questions, questionsIn) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1024))
    }

    /// Opens the events and begins to sample; returns once both are done and /proc has been read.
    func start() async throws(PerfEventError) {
        let error = await withCheckedContinuation { (continuation: CheckedContinuation<PerfEventError?, Never>) in
            state.withLock { $0.onStart = continuation }
            do throws(SystemCallError) { try SystemThread.launch("sampler") { self.run() } } catch {
                state.withLock { $0.onStart = nil }
                continuation.resume(
                    returning: .system(call: error.call, subject: error.subject, code: error.code))
            }
        }
        if let error { throw error }
    }

    /// Asks the thread to end: it takes what the rings still hold and hands the last window over.
    func stop() {
        shouldStop.store(true, ordering: .releasing)
        state.withLock { $0.waker }?.wake()
    }

    /// Waits until the thread has ended.
    func ended() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.outcome == nil { state.onEnd.append(continuation) }
                return state.outcome != nil
            }
            if isOver { continuation.resume() }
        }
    }

    var outcome: Outcome? { state.withLock { $0.outcome } }
    /// The processes that the filter selected in /proc at the start.
    var targetsAtStart: [Int32] { state.withLock { $0.targets } }

    // MARK: On the thread

    private static let roundLength = Duration.milliseconds(200)
    /// Samples of a CPU in one round, where stacks are copied: a third of what a ring holds, so that a thread that comes
    /// late loses none.
    private static let samplesPerRound = 8.0
    private static let shortestRound = Duration.milliseconds(10)
    /// How long tables are waited for before the last window closes, in rounds of 10 ms.
    private static let lastTableAttempts = 500
    /// Of 10 ms each: two minutes, twice the helper process's limit for one file.
    private static let lastWindowAttempts = 12_000

    private func run() {
        // It sleeps most of the time; rings that nobody empties overflow.
        SystemThread.favour()
        let nodes = max(4096, plan.windowMemoryBytes / WindowTable.bytesPerNode)
        var intake = SampleIntake(
            filter: plan.filter, ledgerFile: plan.ledgerFile, samplesPerSecond: plan.options.samplesPerSecond,
            rule: plan.rule,
            window: WindowTable(
                maximumNodes: nodes, maximumDepth: plan.depth, maximumMoments: plan.momentsPerWindow),
            questions: questionsIn, windows: windowsIn, spareTables: spareTables, unwinding: unwinding(),
            interpreters: plan.options.userStack.map { _ in InterpreterStacks(interpreters) },
            runtimeCodes: runtimeCodes)
        do throws(PerfEventError) {
            var sampler = try Sampler(plan.options)
            state.withLock { $0.waker = sampler.waker }
            sampler.listen()
            intake.scan()
            sampler.start()
            let targets = intake.targets
            let onStart = state.withLock { state in
                state.targets = targets
                return state.onStart.take()
            }
            onStart?.resume(returning: nil)
            loop(&sampler, &intake, SampleArrivals(interpreters.readers))
            end(
                Outcome(
                    ledger: intake.counts, samplesElsewhere: intake.samplesElsewhere,
                    wasRingReduced: sampler.wasRingReduced, targets: intake.targets))
        } catch {
            let onStart = state.withLock { $0.onStart.take() }
            onStart?.resume(returning: error)
            end(Outcome(ledger: Ledger(), samplesElsewhere: 0, wasRingReduced: false))
        }
    }

    private func unwinding() -> StackUnwinding? {
        guard plan.options.userStack != nil else { return nil }
        return StackUnwinding(box: unwindTables)
    }

    /// Stacks fill rings and queues quickly: the higher the rate, the shorter the rounds.
    private var roundLength: Duration {
        guard plan.options.userStack != nil else { return Self.roundLength }
        let length = Duration.seconds(Self.samplesPerRound / max(plan.options.samplesPerSecond, 0.001))
        return max(Self.shortestRound, min(Self.roundLength, length))
    }

    private func loop(_ sampler: inout Sampler, _ intake: inout SampleIntake, _ arrivals: SampleArrivals) {
        let roundLength = roundLength
        var roundStart = HostClock.monotonicNow
        var lastScan = roundStart
        var lastCheck = roundStart
        let second: UInt64 = 1_000_000_000
        while !shouldStop.load(ordering: .acquiring) {
            let untilEnd = intake.windowEnd > roundStart ? intake.windowEnd - roundStart : 0
            _ = sampler.wait(
                upTo: min(roundLength, .nanoseconds(Int64(clamping: untilEnd + 5_000_000))))
            let roundBefore = roundStart
            roundStart = HostClock.monotonicNow
            intake.takeUnwindTables()
            intake.takeInterpreters()
            arrivals.follow(sampler)
            sampler.drain(into: &intake)
            if intake.needsScan, roundStart - lastScan > second {
                lastScan = roundStart
                intake.scan()
            }
            // Everything older than the start of the round before has been handed on now.
            if roundBefore >= intake.windowEnd { intake.endWindow() }
            if roundStart - lastCheck > second {
                lastCheck = roundStart
                intake.missed(upTo: sampler.missedTicks)
            }
        }
        let end = HostClock.monotonicNow
        arrivals.end()
        sampler.drainAll(into: &intake)
        intake.missed(upTo: sampler.missedTicks)
        for _ in 0..<Self.lastTableAttempts where intake.isAnyWaiting {
            usleep(10_000)
            intake.takeUnwindTables()
        }
        // The last window must go, however long the one before takes to be read. What is sampled is counted either way.
        for _ in 0..<Self.lastWindowAttempts {
            if intake.closeWindow(at: end) { return }
            usleep(10_000)
        }
        intake.giveUpWindow()
    }

    private func end(_ outcome: Outcome) {
        let waiting = state.withLock { state in
            state.outcome = outcome
            state.waker = nil
            let waiting = state.onEnd
            state.onEnd = []
            return waiting
        }
        windowsIn.finish()
        questionsIn.finish()
        for continuation in waiting { continuation.resume() }
    }
}
