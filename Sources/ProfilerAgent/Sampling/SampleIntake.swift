internal import LinuxSystem
internal import PerfEvents
internal import Profiles
internal import Synchronization
internal import Unwinding
internal import WireProtocol

/// How a window ends.
struct WindowRule: Sendable {
    /// Windows end where the wall clock shows a multiple of this.
    var length: Duration
    /// A one-host profile begins its windows when it begins, not at the wall clock's multiples.
    var isAligned: Bool
}

/// The sampling thread's own state: takes records in the order of their times, keeps the process table, adds samples up
/// and hands windows over. A sample costs no allocation here once the tables have their working size.
struct SampleIntake: RecordHandler {
    private(set) var table = ProcessTable()
    private(set) var window: WindowTable
    private(set) var counts = Ledger()
    /// Samples of the host that are not of the target.
    private(set) var samplesElsewhere: UInt64 = 0
    /// Nanoseconds that all delivered samples stand for, the target's and others'.
    private(set) var weightDelivered: UInt64 = 0
    private let filter: TargetFilter
    private let ledgerFile: LedgerFile?
    private let samplesPerSecond: Double
    private let rule: WindowRule
    private let questions: AsyncStream<SamplerQuestion>.Continuation
    private let windows: AsyncStream<RawWindow>.Continuation
    private let spareTables: SpareTables
    /// nil where the kernel walks user stacks by frame pointers.
    private let unwinding: StackUnwinding?
    private let interpreters: InterpreterStacks?
    private var runtimes: RuntimeProcesses
    /// Frames of the open window that have been looked at for places in run-time code.
    private var framesSeen = 0
    private var stack = SampledStack()
    private var clock: HostClock
    /// CLOCK_MONOTONIC nanoseconds.
    private var windowStart: UInt64
    private var windowStartWall: Timestamp
    private(set) var windowEnd: UInt64
    private var throttledSince: [UInt64?] = []
    private(set) var needsScan = false
    private var groupQuestions: GroupQuestions?

    init(
        filter: TargetFilter, ledgerFile: LedgerFile?, samplesPerSecond: Double, rule: WindowRule,
        window: WindowTable, questions: AsyncStream<SamplerQuestion>.Continuation,
        windows: AsyncStream<RawWindow>.Continuation, spareTables: SpareTables, unwinding: StackUnwinding? = nil,
        interpreters: InterpreterStacks? = nil,
        runtimeCodes: AnswerBox<RuntimeCodeAnswer> = AnswerBox<RuntimeCodeAnswer>()
    ) {
        runtimes = RuntimeProcesses(box: runtimeCodes)
        self.unwinding = unwinding
        self.interpreters = interpreters
        self.filter = filter
        groupQuestions = GroupQuestions(filter)
        self.ledgerFile = ledgerFile
        self.samplesPerSecond = samplesPerSecond
        self.rule = rule
        self.window = window
        self.questions = questions
        self.windows = windows
        self.spareTables = spareTables
        clock = .now()
        windowStart = HostClock.monotonicNow
        windowStartWall = clock.wall(windowStart)
        windowEnd = 0
        windowEnd = nextEnd(after: windowStart)
    }

    /// An aligned window lasts from a quarter more than the length to a quarter of it: readings of two clocks differ by
    /// some nanoseconds, and a boundary that lies that near behind the last one is the last one.
    private func nextEnd(after start: UInt64) -> UInt64 {
        let length = UInt64(rule.length.wholeNanoseconds)
        return rule.isAligned
            ? clock.nextBoundary(after: start &+ length / 4, every: rule.length) : start &+ length
    }

    /// The wall clock's time of a window's end, exactly a multiple of the length where it was meant to be.
    private func wallEnd(_ end: UInt64) -> Timestamp {
        var wall = clock.wall(end)
        guard rule.isAligned else { return wall }
        let length = rule.length.wholeNanoseconds
        let (nearest, overflow) = (wall.nanoseconds &+ length / 2).dividedReportingOverflow(by: length)
        if !overflow, abs(nearest * length - wall.nanoseconds) < Self.clockNoise { wall.nanoseconds = nearest * length }
        return wall
    }

    /// Nanoseconds. Readings of the two clocks are taken one after the other; NTP slews by at most 0.5 ms a second. A
    /// greater difference is a clock that was set.
    private static let clockNoise: Int64 = 10_000_000

