internal import Glibc
public import LinuxSystem

/// Samples this host, or some of its processes, and hands on what the kernel's rings hold in order of time.
///
/// Made for one thread: `listen` and `start`, then again and again `wait` and `drain` (four times a second or more often:
/// a ring holds a quarter of a second at least), at the end `drainAll`. May be moved to another thread before `start`.
/// Unchecked: the rings' pointers have this one owner, and a value that can't be copied is moved, never shared.
public struct Sampler: ~Copyable, @unchecked Sendable {
    /// What ended a wait.
    public enum WakeReason: Sendable, Equatable {
        /// A ring is filled to its watermark.
        case ring
        case timeout
        /// Another thread called `waker.wake()`.
        case signal
    }

    /// Wakes `wait` from another thread.
    public let waker: WakeSignal

    private let options: SamplingOptions
    private let isWholeHost: Bool
    private var opener: EventOpener
    private var stream: RecordStream
    private var cpus: [CPUEvents]
    private var isRunning = false
    private var pollEntries: [pollfd] = []
    private var lastRoundStart: UInt64 = 0
    private var follower: CPUFollower
    private var idleTimes = CPUIdleTimes()
    /// The moment of `idleTimes`, until the samples up to it have been weighed.
    private var idleTimesMoment: UInt64?
    private var nextIdleReading: UInt64 = 0
    private var nextLossReading: UInt64 = 0
    private var missedTicksOfClosedCPUs: UInt64 = 0
    /// Nanoseconds between two draws of a CPU's period.
    private let periodChangeInterval: ClosedRange<UInt64>

    private static let idleReadingInterval: UInt64 = 5_000_000_000
    private static let lossReadingInterval: UInt64 = 1_000_000_000
    /// A record may be stamped and its CPU then be held up before it is published: so much is always allowed for.
    private static let publicationDelay: UInt64 = 1_000_000

    /// Records may be written while rings are read; a time beyond this is a damaged one.
    private static let longestRound: UInt64 = 100_000_000

    /// Opens all events, stopped.
    public init(_ options: SamplingOptions) throws(PerfEventError) {
        try self.init(options, periodChangeInterval: 3_000_000_000...5_000_000_000)
    }

    package init(_ options: SamplingOptions, periodChangeInterval: ClosedRange<UInt64>) throws(PerfEventError) {
        // All that can fail comes before the first property: a struct that can't be copied has to be whole or nothing.
        let waker: WakeSignal
        do { waker = try WakeSignal() } catch { throw .system(call: error.call, subject: "", code: error.code) }
        var opener = try EventOpener(options)
        var stream = RecordStream(
            maximumCallChain: opener.maximumCallChain, userRegisters: options.userStack?.registers.nonzeroBitCount)
        var follower = CPUFollower()
        guard let online = follower.update() ?? CPUList.online() else {
            throw .system(call: "open", subject: "/sys/devices/system/cpu/online", code: ENOENT)
        }
        let cpus = try opener.open(online, into: &stream)
        self.waker = waker
        self.options = options
        isWholeHost = options.scope == .wholeHost
        self.periodChangeInterval = periodChangeInterval
        self.cpus = cpus
        self.follower = follower
        self.opener = opener
        self.stream = stream
        makePollEntries()
    }

    /// Begins to hear of processes and mappings, so that what is known of them can be read before samples fill the rings.
    public func listen() {
        guard !options.enableOnExec || options.scope == .wholeHost else { return }
        for events in cpus {
            for event in events.sideBand { event.enable() }
        }
    }

    /// Starts sampling. With `SamplingOptions.enableOnExec` the command's execve does that.
    public mutating func start() {
        isRunning = true
        let now = Clocks.monotonic()
        lastRoundStart = now
        nextLossReading = now + Self.lossReadingInterval
        guard !options.enableOnExec || options.scope == .wholeHost else { return }
        for events in cpus { start(events) }
    }

