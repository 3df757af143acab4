internal import CLinux
internal import Glibc
public import LinuxSystem

/// Sees the samples of one CPU at the moment when they are taken, beside the sampler that takes them out of the ring:
/// for what is to be read of a thread before it runs on.
///
/// Where its thread is pinned to the CPU and goes before all others (`SystemThread`), the sampled thread stands still
/// at the sampled instruction meanwhile. Unchecked: for one thread at a time; memory and position have no other user.
@safe public final class SampleWatch: @unchecked Sendable {
    public enum Event: Sendable, Equatable {
        case samples
        /// Another thread used the waker.
        case woken
        /// All threads that were sampled have ended, or the CPU has gone.
        case over
    }

    public let cpu: Int
    private let ring: RingBuffer
    private let registers: Int
    private var descriptors: [Int32]
    private var pollEntries: [pollfd]
    private var position: UInt64
    private let memory: UnsafeMutableRawPointer

    /// Of the threads of a process, whose events share the ring: as long as one of them lives it can be waited on.
    private static let maximumEvents = 64

    init(_ events: CPUEvents, registers: Int) throws(PerfEventError) {
        cpu = events.cpu
        ring = events.sampleSource.ring
        self.registers = registers
        position = ring.writePosition
        descriptors = []
        pollEntries = []
        unsafe memory = .allocate(byteCount: RecordLayout.largestRecord, alignment: 8)
        for event in events.samples.prefix(Self.maximumEvents) {
            // The sampler may close its own at any time.
            let copy = fcntl(event.descriptor.rawValue, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else { throw .system(call: "fcntl", subject: "F_DUPFD_CLOEXEC", code: errno) }
            descriptors.append(copy)
            pollEntries.append(pollfd(fd: copy, events: Int16(POLLIN), revents: 0))
        }
    }

    deinit {
        for descriptor in descriptors { _ = close(descriptor) }
        unsafe memory.deallocate()
    }

    /// Sleeps until there are samples, or until `waker` is used, which stays in use.
    public func wait(orFor waker: WakeSignal) -> Event {
        let last = pollEntries.count
        pollEntries.append(pollfd(fd: waker.rawValue, events: Int16(POLLIN), revents: 0))
        defer { pollEntries.removeLast() }
        let ready = unsafe pollEntries.withUnsafeMutableBufferPointer { entries in
            unsafe poll(entries.baseAddress, nfds_t(entries.count), -1)
        }
        guard ready > 0 else { return .samples }
        if pollEntries[last].revents != 0 { return .woken }
        var isAnyOpen = false
        for index in 0..<last {
            if Int32(pollEntries[index].revents) & POLLHUP != 0 { pollEntries[index].fd = -1 }
            isAnyOpen = isAnyOpen || pollEntries[index].fd >= 0
        }
        return isAnyOpen ? .samples : .over
    }

    /// What has come up to now is of no interest.
    public func skip() { position = ring.writePosition }

    /// Shows the samples that are new, in their order, of the processes that are wanted. One that is taken out of the
    /// ring meanwhile, so that the kernel may write over it, is left out.
    public func look(where isWanted: (Int32) -> Bool, _ body: (borrowing SampleRecord) -> Void) {
        let end = ring.writePosition
        if end &- position > UInt64(ring.dataBytes) { position = end }
        while position != end {
            guard let record = RingRecord(in: ring, at: position, before: end, registers: registers) else {
                position = end
                return
            }
            let start = position
            position &+= UInt64(record.header.size)
            guard record.header.type == RecordType.sample, record.header.size >= RecordLayout.smallestSample,
                isWanted(Int32(truncatingIfNeeded: ring.word(at: start &+ 8)))
            else { continue }
            // A size that changed under our hands is still at most what the memory has room for.
            unsafe record.copy(into: memory)
            guard !ring.isTaken(start) else { continue }
            let bytes = unsafe RawSpan(_unsafeStart: memory, byteCount: record.copiedSize)
            // What can't be decoded is told by the sampler.
            guard let decoded = try? RecordDecoder.decode(bytes, registers: registers) else { continue }
            if case .sample(let sample) = decoded { body(sample) }
        }
    }
}
