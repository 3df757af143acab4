internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Opens the events of a CPU as the options want them and the kernel lets them be.
struct EventOpener {
    let options: SamplingOptions
    let features: EventFeatures
    /// -1 for the whole host, else threads.
    let targets: [Int32]
    /// The smaller of what is wanted and what perf_event_max_stack allows.
    let maximumCallChain: Int
    /// Larger than the limits on locked memory allow at first; made smaller by `open`.
    private(set) var sizes: RingSizes
    private(set) var wereSizesReduced = false

    init(_ options: SamplingOptions) throws(PerfEventError) {
        guard options.samplesPerSecond > 0, options.samplesPerSecond <= 100_000 else {
            throw .invalidRate(options.samplesPerSecond)
        }
        self.options = options
        maximumCallChain = min(Int(options.maximumCallChain), KernelLimits.maximumCallChain ?? 127)
        let recordBytes = RecordLayout.largestSample(maximumCallChain: maximumCallChain, userStack: options.userStack)
        sizes = RingSizes(
            samplesPerSecond: options.samplesPerSecond, recordBytes: recordBytes,
            pageBytes: Int(sysconf(Int32(_SC_PAGESIZE))))
        switch options.scope {
        case .wholeHost: targets = [-1]
        case .processes(let pids):
            var threads: [Int32] = []
            for pid in pids {
                let found = Self.threads(of: pid)
                guard !found.isEmpty else { throw .noSuchProcess(pid: pid) }
                threads += found
            }
            targets = threads
        }
        features = Self.supportedFeatures()
    }

    /// The events of these CPUs, stopped, all with rings of one size. CPUs that have just gone offline are left out.
    mutating func open(_ cpus: [Int], into stream: inout RecordStream) throws(PerfEventError) -> [CPUEvents] {
        let kept = stream.sources.count
        while true {
            do {
                var opened: [CPUEvents] = []
                for cpu in cpus {
                    if let events = try openOne(cpu, into: &stream) { opened.append(events) }
                }
                return opened
            } catch PerfEventError.memoryLockLimit {
                stream.sources.removeSubrange(kept...)
                let tried = sizes.bytes
                guard sizes.reduce() else {
                    throw .memoryLockLimit(bytesPerCPU: tried, limitKilobytesPerCPU: KernelLimits.lockedKilobytesPerCPU)
                }
                wereSizesReduced = true
            }
        }
    }

    private func openOne(_ cpu: Int, into stream: inout RecordStream) throws(PerfEventError) -> CPUEvents? {
        let isWholeHost = options.scope == .wholeHost
        let period = isWholeHost ? drawnPeriod() : options.meanPeriod
        var sampling = EventAttributes.samples(
            period: period, includeKernel: options.includeKernel, maximumCallChain: UInt16(maximumCallChain),
            userStack: options.userStack)
        var sideBand = EventAttributes.sideBand(includeKernel: false)
        // Watches see each sample at once; without stacks nobody watches.
        sampling.wakeupBytes = options.userStack == nil ? UInt32(sizes.samplePages * sizes.pageBytes / 2) : 1
        sideBand.wakeupBytes = UInt32(sizes.sideBandPages * sizes.pageBytes / 4)
        guard let samples = try openAll(sampling, cpu), let others = try openAll(sideBand, cpu),
            let firstSample = samples.first, let firstOther = others.first
        else { return nil }
        let sampleRing = try ring(of: firstSample, pages: sizes.samplePages)
        let sideBandRing = try ring(of: firstOther, pages: sizes.sideBandPages)
        for (events, first) in [(samples, firstSample), (others, firstOther)] {
            for event in events.dropFirst() {
                let result = linux_perf_set_output(event.descriptor.rawValue, first.descriptor.rawValue)
                if result < 0 { throw .system(call: "PERF_EVENT_IOC_SET_OUTPUT", subject: "CPU \(cpu)", code: -result) }
            }
        }
        // An inherited period never changes and its grid is each thread's own: every sample weighs one period.
        return CPUEvents(
            cpu: cpu, samples: samples, sideBand: others,
            sampleSource: stream.add(
                sampleRing, kind: .samples, cpu: cpu, weights: TickWeights(period: period, startedBetween: 0, and: 0)),
            sideBandSource: stream.add(sideBandRing, kind: .sideBand, cpu: cpu), period: period)
    }