    // MARK: /proc

    /// Reads all of /proc; at the start, and after records of the side band were lost.
    mutating func scan() {
        let isAfterLoss = needsScan
        needsScan = false
        clock = .now()
        ProcessScan.all(into: &table, clock: clock)
        // The exec itself may be among what was lost.
        if isAfterLoss, case .started(let process) = filter, let slot = table.slot(of: process) {
            table.markTarget(slot)
        }
        markTargets()
    }

    /// Marks what the filter selects, and everything below it, as target.
    private mutating func markTargets() {
        guard !filter.isWholeHost else { return }
        var children: [Int32: [UInt32]] = [:]
        var pending: [UInt32] = []
        for process in table.liveProcesses {
            guard let slot = table.slot(of: process) else { continue }
            let entry = table.entries[Int(slot)]
            children[entry.parent, default: []].append(slot)
            let path =
                table.files.files.indices.contains(Int(entry.program))
                ? table.files.files[Int(entry.program)].path : nil
            let isSelected = filter.selects(process: process, name: table.names[entry.name], path: path)
            if filter.group != nil {
                table.markTarget(slot, isSelected)
            } else if entry.isTarget || isSelected {
                pending.append(slot)
            }
        }
        var seen: Set<UInt32> = []
        while let slot = pending.popLast() {
            guard seen.insert(slot).inserted else { continue }
            table.markTarget(slot)
            pending += children[table.entries[Int(slot)].process] ?? []
        }
    }

    var targets: [Int32] {
        table.liveProcesses.filter { process in table.slot(of: process).map { table.entries[Int($0)].isTarget } ?? false
        }
    }

    // MARK: Records

    mutating func sample(_ sample: borrowing Sample) {
        if sample.time >= windowEnd { endWindow() }
        weightDelivered &+= sample.weight
        guard let slot = table.slot(of: sample.pid) ?? adopt(sample.pid) else {
            take(1)
            drop(1, .tableFull)
            return
        }
        askForGroup(slot, time: sample.time, isExec: false)
        let isTarget = table.entries[Int(slot)].isTarget
        guard filter.isWholeHost || isTarget else {
            samplesElsewhere &+= 1
            return
        }
        take(1)
        if sample.isLate {
            counts.lateRecords &+= 1
            ledgerFile?.addLateRecords()
        }
        if !table.entries[Int(slot)].wasAskedFor { askFor(slot) }
        let processName = table.entries[Int(slot)].name
        let threadName = table.threads[sample.tid]?.name ?? processName
        stack.begin(kernelFramesOf: sample.callChain, isFull: sample.isChainFull)
        if let unwinding, !sample.user.registers.isEmpty {
            let space = table.entries[Int(slot)].space
            let kernelFrames = stack.frames.count
            let isFollowed = unwinding.follow(
                sample.user, space: space, slot: slot, time: sample.time, runtimes: runtimes, into: &stack)
            if isFollowed {
                interpreters?.merge(
                    process: sample.pid, thread: sample.tid, time: sample.time, sample.user,
                    native: unwinding.frames, kernelFrames: kernelFrames, into: &stack, intern: { table.name($0) })
            }
            askForTables(unwinding)
            askForRuntime(slot, time: sample.time)
            if !isFollowed {
                let facts = DeferredSamples.Facts(
                    slot: slot, thread: sample.tid, time: sample.time, processName: processName,
                    threadName: threadName, space: space, weight: sample.weight, isChainFull: sample.isChainFull)
                runtimes.waits(slot: slot, time: sample.time)
                if unwinding.wait(facts, chain: sample.callChain, user: sample.user) { return }
                interpreters?.drop(process: sample.pid, thread: sample.tid, time: sample.time)
            }
        } else {
            stack.addUserFrames(of: sample.callChain, space: table.entries[Int(slot)].space, slot: slot)
            askForRuntime(slot, time: sample.time)
        }
        let isAdded = window.add(
            slot: slot, processName: processName, threadName: threadName, stack: stack, weight: sample.weight,
            time: sample.time)
        if !isAdded { drop(1, .tableFull) }
    }

