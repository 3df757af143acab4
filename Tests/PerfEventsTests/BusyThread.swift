import CLinux
import Foundation
import LinuxSystem
import Synchronization

/// A thread that keeps one CPU busy until it is stopped.
final class BusyThread: Sendable {
    private let shouldStop = Atomic<Bool>(false)
    private let hasStarted = Atomic<Bool>(false)
    private let hasEnded = Atomic<Bool>(false)
    private let work = Atomic<UInt64>(0)
    private let cpuTime = Atomic<UInt64>(0)
    private let threadID = Atomic<Int32>(0)

    init(cpu: Int) {
        Thread.detachNewThread { [self] in
            _ = linux_pin_thread(Int32(cpu))
            threadID.store(linux_thread_id(), ordering: .relaxed)
            hasStarted.store(true, ordering: .releasing)
            var value: UInt64 = 1
            while !shouldStop.load(ordering: .relaxed) {
                for _ in 0..<1000 { value = value &* 6_364_136_223_846_793_005 &+ 1 }
                work.store(value, ordering: .relaxed)
            }
            cpuTime.store(Clocks.threadCPU(), ordering: .relaxed)
            hasEnded.store(true, ordering: .releasing)
        }
        while !hasStarted.load(ordering: .acquiring) { usleep(100) }
    }

    var tid: Int32 { threadID.load(ordering: .relaxed) }

    /// Ends the thread; nanoseconds of CPU time that it had.
    @discardableResult
    func stop() -> UInt64 {
        shouldStop.store(true, ordering: .relaxed)
        while !hasEnded.load(ordering: .acquiring) { usleep(100) }
        return cpuTime.load(ordering: .relaxed)
    }
}
