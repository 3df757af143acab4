internal import Analysis
internal import Glibc
internal import LinuxSystem
internal import Patterns
internal import PerfEvents
internal import Profiles
internal import Settings
internal import SymbolTables
internal import Synchronization

/// Profiles one target on this host, with no aggregator: the same sampling, merging and naming as the fleet's.
public final class HostProfiler: Sendable {
    /// How far it is: seconds since the start, of how many (nil: until the end of something).
    public typealias Progress = @Sendable (_ elapsed: Double, _ duration: Double?) -> Void

    private let request: ProfileRequest
    private let shouldStop = Atomic(false)

    public init(_ request: ProfileRequest) {
        self.request = request
    }

    /// Ends sampling; `run` returns what there is.
    public func stop() { shouldStop.store(true, ordering: .releasing) }

    /// Samples for as long as the request says.
    public func run(progress: Progress? = nil) async throws(ProfileError) -> ProfileOutcome {
        let host = Host(name: HostName.current(), agent: .random())
        var notes: [String] = []
        let command = try startCommand()
        let target = try TargetSelection(request.target, command: command?.process)

        let (thread, isWholeHost) = try await startSampling(command: command, target: target, &notes)
        var identityOptions = ObjectReader.Options()
        identityOptions.niceness = 0
        let identities = ObjectReader(options: identityOptions)
        let tables = ObjectReader()
        let cache = symbolCache(&notes)
        let servers = DebugServers(
            request.symbols, reader: tables, cache: cache == nil ? nil : request.symbolCachePath,
            folder: unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp")
        let resolver = ModuleResolver(identities: identities, tables: tables, cache: cache, servers: servers)
        let served = ServedTables(resolver: resolver, servers: servers)
        let finisher = WindowFinisher(
            resolver: resolver, inspector: ProcessInspector(wantsCommandLine: false), names: ServiceNames(),
            hostLabels: [], runtimes: RuntimeNaming(codes: thread.runtimeCodes))
        let answering = Task { await finisher.answer(thread.questions, from: thread) }
        let collecting = Task { await Self.collect(thread, finisher, resolver, served, host, service: target.service) }

        let start = HostClock.monotonicNow
        let clock = HostClock.now()
        if let command {
            do { try command.open() } catch {
                thread.stop()
                await thread.ended()
                _ = try? command.end()
                throw ProfileError.commandFailed(
                    program: request.targetText, reason: "\(SystemCallReason.text(error.code))")
            }
        }
        let awaited = target.isOpen && isWholeHost ? [] : target.processes.map(\.process)
        var ended = await waitForEnd(command: command, targets: awaited, since: start, progress)
        let end = HostClock.monotonicNow
        thread.stop()
        await thread.ended()
        if let command, ended == nil {
            ended = await Self.endCommand(command, also: isWholeHost ? thread.outcome?.targets ?? [] : [])
            notes.append("the command was still running when sampling ended, and was told to end")
        }
        await answering.value
        var collected = await collecting.value
        let better = await served.finish { [self] in shouldStop.load(ordering: .acquiring) && command == nil }
        collected.tables.merge(better.tables) { $1 }
        notes += better.notes
        notes += Self.notes(of: collected.gaps)

        // A command is sampled from before it begins, and only its life counts; everything else from when sampling began.
        var range = TimeRange(start: clock.wall(start), end: clock.wall(end))
        if command == nil, let covered = collected.range { range = covered }
        let symbolizer = ModuleSymbolizer(tables: collected.tables, names: request.names)
        var samples = collected.collection.samples
        let moments = collected.collection.moments
        let whole = range
        if let span = request.span {
            range = try Self.span(span, of: whole)
            samples = samples.narrowed(to: range, by: moments)
        }
        if moments.refused > 0 {
            notes.append(
                "\(moments.refused) samples are without their times: more than fit into memory; a lower --rate or a shorter"
                    + " --duration has fewer")
        }
        let lost = thread.outcome?.ledger.dropped.values.reduce(UInt64(0), &+) ?? 0
        if request.span != nil, lost > 0 {
            notes.append("\(lost) samples dropped are those of the whole measurement, not of the span alone")
        }
        let profile = NamedProfile(samples, symbolizer: symbolizer, depth: request.depth, range: range)
        let outcome = thread.outcome
        if outcome?.wasRingReduced == true {
            notes.append(
                "the limit on locked memory allows less buffer than this rate asks for; `perf-agent doctor` says more")
        }
        var commandOutcome: ProfileOutcome.Command?
        if let command {
            let seconds = ended.map { Double($0.cpuNanoseconds) / 1e9 }
            commandOutcome = .init(process: command.process, exitCode: ended?.exitCode, cpuSeconds: seconds)
            // Of a span it is not known what the command used.
            if !isWholeHost, request.span == nil, let seconds {
                notes.append(Self.notSeen(used: seconds, sampled: Double(profile.totalValue) / 1e9))
            }
        }
        return ProfileOutcome(
            request: request, profile: profile, samples: samples, moments: moments, symbolizer: symbolizer,
            range: range, wholeRange: whole, ledger: outcome?.ledger ?? Ledger(),
            command: commandOutcome, processes: target.processes, notes: notes)
    }

    /// A span of seconds since the start, as moments.
    private static func span(_ seconds: Range<Double>, of whole: TimeRange) throws(ProfileError) -> TimeRange {
        func moment(_ seconds: Double) -> Timestamp { whole.start + Int64(min(seconds, 1e9) * 1e9) }
        let span = TimeRange(
            start: moment(seconds.lowerBound), end: min(whole.end, moment(seconds.upperBound)))
        guard span.start < span.end else {
            throw .spanNotMeasured(start: seconds.lowerBound, measured: whole.seconds)
        }
        return span
    }

    private static func notSeen(used: Double, sampled: Double) -> String {
        func text(_ seconds: Double) -> String { "\((seconds * 1000).rounded() / 1000) s" }
        return "CPU used \(text(used)), sampled \(text(sampled)), not seen \(text(max(0, used - sampled)))"
            + " (children that live shorter than a sampling period are missed without the right to sample the host)"
    }

    private func symbolCache(_ notes: inout [String]) -> SymbolTableCacheDirectory? {
        guard let path = request.symbolCachePath else { return nil }
        do throws(DeliveryError) {
            return try SymbolTableCacheDirectory(path: path, maximumBytes: request.symbols.maximumCacheBytes)
        } catch {
            notes.append(
                "symbol tables are not kept for the next time: \(error.reason); PERF_AGENT_SYMBOL_CACHE names another"
                    + " directory, PERF_AGENT_SYMBOL_CACHE_SIZE=0 does without")
            return nil
        }
    }

    private static func notes(of gaps: [String: TableGaps]) -> [String] {
        let sorted = gaps.sorted { $0.key < $1.key }
        var notes = sorted.prefix(3).map { "debug information of \($0.key): \($0.value)" }
        if sorted.count > 3 { notes.append("so it is with \(sorted.count - 3) more modules") }
        return notes
    }

    // MARK: Target

    private func startCommand() throws(ProfileError) -> GatedProcess? {
        guard case .command(let arguments) = request.target, let program = arguments.first else { return nil }
        do { return try GatedProcess(arguments: arguments, isOutputOnError: request.isCommandOutputKeptApart) } catch {
            throw .commandFailed(program: program, reason: error.description)
        }
    }

    // MARK: Sampling

    private func plan(_ scope: SamplingOptions.Scope, filter: TargetFilter, kernel: Bool, isOfCommand: Bool = false)
        -> SamplingPlan
    {
        // Blocks of time are what intervals stand on: some forty of them, none shorter than a quarter of a second.
        let length = request.duration.map { max(.milliseconds(250), $0 / 40) } ?? .milliseconds(250)
        return SamplingPlan(
            options: SamplingOptions(
                samplesPerSecond: request.samplesPerSecond, includeKernel: kernel,
                maximumCallChain: UInt16(clamping: min(request.depth, 1024)), scope: scope,
                userStack: StackUnwinding.stackCopy(byteCount: request.stackCopyBytes),
                enableOnExec: isOfCommand),
            filter: filter, rule: WindowRule(length: length, isAligned: false), depth: request.depth,
            windowMemoryBytes: 256 << 20, momentsPerWindow: request.keepsMoments ? 1 << 20 : 0)
    }

    private func startSampling(
        command: GatedProcess?, target: TargetSelection, _ notes: inout [String]
    ) async throws(ProfileError) -> (SamplingThread, isWholeHost: Bool) {
        let whole = SamplingThread(plan(.wholeHost, filter: target.filter, kernel: true))
        let refusal: PerfEventError
        do {
            try await whole.start()
            return (whole, true)
        } catch { refusal = error }
        let processes = command.map { [$0.process] } ?? target.processes.map(\.process)
        guard case .notPermitted = refusal, !processes.isEmpty else { throw .cannotSample(reason: "\(refusal)") }
        for kernel in [true, false] {
            let narrow = SamplingThread(
                plan(.processes(processes), filter: .wholeHost, kernel: kernel, isOfCommand: command != nil))
            do {
                try await narrow.start()
                notes.append(
                    "sampled by events of the process alone"
                        + (kernel ? "" : ", without kernel frames and time in the kernel")
                        + ", because \(refusal)"
                        + (target.isOpen ? "; processes that come into \(request.targetText) later are missed" : ""))
                return (narrow, false)
            } catch  where kernel {
                continue
            } catch {
                // Up to 2, the kernel allows one's own processes.
                if case .notPermitted(_, let paranoid?, false) = error, paranoid <= 2, command == nil {
                    throw .cannotSample(
                        reason:
                            "the kernel refuses sampling of \(request.targetText): a process of it belongs to another"
                            + " user, or keeps others out as setuid programs do; run this as root or give it"
                            + " CAP_PERFMON (setcap cap_perfmon+ep)")
                }
                throw .cannotSample(reason: "\(error)")
            }
        }
        throw .cannotSample(reason: "\(refusal)")
    }

    private struct Collected: Sendable {
        var collection: SampleCollection
        var tables: [ModuleIdentity: SymbolTable]
        /// What tables lack, by the module's path.
        var gaps: [String: TableGaps] = [:]
        /// From the first window's start to the last one's end, empty ones among them.
        var range: TimeRange?
    }

    /// Takes windows as they end. Symbol tables are read at once, while short-lived programs can still be reached.
    private static func collect(
        _ thread: SamplingThread, _ finisher: WindowFinisher, _ resolver: ModuleResolver, _ served: ServedTables,
        _ host: Host, service: Glob?
    ) async -> Collected {
        var collected = Collected(collection: SampleCollection(host: host), tables: [:])
        var asked: Set<ModuleIdentity> = []
        var dropped: UInt64 = 0
        for await raw in thread.windows {
            var named = await finisher.finish(raw)
            if let service { named = ServiceSelection(service: service).keep(of: named) }
            let stacks = named.stacks
            let range = raw.range
            let droppedNow = raw.ledger.dropped.values.reduce(UInt64(0), &+)
            collected.range = collected.range.map { $0.union(range) } ?? range
            thread.spareTables.give(raw.table)
            collected.collection.add(named, range: range, dropped: droppedNow &- dropped)
            dropped = droppedNow
            for module in stacks.modules where module.identity.kind != .name && asked.insert(module.identity).inserted {
                guard case .table(let bytes) = await resolver.symbolTable(of: module.identity, asking: .never),
                    let table = try? SymbolTable(decoding: bytes)
                else { continue }
                collected.tables[module.identity] = table
                if !table.gaps.isEmpty { collected.gaps[module.name] = table.gaps }
                served.wish(for: module.identity, having: table)
            }
        }
        return collected
    }

    /// On Ctrl-C the terminal has told the command already; else it is told to end with all its descendants, and made
    /// to where they don't.
    private static func endCommand(_ command: GatedProcess, also targets: [Int32]) async -> GatedProcess.End? {
        // A PID and its start name a process for good.
        var others: [Int32: UInt64] = [:]
        for process in targets where process > 1 && process != command.process {
            if let status = ProcessStatus.read(process) { others[process] = status.startTicks }
        }
        func living() -> [Int32] {
            others.filter { process, start in
                ProcessStatus.read(process).map { $0.startTicks == start && $0.state != UInt8(ascii: "Z") } ?? false
            }.map(\.key)
        }
        var ended: GatedProcess.End?
        for (signal, patience) in [(nil, 50), (SIGTERM, 200), (SIGKILL, 200)] as [(Int32?, Int)] {
            if let signal {
                for status in descendants(of: command.process) { others[status.process] = status.startTicks }
                if ended == nil { command.kill(signal) }
                for process in living() { kill(process, signal) }
            }
            for _ in 0..<patience {
                if ended == nil {
                    do { ended = try command.end() } catch { return nil }
                }
                // What the command left running when it ended by itself is its own affair.
                if ended != nil, signal == nil || living().isEmpty { return ended }
                try? await Task.sleep(nanoseconds: 10_000_000)
            }
        }
        return ended
    }

    private static func descendants(of process: Int32) -> [ProcessStatus] {
        let children = Dictionary(grouping: ProcFile.processes().compactMap { ProcessStatus.read($0) }, by: \.parent)
        var found: [ProcessStatus] = []
        var pending = [process]
        while let parent = pending.popLast(), found.count < 65_536 {
            for child in children[parent] ?? [] {
                found.append(child)
                pending.append(child.process)
            }
        }
        return found
    }

    private func waitForEnd(
        command: GatedProcess?, targets: [Int32], since start: UInt64, _ progress: Progress?
    ) async -> GatedProcess.End? {
        let limit = request.duration.map { UInt64(max(0, $0.wholeNanoseconds)) }
        var nextProgress: UInt64 = 0
        while !shouldStop.load(ordering: .acquiring) {
            let elapsed = HostClock.monotonicNow - start
            if let limit, elapsed >= limit { break }
            if let command {
                do { if let end = try command.end() { return end } } catch { return nil }
            } else if !targets.isEmpty, !targets.contains(where: { kill($0, 0) == 0 || errno == EPERM }) {
                break
            }
            if elapsed >= nextProgress {
                nextProgress = elapsed + 500_000_000
                progress?(Double(elapsed) / 1e9, limit.map { Double($0) / 1e9 })
            }
            let left = limit.map { $0 > elapsed ? $0 - elapsed : 0 } ?? .max
            try? await Task.sleep(nanoseconds: min(left, command == nil ? 50_000_000 : 5_000_000))
        }
        return nil
    }
}

/// The kernel's words for an error number.
enum SystemCallReason {
    static func text(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
}

/// This host's own name.
enum HostName {
    static func current() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.isEmpty ? "localhost" : name
    }
}