    /// Sleeps until a ring has filled to its watermark, `waker` is used or the time is over. Where stacks are copied a
    /// ring of samples has no watermark: the time must be shorter than what it holds.
    public mutating func wait(upTo timeout: Duration) -> WakeReason {
        let (seconds, attoseconds) = timeout.components
        // Rounded up to whole milliseconds, so that a short wait doesn't become a busy loop.
        let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        let ready = unsafe pollEntries.withUnsafeMutableBufferPointer { entries in
            unsafe poll(entries.baseAddress, nfds_t(entries.count), Int32(clamping: max(0, milliseconds)))
        }
        guard ready > 0 else { return .timeout }
        var reason = WakeReason.timeout
        for index in pollEntries.indices where pollEntries[index].revents != 0 {
            if index == 0 {
                waker.clear()
                return .signal
            }
            // Every thread of this event has ended, or its CPU is offline: it would end each wait at once.
            if Int32(pollEntries[index].revents) & POLLHUP != 0 { pollEntries[index].fd = -1 }
            if Int32(pollEntries[index].revents) & POLLIN != 0 { reason = .ring }
        }
        return reason
    }

    /// One round: takes everything out of the rings and hands on what is older than the start of the round before.
    public mutating func drain(into handler: inout some RecordHandler) {
        readIdleTimesIfDue()
        let roundStart = Clocks.monotonic()
        stream.collect(now: roundStart + Self.longestRound)
        let horizon = min(lastRoundStart, roundStart &- Self.publicationDelay)
        if let moment = idleTimesMoment, moment <= horizon {
            // The weights are to be compared as they were at that moment, without a tick just behind it.
            stream.release(upTo: moment, into: &handler)
            noteMissedTicks(at: moment, into: &handler)
        }
        stream.release(upTo: horizon, into: &handler)
        lastRoundStart = roundStart
        guard isRunning else { return }
        if isWholeHost {
            for events in cpus where events.nextPeriodChange <= roundStart { drawPeriod(of: events, now: roundStart) }
        }
        if roundStart >= nextLossReading {
            nextLossReading = roundStart + Self.lossReadingInterval
            readLosses(into: &handler)
            followCPUs()
        }
    }

    /// Stops sampling, takes everything out of the rings and hands on all of it.
    public mutating func drainAll(into handler: inout some RecordHandler) {
        nextIdleReading = 0
        readIdleTimesIfDue()
        for events in cpus { events.stop() }
        isRunning = false
        stream.collect(now: Clocks.monotonic() + Self.longestRound)
        if let moment = idleTimesMoment {
            stream.release(upTo: moment, into: &handler)
            noteMissedTicks(at: moment, into: &handler)
        }
        stream.release(upTo: .max, into: &handler)
        for events in cpus { _ = events.readLosses(into: &handler) }
    }

    /// CPUs that have events now, ascending.
    public var openCPUs: [Int] { cpus.map(\.cpu).sorted() }
    /// Bytes of both rings of one CPU, control pages included.
    public var ringBytesPerCPU: Int { opener.sizes.bytes }
    /// The limits on locked memory allow less than the rate asks for.
    public var wasRingReduced: Bool { opener.wereSizesReduced }
    /// What the kernel's events offer beyond the oldest supported one.
    public var features: EventFeatures { opener.features }
    /// The limit on a chain's frames in force.
    public var maximumCallChain: Int { opener.maximumCallChain }
    /// Estimated since `start`: ticks that were due and never came, because the timer came late by more than a period.
    /// Whole host only; 0 else.
    public var missedTicks: UInt64 { cpus.reduce(missedTicksOfClosedCPUs) { $0 &+ $1.missedTicks.estimate } }

    /// Changes whenever events were opened or closed: watches from before may be of CPUs that have gone.
    public private(set) var eventGeneration = 0

    /// A new watch of each CPU; none where stacks aren't copied.
    public func watches() throws(PerfEventError) -> [SampleWatch] {
        guard let userStack = options.userStack else { return [] }
        var watches: [SampleWatch] = []
        for events in cpus {
            watches.append(try SampleWatch(events, registers: userStack.registers.nonzeroBitCount))
        }
        return watches
    }

    /// All rings, for tests that want the kernel's own bytes.
    package var rings: [RingBuffer] { stream.sources.map(\.ring) }