    /// Takes unwind tables that have come, and follows the stacks that waited for them.
    mutating func takeUnwindTables() {
        let isMoreKnown = runtimes.takeAnswers()
        askForPlaces()
        for slot in runtimes.dueQuestions(at: HostClock.monotonicNow) {
            questions.yield(.runtime(SampledProcess(table.entries[Int(slot)]), slot: slot, places: []))
        }
        guard let unwinding, unwinding.takeTables(isMoreKnown: isMoreKnown) else { return }
        addWaiting(isLast: false)
        askForTables(unwinding)
    }

    /// Takes what was found of interpreters.
    mutating func takeInterpreters() {
        interpreters?.takeFound { process in serial(of: process) }
    }

    private func serial(of process: Int32) -> UInt64? {
        table.slot(of: process).map { table.entries[Int($0)].serial }
    }

    /// A file with a runtime that tells of the frames of its code.
    private static func tellsFrames(_ path: String) -> Bool { path.utf8.suffix(10).elementsEqual("/libjvm.so".utf8) }

    /// Asks about the process of the stack at hand where that led through code that nobody knows.
    private mutating func askForRuntime(_ slot: UInt32, time: UInt64) {
        guard let address = stack.unknownRuntimeAddress else { return }
        let entry = table.entries[Int(slot)]
        guard runtimes.shouldAsk(slot: slot, serial: entry.serial, address: address, time: time) else { return }
        questions.yield(.runtime(SampledProcess(entry), slot: slot, places: []))
    }

    /// Asks what lies at places in a JVM's code that are new in this window: code and process may be gone at its end.
    private mutating func askForPlaces() {
        let frames = window.stacks.frames
        guard framesSeen < frames.count else { return }
        var places: [UInt32: [RuntimeCodeAddress]] = [:]
        for frame in frames[framesSeen...] {
            guard let place = RuntimeCodeAddress(frame), runtimes.hasCode(ofSlot: place.slot) else { continue }
            places[place.slot, default: []].append(place)
        }
        framesSeen = frames.count
        for (slot, places) in places {
            questions.yield(.runtime(SampledProcess(table.entries[Int(slot)]), slot: slot, places: places))
        }
    }

    private func askForTables(_ unwinding: StackUnwinding) {
        while let file = unwinding.nextWanted() {
            questions.yield(
                .unwindSections(
                    table.files.files[Int(file)], table.files.owners[Int(file)], number: file,
                    numbering: unwinding.numbering))
        }
    }

    /// Whether samples wait for a table or a runtime.
    var isAnyWaiting: Bool { unwinding?.isAnyWaiting ?? false }

    private mutating func addWaiting(isLast: Bool) {
        guard let unwinding, unwinding.isAnyWaiting else { return }
        var refused: UInt64 = 0
        // Names are added to the table meanwhile, so that nothing else of this value may be lent.
        var waiting = SampledStack()
        swap(&waiting, &stack)
        defer { swap(&waiting, &stack) }
        unwinding.tryAgain(isLast: isLast, runtimes: runtimes, stack: &waiting) {
            facts, user, stack, kernelFrames, isFollowed in
            if isFollowed {
                interpreters?.merge(
                    process: table.entries[Int(facts.slot)].process, thread: facts.thread, time: facts.time, user,
                    native: unwinding.frames, kernelFrames: kernelFrames, into: &stack, intern: { table.name($0) })
            }
            let isAdded = window.add(
                slot: facts.slot, processName: facts.processName, threadName: facts.threadName, stack: stack,
                weight: facts.weight, time: facts.time)
            if !isAdded { refused += 1 }
        }
        if refused > 0 { drop(refused, .tableFull) }
    }

