internal import LinuxSystem
internal import PerfEvents
internal import Synchronization

/// Reads something of processes when a thread of theirs has just been sampled. Used by several threads.
protocol ArrivalReader: Sendable {
    /// There is no process to look for.
    var isEmpty: Bool { get }
    func knows(_ process: Int32) -> Bool
    func arrived(_ sample: borrowing SampleRecord)
}

/// One thread for each CPU that looks at samples when they are taken, and reads what lies in the sampled process's
/// memory before that runs on: the sampler itself comes some milliseconds later.
///
/// Threads exist once there is something to look for, and sleep while there is not. Used on the sampling thread.
final class SampleArrivals {
    private final class Watcher: Sendable {
        let watch: SampleWatch
        let signal: WakeSignal
        /// 0: sleeps; 1: looks; 2: ends.
        let order = Atomic<UInt8>(1)

        init(_ watch: SampleWatch) throws(SystemCallError) {
            self.watch = watch
            signal = try WakeSignal()
        }

        func give(_ order: UInt8) {
            self.order.store(order, ordering: .releasing)
            signal.wake()
        }

        func run(_ readers: [any ArrivalReader]) {
            SystemThread.claim(cpu: watch.cpu)
            while true {
                switch order.load(ordering: .acquiring) {
                case 0:
                    signal.wait()
                    signal.clear()
                    watch.skip()
                case 1:
                    switch watch.wait(orFor: signal) {
                    case .samples:
                        watch.look(where: { process in readers.contains { $0.knows(process) } }) { sample in
                            for reader in readers where reader.knows(sample.pid) { reader.arrived(sample) }
                        }
                    case .woken: signal.clear()
                    case .over: return
                    }
                default: return
                }
            }
        }
    }

    private let readers: [any ArrivalReader]
    private var watchers: [Watcher] = []
    private var isLooking = false
    /// Of the events that `watchers` are of.
    private var generation = -1
    /// When what could not be begun is tried again (CLOCK_MONOTONIC nanoseconds); nil where nothing failed.
    private var nextAttempt: UInt64?
    private static let pause: UInt64 = 1_000_000_000

    init(_ readers: [any ArrivalReader]) { self.readers = readers }

    deinit { end() }

    /// Called in each round: threads look, or sleep, or are of other CPUs from now on.
    func follow(_ sampler: borrowing Sampler) {
        let shouldLook = readers.contains { !$0.isEmpty }
        guard shouldLook || isLooking else { return }
        let isDue = nextAttempt.map { HostClock.monotonicNow >= $0 } ?? false
        if shouldLook, generation != sampler.eventGeneration || isDue {
            end()
            begin(sampler)
        }
        guard shouldLook != isLooking else { return }
        isLooking = shouldLook
        for watcher in watchers { watcher.give(shouldLook ? 1 : 0) }
    }

    func end() {
        for watcher in watchers { watcher.give(2) }
        watchers.removeAll()
        isLooking = false
    }

    /// Where there are no descriptors or threads left for it, interpreters are not read, and their samples say so.
    private func begin(_ sampler: borrowing Sampler) {
        generation = sampler.eventGeneration
        nextAttempt = nil
        for watch in (try? sampler.watches()) ?? [] {
            guard let watcher = try? Watcher(watch),
                (try? SystemThread.launch("arrivals-\(watch.cpu)", { [readers] in watcher.run(readers) })) != nil
            else { continue }
            watchers.append(watcher)
        }
        isLooking = true
        if watchers.count < sampler.openCPUs.count { nextAttempt = HostClock.monotonicNow &+ Self.pause }
    }
}
