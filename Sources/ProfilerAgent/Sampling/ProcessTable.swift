internal import Profiles
internal import Unwinding

/// One program in one process: a PID from its fork or exec to its exec or end.
///
/// An exec begins a new entry under the same PID, because program, environment and service may be others from then on.
struct ProcessEntry: Sendable {
    static let unknownName = UInt32.max

    var process: Int32
    /// Names this entry for good; drawn in order, never reused.
    var serial: UInt64
    var parent: Int32
    /// The entry that this one came from by fork or exec; 0 where that is not known.
    var origin: UInt64
    /// CLOCK_MONOTONIC nanoseconds of the start of the process (not of the exec).
    var startTime: UInt64
    /// Number of the main thread's name.
    var name: UInt32
    var space = AddressSpace()
    /// Number of the file that was mapped first after the exec, which is the program; `unknownName` until then.
    var program = ProcessEntry.unknownName
    var liveThreads = 1
    var isKernelThread = false
    /// Belongs to what a one-host profile is about.
    var isTarget = false
    /// Someone has been asked to look at environment, control group and program.
    var wasAskedFor = false
    /// Gone, or replaced by exec or by another process with its PID; kept until the window closes.
    var isEnded = false
}

/// All processes and threads of the host as far as a sampler needs to know them, kept by records of forks, execs,
/// mappings and exits in the order of their times.
struct ProcessTable: Sendable {
    struct Thread: Sendable {
        var process: Int32
        /// Number of the thread's name, digits folded.
        var name: UInt32
        var isEnded = false
    }

    private(set) var entries: [ProcessEntry] = []
    private var free: [UInt32] = []
    private var slotOf: [Int32: UInt32] = [:]
    private(set) var threads: [Int32: Thread] = [:]
    private var endedSlots: [UInt32] = []
    private var endedThreads: [Int32] = []
    private var nextSerial: UInt64 = 1
    private(set) var names = NameTable()
    private(set) var files = MappedFileTable()
    /// Mappings that found no room. Their frames have no module.
    private(set) var mappingsRefused: UInt64 = 0

    /// Entries at one time, ended ones among them: half a million forks in one window must not eat the agent's memory.
    static let maximumEntries = 65_536
    static let maximumThreads = 1 << 20
    /// From this many names or files on, those that nobody uses any more are forgotten at the window's end.
    static let namesBeforeCleaning = 16_384
    static let filesBeforeCleaning = 16_384

    init() {}

    // MARK: Asking

    @inline(__always)
    func slot(of process: Int32) -> UInt32? { slotOf[process] }

    var liveProcesses: [Int32] { slotOf.compactMap { entries[Int($0.value)].isEnded ? nil : $0.key } }

    // MARK: Being told

    mutating func name(_ text: String) -> UInt32 { names.intern(text) }

    /// A process that was found rather than heard of: in /proc, or by its first sample.
    ///
    /// One that is known by the same PID and a start within `startTolerance` keeps its entry; any other one gets a new
    /// entry. Answers nil where the table is full.
    mutating func found(
        process: Int32, parent: Int32, startTime: UInt64, name text: String, threads count: Int,
        isKernelThread: Bool
    ) -> UInt32? {
        let number = names.intern(text)
        if let slot = slotOf[process], !entries[Int(slot)].isEnded {
            let known = entries[Int(slot)].startTime
            let distance = known > startTime ? known - startTime : startTime - known
            if distance <= Self.startTolerance {
                entries[Int(slot)].parent = parent
                entries[Int(slot)].name = number
                entries[Int(slot)].liveThreads = max(1, count)
                entries[Int(slot)].isKernelThread = isKernelThread
                return slot
            }
        }
        guard
            let slot = open(process: process, parent: parent, origin: 0, startTime: startTime, name: number)
        else { return nil }
        entries[Int(slot)].liveThreads = max(1, count)
        entries[Int(slot)].isKernelThread = isKernelThread
        return slot
    }

    /// Two clock ticks: /proc tells the start in ticks of 10 ms, records tell it in nanoseconds.
    static let startTolerance: UInt64 = 20_000_000

    mutating func foundThread(_ thread: Int32, of process: Int32, name: String) {
        setThread(thread, of: process, name: name)
    }

    /// Takes the place of all that is known of a process's mappings.
    mutating func replaceSpace(_ slot: UInt32, with space: AddressSpace, program: UInt32?) {
        entries[Int(slot)].space = space
        if let program { entries[Int(slot)].program = program }
    }

    mutating func internFile(_ file: MappedFile, owner: MappedFileOwner) -> (number: UInt32, isNew: Bool) {
        files.intern(file, owner: owner)
    }

    mutating func markTarget(_ slot: UInt32, _ isTarget: Bool = true) { entries[Int(slot)].isTarget = isTarget }
    mutating func markAskedFor(_ slot: UInt32) { entries[Int(slot)].wasAskedFor = true }