    mutating func mapped(_ mapping: borrowing Mapping) {
        guard mapping.isExecutable || mapping.protection == 0 else { return }
        let (end, overflow) = mapping.address.addingReportingOverflow(mapping.length)
        guard !overflow, table.slot(of: mapping.pid) != nil else { return }
        let path = String(decoding: mapping.name.indices.map { mapping.name[$0] }, as: UTF8.self)
        let file: MappedFile
        if MappedFile.isAnonymous(path: path) {
            file = .anonymous
        } else if path == MappedFile.vdso.path {
            file = .vdso
        } else {
            file = MappedFile(
                path: path, buildID: mapping.buildID.indices.map { mapping.buildID[$0] },
                deviceMajor: mapping.deviceMajor, deviceMinor: mapping.deviceMinor, inode: mapping.inode)
        }
        let owner = MappedFileOwner(process: mapping.pid, start: mapping.address, end: end)
        let (number, isNew) = table.internFile(file, owner: owner)
        table.mapped(
            process: mapping.pid,
            range: CodeMapping(
                start: mapping.address, end: end, fileOffset: file.isFile ? mapping.fileOffset : 0, file: number),
            isFile: file.isFile)
        let isWanted =
            filter.isWholeHost || table.slot(of: mapping.pid).map { table.entries[Int($0)].isTarget } ?? false
        if interpreters != nil, isWanted, file.isFile, let kind = InterpreterKind(file.path),
            let slot = table.slot(of: mapping.pid), table.entries[Int(slot)].wasAskedFor
        {
            questions.yield(.interpreter(SampledProcess(table.entries[Int(slot)]), kind))
        }
        if isWanted, let slot = table.slot(of: mapping.pid), Self.tellsFrames(file.path) {
            runtimes.found(slot: slot, serial: table.entries[Int(slot)].serial)
        }
        if isNew, file.isFile, isWanted { questions.yield(.file(file, owner)) }
    }

    mutating func named(_ name: borrowing CommandName) {
        let text = String(decoding: name.name.indices.map { name.name[$0] }, as: UTF8.self)
        let slot = table.named(
            process: name.pid, thread: name.tid, name: text, isExec: name.isExec, time: name.time)
        guard let slot else { return }
        if case .started(let process) = filter, process == name.pid, name.isExec { table.markTarget(slot) }
        if groupQuestions != nil { return askForGroup(slot, time: name.time, isExec: true) }
        if filter.selects(process: name.pid, name: text, path: nil) { table.markTarget(slot) }
    }

    mutating func forked(_ fork: Fork) {
        table.forked(
            process: fork.pid, thread: fork.tid, parentProcess: fork.parentPID, parentThread: fork.parentTID,
            time: fork.time)
    }

    mutating func exited(_ exit: Fork) { table.exited(process: exit.pid, thread: exit.tid) }

    /// The control group of a process is read with its environment; a new group alone says nothing of any process.
    mutating func cgroup(_ cgroup: borrowing CgroupPath) {}

    mutating func lost(_ count: UInt64, from ring: RingKind, cpu: Int) {
        switch ring {
        case .samples:
            take(count)
            drop(count, .ringFull)
        case .sideBand: needsScan = true
        }
    }

    mutating func malformed(ring: RingKind, cpu: Int) {
        switch ring {
        case .samples:
            take(1)
            drop(1, .malformed)
        case .sideBand: needsScan = true
        }
    }

    mutating func throttled(cpu: Int, time: UInt64) {
        while throttledSince.count <= cpu { throttledSince.append(nil) }
        if throttledSince[cpu] == nil { throttledSince[cpu] = time }
    }

    mutating func unthrottled(cpu: Int, time: UInt64) {
        guard throttledSince.indices.contains(cpu), let since = throttledSince[cpu] else { return }
        throttledSince[cpu] = nil
        guard time > since else { return }
        let ticks = UInt64(Double(time - since) / 1e9 * samplesPerSecond)
        counts.throttledTicks &+= ticks
        ledgerFile?.addThrottledTicks(ticks)
    }

    /// The sampler's estimate, since its start, of ticks that were due and never came.
    mutating func missed(upTo ticks: UInt64) {
        guard ticks > counts.missedTicks else { return }
        ledgerFile?.addMissedTicks(ticks - counts.missedTicks)
        counts.missedTicks = ticks
    }

    // MARK: Windows

    /// Ends the window where it is due. One that is not bound to the wall clock goes on while samples wait for unwind
    /// tables: at its end they would be followed without.
    mutating func endWindow() {
        if !rule.isAligned, isAnyWaiting, windowEnd &- windowStart < Self.longestHold {
            windowEnd = windowEnd &+ UInt64(rule.length.wholeNanoseconds)
        } else {
            closeWindow(at: windowEnd)
        }
    }

    /// Nanoseconds.
    private static let longestHold: UInt64 = 5_000_000_000

