internal import LanguageRuntimes
internal import LinuxSystem
internal import Logging
internal import Profiles

/// Names code that processes made at run time, by what their runtimes tell: perf maps, jitdumps, HotSpot's own tables.
///
/// A process is read soon after its first sample in such code, again when the sampling thread asks, and at the end of
/// each window that has such samples. What is remembered is bounded in processes and in bytes.
actor RuntimeNaming {
    struct Limits: Sendable {
        var processes = 64
        /// Of all names and code tables together.
        var memoryBytes = 48 << 20
        /// Nanoseconds after which what nobody asked for is forgotten.
        var unusedTime: UInt64 = 60_000_000_000
        /// Nanoseconds that may be spent on the names of one process's window; then what is there must do.
        var namingTime: UInt64 = 500_000_000
        /// Nanoseconds between two requests for a JVM's perf map: the JVM writes all of it each time.
        var mapRequestPause: UInt64 = 60_000_000_000
    }

    typealias OpenJVM = @Sendable (_ process: Int32) throws(JVMError) -> JVMReader<ProcessMemory>

    /// By process and place: functions, outermost first.
    typealias Names = [RuntimeCodeAddress: [RuntimeCodeName]]

    private var known: [UInt64: RuntimeReaders] = [:]
    private let codes: AnswerBox<RuntimeCodeAnswer>?
    private let limits: Limits
    private let attachesToJVMs: Bool
    private let openJVM: OpenJVM
    private let logger: Logger?
    /// How often a JVM has been asked for its perf map.
    private(set) var mapRequests = 0

    /// - Parameters:
    ///   - codes: Where the frames of a JVM's code are laid for the sampling thread.
    ///   - attachesToJVMs: A HotSpot whose version is not known may be asked for a perf map, which starts a thread in it
    ///     and leaves a file in its /tmp.
    init(
        codes: AnswerBox<RuntimeCodeAnswer>? = nil, limits: Limits = Limits(), attachesToJVMs: Bool = false,
        logger: Logger? = nil,
        openJVM: @escaping OpenJVM = { (process) throws(JVMError) in try JVMReader(process: process) }
    ) {
        self.codes = codes
        self.limits = limits
        self.attachesToJVMs = attachesToJVMs
        self.logger = logger
        self.openJVM = openJVM
    }

    /// How many processes are remembered, and what they take.
    var statistics: (processes: Int, memoryBytes: Int) {
        (known.count, known.values.reduce(0) { $0 + $1.memoryBytes })
    }

    /// Reads what is new in a process, and what lies at `places` of it, which have just been sampled.
    func look(at process: SampledProcess, slot: UInt32, places: [RuntimeCodeAddress] = []) {
        guard process.process > 0, !process.isKernelThread else { return }
        let now = HostClock.monotonicNow
        // Places in code that was read before need no other reading.
        if !places.isEmpty, let readers = known[process.serial], readers.areInKnownCode(places, at: now) {
            readers.lastUsed = now
            readers.nameEarly(places, at: now)
        } else {
            refreshed(process, slot, at: now).nameEarly(places, at: now)
        }
    }

    /// Names what can be named of a window.
    func names(of raw: RawWindow) -> Names {
        var places: [UInt32: Set<RuntimeCodeAddress>] = [:]
        for frame in raw.table.stacks.frames {
            guard let place = RuntimeCodeAddress(frame) else { continue }
            places[place.slot, default: []].insert(place)
        }
        var names: Names = [:]
        if !places.isEmpty {
            let time = HostClock.now().monotonic(raw.range.end)
            for (slot, wanted) in places {
                guard let process = raw.processes[slot], process.process > 0 else { continue }
                name(wanted, of: process, slot, until: time, into: &names)
            }
        }
        forgetUnused()
        return names
    }

    private func name(
        _ places: Set<RuntimeCodeAddress>, of process: SampledProcess, _ slot: UInt32, until time: UInt64,
        into names: inout Names
    ) {
        let now = HostClock.monotonicNow
        let readers = refreshed(process, slot, at: now)
        var isInHurry = readers.isGone
        var count = 0
        for place in places {
            if count % 64 == 63, HostClock.monotonicNow &- now > limits.namingTime { isInHurry = true }
            count += 1
            let chain = readers.names(place, time: time, now: now, isInHurry: isInHurry)
            if !chain.isEmpty { names[place] = chain }
        }
        readers.forgetEarly(until: time)
    }

    private func refreshed(_ process: SampledProcess, _ slot: UInt32, at now: UInt64) -> RuntimeReaders {
        let readers: RuntimeReaders
        if let seen = known[process.serial] {
            readers = seen
        } else {
            readers = RuntimeReaders(process, openJVM: openJVM)
            if known.count >= limits.processes { forgetOldest(until: { $0 < limits.processes && $1 >= 0 }) }
            known[process.serial] = readers
        }
        readers.lastUsed = now
        askForMap(readers, at: now)
        if let readAt = readers.refresh(at: now) {
            codes?.put(
                RuntimeCodeAnswer(
                    slot: slot, serial: process.serial, code: readers.code, bounds: readers.codeBounds, readAt: readAt))
        }
        return readers
    }

    /// Asks for the perf map of a HotSpot that can't be read, where that is allowed. What has come of it is told once.
    private func askForMap(_ readers: RuntimeReaders, at now: UInt64) {
        guard attachesToJVMs, readers.isOfUnknownVersion, !readers.isGone else { return }
        if let request = readers.mapRequest {
            guard let outcome = request.outcome else { return }
            readers.mapRequest = nil
            readers.nextMapRequest = now &+ limits.mapRequestPause
            if case .failure(let failure) = outcome {
                logger?.warning("JVM \(readers.process.process) was asked for its perf map in vain: \(failure)")
                readers.nextMapRequest = .max
            }
        } else if now >= readers.nextMapRequest {
            mapRequests += 1
            readers.mapRequest = .start(readers.process.process)
        }
    }

    private func forgetUnused() {
        let now = HostClock.monotonicNow
        let patience = limits.unusedTime
        known = known.filter { now &- min($0.value.lastUsed, now) <= ($0.value.isGone ? patience / 4 : patience) }
        forgetOldest { processes, bytes in bytes <= limits.memoryBytes }
    }

    /// Forgets those not used in the longest time until few enough, taking little enough, are left.
    private func forgetOldest(until isEnough: (_ processes: Int, _ bytes: Int) -> Bool) {
        var bytes = known.values.reduce(0) { $0 + $1.memoryBytes }
        guard !isEnough(known.count, bytes) else { return }
        for readers in known.values.sorted(by: { $0.lastUsed < $1.lastUsed }) {
            bytes -= readers.memoryBytes
            known[readers.process.serial] = nil
            if isEnough(known.count, bytes) { return }
        }
    }
}