    /// One event per target; nil when the CPU is offline.
    private func openAll(_ attributes: EventAttributes, _ cpu: Int) throws(PerfEventError) -> [PerfEvent]? {
        var attributes = attributes.without(EventFeatures.all.subtracting(features))
        attributes.isInherited = options.scope != .wholeHost
        attributes.enableOnExec = attributes.isInherited && options.enableOnExec
        var events: [PerfEvent] = []
        for target in targets {
            do {
                events.append(PerfEvent(try attributes.open(pid: target, cpu: Int32(cpu))))
            } catch {
                if error.code == ENODEV { return nil }
                // A thread that has ended meanwhile is no loss while others are there.
                if error.code == ESRCH, targets.count > 1 { continue }
                throw failure(error)
            }
        }
        if events.isEmpty, case .processes(let pids) = options.scope { throw .noSuchProcess(pid: pids.first ?? 0) }
        return events
    }

    private func ring(of event: PerfEvent, pages: Int) throws(PerfEventError) -> RingBuffer {
        do {
            return try RingBuffer(event.descriptor, dataPages: pages)
        } catch {
            guard error.code == EPERM || error.code == ENOMEM else {
                throw .system(call: error.call, subject: "a ring of \(pages) pages", code: error.code)
            }
            throw .memoryLockLimit(bytesPerCPU: sizes.bytes, limitKilobytesPerCPU: nil)
        }
    }

    private func failure(_ error: SystemCallError) -> PerfEventError {
        let isWholeHost = options.scope == .wholeHost
        let what = "sampling of " + (isWholeHost ? "the whole host" : "these processes")
        switch error.code {
        case EPERM, EACCES:
            return .notPermitted(
                what: what + (options.includeKernel ? " with kernel frames" : ""), paranoid: KernelLimits.paranoid,
                hasPerformanceMonitoring: geteuid() == 0
                    || !CapabilitySet.effective().isDisjoint(with: [.performanceMonitoring, .administer]))
        case EMFILE, ENFILE:
            return .tooManyDescriptors(needed: 2 * targets.count * (CPUList.online()?.count ?? 1))
        case ESRCH:
            return .noSuchProcess(pid: targets.first ?? 0)
        case ENOENT, EOPNOTSUPP, ENOSYS, EINVAL, E2BIG:
            return .notSupported(what: what + " by the CPU clock", code: error.code)
        default:
            return .system(call: error.call, subject: "", code: error.code)
        }
    }

    /// Within ±10 % of the mean. The rate, not the period, is drawn evenly, so that the rate's mean is what was asked.
    func drawnPeriod() -> UInt64 {
        UInt64((Double(options.meanPeriod) / Double.random(in: 0.91...1.09)).rounded())
    }

    /// Tries each newer attribute alone, on an event of our own.
    private static func supportedFeatures() -> EventFeatures {
        var supported: EventFeatures = []
        for feature in [EventFeatures.buildIDs, .cgroups, .lostCounts] {
            var attributes = EventAttributes.sideBand(includeKernel: false)
            attributes.features = feature
            if (try? attributes.open(pid: 0, cpu: -1)) != nil { supported.insert(feature) }
        }
        return supported
    }

    private static func threads(of pid: Int32) -> [Int32] {
        guard let folder = unsafe opendir("/proc/\(pid)/task") else { return [] }
        defer { unsafe closedir(folder) }
        var threads: [Int32] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if let thread = Int32(name) { threads.append(thread) }
        }
        return threads.sorted()
    }
}