    /// Ends the window at a moment of the monotonic clock and hands it over. Where the one before has not been taken
    /// yet, this window goes on instead (false): nothing is lost, its range grows, in what it says of itself up to the
    /// longest range that a batch may have.
    @discardableResult
    mutating func closeWindow(at end: UInt64) -> Bool {
        addWaiting(isLast: true)
        defer {
            clock = .now()
            windowEnd = nextEnd(after: max(end, windowStart))
            // Windows follow each other without a gap, unless the wall clock was set meanwhile.
            let start = clock.wall(windowStart)
            if abs(start.nanoseconds - windowStartWall.nanoseconds) > Self.clockNoise { windowStartWall = start }
        }
        var processes: [UInt32: SampledProcess] = [:]
        for cell in window.cells where processes[cell.process] == nil {
            processes[cell.process] = SampledProcess(table.entries[Int(cell.process)])
        }
        let endWall = wallEnd(end)
        let earliest = Timestamp(nanoseconds: endWall.nanoseconds &- WireLimits.windowNanoseconds)
        let raw = RawWindow(
            range: TimeRange(start: max(windowStartWall, earliest), end: endWall), monotonicEnd: end,
            samplesPerSecond: samplesPerSecond, table: window, processes: processes, names: table.names,
            files: table.files,
            ledger: ledgerFile?.snapshot() ?? counts)
        if case .dropped = windows.yield(raw) { return false }
        window =
            spareTables.take()
            ?? WindowTable(
                maximumNodes: window.maximumNodes, maximumDepth: window.maximumDepth,
                maximumMoments: window.maximumMoments)
        runtimes.forgetEnded(table)
        framesSeen = 0
        let filesBefore = table.files.files.count
        let namesBefore = table.names.names.count
        table.closeWindow()
        if table.names.names.count < namesBefore { interpreters?.forgetNames() }
        interpreters?.closeWindow(at: end) { process in serial(of: process) }
        if table.files.files.count < filesBefore { unwinding?.renumber() }
        unwinding?.closeWindow()
        windowStart = end
        windowStartWall = raw.range.end
        return true
    }

    /// The open window can't be handed over any more: its samples are dropped, counted.
    mutating func giveUpWindow() {
        addWaiting(isLast: true)
        drop(window.samples, .killed)
        window.removeAll()
    }

    // MARK: Inside

    private mutating func take(_ count: UInt64) {
        counts.taken &+= count
        ledgerFile?.addTaken(count)
    }

    private mutating func drop(_ count: UInt64, _ reason: DropReason) {
        counts.dropped[reason, default: 0] &+= count
        ledgerFile?.addDropped(count, reason)
    }

    /// Whose group a process is in may change; see `GroupQuestions`.
    private mutating func askForGroup(_ slot: UInt32, time: UInt64, isExec: Bool) {
        guard
            let isTarget = groupQuestions?.answer(for: table.entries[Int(slot)], time: time, isExec: isExec)
        else { return }
        table.markTarget(slot, isTarget)
    }

    private mutating func askFor(_ slot: UInt32) {
        table.markAskedFor(slot)
        let entry = table.entries[Int(slot)]
        questions.yield(.process(SampledProcess(entry)))
        if entry.space.ranges.contains(where: { Self.tellsFrames(table.files.files[Int($0.file)].path) }) {
            runtimes.found(slot: slot, serial: entry.serial)
        }
        guard interpreters != nil else { return }
        for kind in Set(entry.space.ranges.compactMap { InterpreterKind(table.files.files[Int($0.file)].path) }) {
            questions.yield(.interpreter(SampledProcess(entry), kind))
        }
    }

    /// A process that was sampled before anything was heard of it. -1 stands for threads in their last moments, which
    /// have no PID any more.
    private mutating func adopt(_ process: Int32) -> UInt32? {
        if process > 0 {
            if let slot = ProcessScan.one(process, into: &table, clock: clock) {
                if case .process(process) = filter { table.markTarget(slot) }
                return slot
            }
        }
        return table.found(
            process: process, parent: 0, startTime: 0, name: process > 0 ? "[gone]" : "[exiting]", threads: 1,
            isKernelThread: false)
    }
}

/// Window tables that were read out and can be filled again, so that a new window needs no new memory.
final class SpareTables: Sendable {
    private let tables = Mutex<[WindowTable]>([])
    /// One is being filled and one read; more would only lie there.
    private static let maximum = 2

    init() {}

    func take() -> WindowTable? { tables.withLock { $0.popLast() } }

    func give(_ table: consuming WindowTable) {
        table.removeAll()
        let emptied = table
        tables.withLock { if $0.count < Self.maximum { $0.append(emptied) } }
    }
}