    /// The same of one CPU.
    package func missedTicks(cpu: Int) -> UInt64 { cpus.first { $0.cpu == cpu }?.missedTicks.estimate ?? 0 }
}

extension Sampler {
    private mutating func start(_ events: CPUEvents) {
        guard options.scope == .wholeHost else {
            for event in events.sideBand { event.enable() }
            for event in events.samples { event.enable() }
            return
        }
        events.start()
        events.nextPeriodChange = Clocks.monotonic() + UInt64.random(in: periodChangeInterval)
    }

    private func drawPeriod(of events: CPUEvents, now: UInt64) {
        events.changePeriod(to: opener.drawnPeriod())
        events.nextPeriodChange = now + UInt64.random(in: periodChangeInterval)
    }

    private mutating func readIdleTimesIfDue() {
        guard isWholeHost, isRunning, idleTimesMoment == nil || nextIdleReading == 0 else { return }
        let before = Clocks.monotonic()
        guard before >= nextIdleReading else { return }
        nextIdleReading = before + Self.idleReadingInterval
        // Without /proc/stat nothing is estimated, and missedTicks stays 0.
        guard (try? idleTimes.read()) != nil else { return }
        idleTimesMoment = before + (Clocks.monotonic() - before) / 2
    }

    private mutating func noteMissedTicks(at moment: UInt64, into handler: inout some RecordHandler) {
        idleTimesMoment = nil
        for events in cpus {
            // Lost samples are counted as dropped and did not miss; an estimate never falls, so they must be known now.
            events.readSampleLosses(into: &handler)
            guard let idle = idleTimes[events.cpu] else { continue }
            // A CPU just at a tick is left to the next reading.
            guard let sinceTick = events.sampleSource.weights?.elapsedSinceTick(at: moment) else { continue }
            let lost = events.sampleSource.losses.weigh(period: events.period)
            let weighed = (events.sampleSource.weights?.total ?? 0) &+ sinceTick &+ lost
            events.missedTicks.note(time: moment, idle: idle, weighed: weighed, period: events.period)
        }
    }

    private mutating func readLosses(into handler: inout some RecordHandler) {
        var hasClosed = false
        for events in cpus where !events.readLosses(into: &handler) && isWholeHost {
            // The event of a CPU that was offline for a moment and came back: it never runs again.
            close(events)
            hasClosed = true
        }
        guard hasClosed else { return }
        follower.forget()
        eventGeneration += 1
        cpus.removeAll { $0.sampleSource.isClosed }
    }

    private mutating func close(_ events: CPUEvents) {
        stream.collect(now: Clocks.monotonic() + Self.longestRound)
        missedTicksOfClosedCPUs &+= events.missedTicks.estimate
        events.close()
    }

    /// Closes the events of CPUs that went offline and opens those of new ones. A CPU whose events can't be opened now
    /// is tried again in the next second.
    private mutating func followCPUs() {
        stream.removeClosed()
        guard let online = follower.update() else { return }
        for events in cpus where !online.contains(events.cpu) { close(events) }
        cpus.removeAll { $0.sampleSource.isClosed }
        let new = online.filter { cpu in !cpus.contains { $0.cpu == cpu } }
        for cpu in new {
            guard let opened = try? opener.open([cpu], into: &stream) else {
                follower.forget()
                continue
            }
            if opened.isEmpty { follower.forget() }
            for events in opened where !options.enableOnExec { start(events) }
            cpus += opened
        }
        eventGeneration += 1
        makePollEntries()
    }

    private mutating func makePollEntries() {
        pollEntries = [pollfd(fd: waker.rawValue, events: Int16(POLLIN), revents: 0)]
        for events in cpus {
            // Whoever polls a ring takes the news of it from others: that of copied stacks belongs to `SampleWatch`.
            for event in [options.userStack == nil ? events.samples.first : nil, events.sideBand.first] {
                guard let event else { continue }
                pollEntries.append(pollfd(fd: event.descriptor.rawValue, events: Int16(POLLIN), revents: 0))
            }
        }
    }
}
