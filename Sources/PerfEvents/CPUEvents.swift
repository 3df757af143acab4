internal import CLinux
internal import Glibc
internal import LinuxSystem

/// One open event.
final class PerfEvent {
    let descriptor: OwnedDescriptor

    init(_ descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    func enable() { _ = linux_perf_enable(descriptor.rawValue) }
    func disable() { _ = linux_perf_disable(descriptor.rawValue) }
    func setPeriod(_ period: UInt64) -> Bool { linux_perf_set_period(descriptor.rawValue, period) == 0 }

    /// The event's count and, with PERF_FORMAT_LOST, its lost records so far; nil where the kernel gives none (the
    /// CPU has been offline since).
    func read() -> (count: UInt64, lost: UInt64)? {
        // Two 64-bit values: `value`, `lost`.
        var values: (UInt64, UInt64) = (0, 0)
        let got = unsafe withUnsafeMutableBytes(of: &values) { memory in
            unsafe Glibc.read(descriptor.rawValue, memory.baseAddress, memory.count)
        }
        return got >= 8 ? (values.0, got >= 16 ? values.1 : 0) : nil
    }
}

/// The events of one CPU: one pair for the whole host, or a pair for each thread, all of a kind into one ring.
final class CPUEvents {
    let cpu: Int
    let samples: [PerfEvent]
    let sideBand: [PerfEvent]
    let sampleSource: RecordSource
    let sideBandSource: RecordSource
    /// In force now, or from `start` on.
    var period: UInt64
    /// When the period is drawn anew; CLOCK_MONOTONIC.
    var nextPeriodChange = UInt64.max
    var missedTicks = MissedTicks()
    /// The sampling event's count when it was last read, to see that it still runs.
    var lastCount: UInt64 = 0

    init(
        cpu: Int, samples: [PerfEvent], sideBand: [PerfEvent], sampleSource: RecordSource, sideBandSource: RecordSource,
        period: UInt64
    ) {
        self.cpu = cpu
        self.samples = samples
        self.sideBand = sideBand
        self.sampleSource = sampleSource
        self.sideBandSource = sideBandSource
        self.period = period
    }

    /// What processes do comes first, so that no sample is from a process whose beginning was not recorded.
    func start() {
        for event in sideBand { event.enable() }
        let before = Clocks.monotonic()
        for event in samples { event.enable() }
        sampleSource.weights = TickWeights(period: period, startedBetween: before, and: Clocks.monotonic())
    }

    func stop() {
        for event in samples { event.disable() }
        for event in sideBand { event.disable() }
    }

    func changePeriod(to period: UInt64) {
        let before = Clocks.monotonic()
        for event in samples where !event.setPeriod(period) { return }
        self.period = period
        sampleSource.weights?.change(to: period, between: before, and: Clocks.monotonic())
    }

    /// Reads the events' own counts of lost records; returns false when the sampling event has stopped for good.
    func readLosses(into handler: inout some RecordHandler) -> Bool {
        _ = readLosses(of: sideBand, sideBandSource, into: &handler)
        let count = readLosses(of: samples, sampleSource, into: &handler)
        defer { lastCount = count ?? 0 }
        return count != nil && count != lastCount
    }

    /// Reports what the sampling events have lost up to now.
    func readSampleLosses(into handler: inout some RecordHandler) {
        _ = readLosses(of: samples, sampleSource, into: &handler)
    }

    /// Returns the sum of the events' counts; nil where one gives none.
    private func readLosses(
        of events: [PerfEvent], _ source: RecordSource, into handler: inout some RecordHandler
    ) -> UInt64? {
        var count: UInt64? = 0
        var lost: UInt64 = 0
        for event in events {
            let values = event.read()
            lost &+= values?.lost ?? 0
            count = values.flatMap { values in count.map { $0 &+ values.count } }
        }
        let new = source.losses.countSays(lost)
        if new > 0 { handler.lost(new, from: source.kind, cpu: cpu) }
        return count
    }

    func close() {
        sampleSource.isClosed = true
        sideBandSource.isClosed = true
    }
}