    /// A thread where `process` is `parentProcess`, else a process, which begins as a copy of its parent.
    mutating func forked(
        process: Int32, thread: Int32, parentProcess: Int32, parentThread: Int32, time: UInt64
    ) {
        let inherited = threads[parentThread]?.name
        if process == parentProcess {
            if let slot = slotOf[process] { entries[Int(slot)].liveThreads += 1 }
            if threads.count < Self.maximumThreads, let inherited {
                threads[thread] = Thread(process: process, name: inherited)
            }
            return
        }
        let parentSlot = slotOf[parentProcess]
        let parent = parentSlot.map { entries[Int($0)] }
        guard
            let slot = open(
                process: process, parent: parentProcess, origin: parent?.serial ?? 0, startTime: time,
                name: parent?.name ?? names.intern("?"))
        else { return }
        if let parent {
            entries[Int(slot)].space = parent.space
            entries[Int(slot)].program = parent.program
            entries[Int(slot)].isTarget = parent.isTarget
            entries[Int(slot)].isKernelThread = parent.isKernelThread
        }
        if threads.count < Self.maximumThreads {
            threads[thread] = Thread(
                process: process, name: inherited ?? names.intern(foldedThreadName(names[entries[Int(slot)].name])))
        }
    }

    /// A thread's new name. With `isExec` the process has begun another program; answers its new entry then.
    @discardableResult
    mutating func named(
        process: Int32, thread: Int32, name: String, isExec: Bool, time: UInt64
    ) -> UInt32? {
        setThread(thread, of: process, name: name)
        guard process == thread else { return nil }
        let number = names.intern(name)
        guard isExec else {
            if let slot = slotOf[process] { entries[Int(slot)].name = number }
            return nil
        }
        let before = slotOf[process].map { entries[Int($0)] }
        guard
            let slot = open(
                process: process, parent: before?.parent ?? 0, origin: before?.serial ?? 0,
                startTime: before?.startTime ?? time, name: number)
        else { return nil }
        entries[Int(slot)].isTarget = before?.isTarget ?? false
        return slot
    }

    mutating func mapped(process: Int32, range: CodeMapping, isFile: Bool) {
        guard let slot = slotOf[process] else { return }
        if isFile, entries[Int(slot)].program == ProcessEntry.unknownName {
            entries[Int(slot)].program = range.file
        }
        if !entries[Int(slot)].space.map(range) { mappingsRefused &+= 1 }
    }

    mutating func exited(process: Int32, thread: Int32) {
        if threads[thread] != nil {
            threads[thread]?.isEnded = true
            endedThreads.append(thread)
        }
        guard let slot = slotOf[process], !entries[Int(slot)].isEnded else { return }
        entries[Int(slot)].liveThreads -= 1
        if entries[Int(slot)].liveThreads <= 0 { end(slot) }
    }

    /// Ends the entry of a process that is no longer in /proc.
    mutating func vanished(process: Int32) {
        guard let slot = slotOf[process], !entries[Int(slot)].isEnded else { return }
        end(slot)
    }

    /// Forgets what has ended. Numbers of slots, names and files that were given out before mean nothing afterwards.
    mutating func closeWindow() {
        for slot in endedSlots {
            let process = entries[Int(slot)].process
            if slotOf[process] == slot { slotOf[process] = nil }
            entries[Int(slot)].space = AddressSpace()
            free.append(slot)
        }
        endedSlots.removeAll(keepingCapacity: true)
        for thread in endedThreads where threads[thread]?.isEnded == true { threads[thread] = nil }
        endedThreads.removeAll(keepingCapacity: true)
        if names.names.count > Self.namesBeforeCleaning { cleanNames() }
        if files.files.count > Self.filesBeforeCleaning { cleanFiles() }
    }

    // MARK: Inside

    private mutating func open(
        process: Int32, parent: Int32, origin: UInt64, startTime: UInt64, name: UInt32
    ) -> UInt32? {
        if let old = slotOf[process], !entries[Int(old)].isEnded { end(old) }
        let entry = ProcessEntry(
            process: process, serial: nextSerial, parent: parent, origin: origin, startTime: startTime, name: name)
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
            entries[Int(slot)] = entry
        } else {
            guard entries.count < Self.maximumEntries else {
                slotOf[process] = nil
                return nil
            }
            slot = UInt32(entries.count)
            entries.append(entry)
        }
        nextSerial += 1
        slotOf[process] = slot
        return slot
    }

    private mutating func end(_ slot: UInt32) {
        entries[Int(slot)].isEnded = true
        endedSlots.append(slot)
    }

    private mutating func setThread(_ thread: Int32, of process: Int32, name: String) {
        guard threads.count < Self.maximumThreads || threads[thread] != nil else { return }
        threads[thread] = Thread(process: process, name: names.intern(foldedThreadName(name)))
    }

    private mutating func cleanNames() {
        let old = names
        names = NameTable()
        for slot in slotOf.values { entries[Int(slot)].name = names.intern(old[entries[Int(slot)].name]) }
        for thread in threads.keys {
            if let name = threads[thread]?.name { threads[thread]?.name = names.intern(old[name]) }
        }
    }

    private mutating func cleanFiles() {
        let old = files
        files = MappedFileTable()
        var numbers = [UInt32](repeating: ProcessEntry.unknownName, count: old.files.count)
        func renumber(_ number: UInt32, _ files: inout MappedFileTable) -> UInt32 {
            guard old.files.indices.contains(Int(number)) else { return ProcessEntry.unknownName }
            if numbers[Int(number)] == ProcessEntry.unknownName {
                numbers[Int(number)] = files.intern(old.files[Int(number)], owner: old.owners[Int(number)]).number
            }
            return numbers[Int(number)]
        }
        for slot in slotOf.values {
            for range in entries[Int(slot)].space.ranges { _ = renumber(range.file, &files) }
            entries[Int(slot)].program = renumber(entries[Int(slot)].program, &files)
            entries[Int(slot)].space.renumberFiles(numbers)
        }
    }
}
