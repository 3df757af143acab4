internal import LinuxSystem

/// Reads Python stacks of one interpreter out of memory that changes meanwhile.
///
/// Per stack: one system call for the thread's state and for what its last stack was read from, one for each frame
/// that isn't among that, one for the fields of all its code objects. See `PythonProcess` for what it answers.
package struct PythonStackReader<Memory: PythonMemory & Sendable>: Sendable {
    package static var maximumDepth: Int { 1024 }
    private static var maximumThreads: Int { 4096 }
    private static var maximumInterpreters: Int { 256 }
    /// In a program that does nothing but call, a try in ten comes too late for the frame at the leaf.
    private static var maximumTries: Int { 10 }
    private static var maximumReadsToTryAgain: Int { 512 }
    private static var readsOfFailures: Int { 64 }

    /// What is known of a thread from its last stack.
    struct ThreadRecord: Sendable {
        /// Address of its PyThreadState; 0 where the interpreter has none for it.
        var state: UInt64 = 0
        var interpreter: UInt64 = 0
        /// What `thread_id` of the state is.
        var threadID: UInt64 = 0
        /// First thread of its interpreter (or of the first interpreter) when it was looked for: new ones come first.
        var newestThread: UInt64 = 0
        var newestThreadAddress: UInt64 = 0
        /// Where there is none: how many more stacks may pass before it is looked for again.
        var pause: UInt32 = 0
        var nextPause: UInt32 = 1
        /// Where its stacks begin, and where one began that has not been seen twice.
        var root: UInt64 = 0
        var doubtfulRoot: UInt64 = 0
        /// Ranges that its last stack was read from.
        var ranges: [MemoryRange] = []
    }

    struct WalkedFrame: BitwiseCopyable {
        var code: UInt64
        var instruction: UInt64
        var address: UInt64
        var isEntry: Bool
    }

    package var memory: Memory
    package let layout: PythonLayout
    package let runtime: UInt64
    /// Address of PyCode_Type; learnt from the first frame where it has no symbol.
    package internal(set) var codeType: UInt64
    package internal(set) var frames: [PythonFrame] = []
    package internal(set) var statistics = PythonStatistics()
    var codes = PythonCodeCache()

    /// Records by number, since changing a dictionary's value in place allocates.
    private var records: [ThreadRecord] = []
    private var recordNumbers: [Int32: Int] = [:]
    private var freeRecords: [Int] = []
    var snapshot = PythonSnapshot()
    var codeSnapshot = PythonSnapshot()
    var walked: [WalkedFrame] = []
    private var nextRanges: [MemoryRange] = []
    /// Number of the stack that is being read.
    var stack: UInt64 = 0
    /// 3.11 and 3.12 name a new _PyCFrame before it holds its frame. A process that is kept from the CPU there looks so
    /// at every try: then the stack is read from the _PyCFrame before.
    private var startsBefore = false
    /// Stacks that are not read, after one that cost much and came to nothing.
    private var penalty = 0

    package init(memory: Memory, layout: PythonLayout, runtime: UInt64, codeType: UInt64) {
        self.memory = memory
        self.layout = layout
        self.runtime = runtime
        self.codeType = codeType
    }

    package func function(_ code: UInt32) -> String {
        codes.entries.indices.contains(Int(code)) ? codes.entries[Int(code)].function : ""
    }

    package func file(_ code: UInt32) -> String {
        codes.entries.indices.contains(Int(code)) ? codes.entries[Int(code)].file : ""
    }

    package mutating func forget(thread: Int32) {
        guard let number = recordNumbers.removeValue(forKey: thread) else { return }
        records[number] = ThreadRecord()
        freeRecords.append(number)
    }

    /// The number of a thread's record, which is made where there is none.
    private mutating func record(_ thread: Int32, _ threadPointer: UInt64) throws(PythonInconsistency) -> Int {
        if let number = recordNumbers[thread] { return number }
        let found = try find(thread, threadPointer)
        if recordNumbers.count >= Self.maximumThreads {
            recordNumbers.removeAll(keepingCapacity: true)
            records.removeAll(keepingCapacity: true)
            freeRecords.removeAll(keepingCapacity: true)
        }
        let number = freeRecords.popLast() ?? records.count
        if number == records.count { records.append(found) } else { records[number] = found }
        recordNumbers[thread] = number
        return number
    }

    package mutating func read(
        thread: Int32, threadPointer: UInt64, stackPointer: UInt64, copiedStack: RawSpan
    ) -> PythonStackOutcome {
        guard penalty == 0 else {
            penalty -= 1
            frames.removeAll(keepingCapacity: true)
            statistics.inconsistent += 1
            return .inconsistent(.tooMuchToRead)
        }
        var last = PythonInconsistency.cycle
        var reads = 0
        for attempt in 0..<Self.maximumTries {
            startsBefore = attempt >= 3
            frames.removeAll(keepingCapacity: true)
            do throws(PythonInconsistency) {
                let outcome = try readOnce(thread, threadPointer, stackPointer, copiedStack)
                statistics.systemCalls += UInt64(snapshot.reads + codeSnapshot.reads)
                statistics.stacks += 1
                return outcome
            } catch {
                reads += snapshot.reads + codeSnapshot.reads
                statistics.systemCalls += UInt64(snapshot.reads + codeSnapshot.reads)
                statistics.tries += 1
                if !startsBefore { last = error }
                if error.isFinal || reads > Self.maximumReadsToTryAgain { break }
                // Only what is known of the thread can be wrong for good: ranges are read anew each time.
                if error == .layout { forget(thread: thread) }
            }
        }
        frames.removeAll(keepingCapacity: true)
        statistics.inconsistent += 1
        // Structures made to be read at length cost no more than this many system calls a stack in the long run.
        penalty = reads / Self.readsOfFailures
        return .inconsistent(last)
    }

    private mutating func readOnce(
        _ thread: Int32, _ threadPointer: UInt64, _ stackPointer: UInt64, _ copiedStack: RawSpan
    ) throws(PythonInconsistency) -> PythonStackOutcome {
        stack &+= 1
        codeSnapshot.clear()
        let number = try record(thread, threadPointer)
        // Taken out and put back, so that its array has one owner and keeps its storage.
        var record = records[number]
        records[number].ranges = []
        defer { records[number].ranges = record.ranges }

        if record.state == 0 {
            guard try isWorthLooking(&record) else {
                records[number] = record
                return .notInPython
            }
            let ranges = record.ranges
            let pause = min(record.nextPause * 2, 64)
            record = try find(thread, threadPointer)
            record.ranges = ranges
            record.pause = pause
            record.nextPause = pause
            records[number] = record
            guard record.state != 0 else { return .notInPython }
        }

        var start = try runningFrame(&record, thread, threadPointer, stackPointer, copiedStack)
        if start.frame == 0, start.newestThread != record.newestThread {
            // Its state may have been freed and another one made for the thread.
            let ranges = record.ranges
            record = try find(thread, threadPointer)
            record.ranges = ranges
            records[number] = record
            guard record.state != 0 else { return .notInPython }
            start = try runningFrame(&record, thread, threadPointer, stackPointer, copiedStack)
        }
        guard start.frame != 0 else { return .notInPython }
        var agreement = start.agreement
        let isCut = try walk(from: start.frame, stackPointer, copiedStack, &agreement)
        try nameFrames()
        record.ranges.removeAll(keepingCapacity: true)
        record.ranges.append(contentsOf: nextRanges)
        guard let root = walked.last?.address, !frames.isEmpty else { return .notInPython }
        if !isCut { try checkRoot(root, number) }
        return .frames(agreement, isCut: isCut)
    }

    /// A frame that is taken apart while it is read leads nowhere, and a part of a stack looks like a stack. Threads
    /// begin at the same frame for as long as they live, nearly all of them: another beginning holds once it was seen
    /// twice.
    private mutating func checkRoot(_ root: UInt64, _ number: Int) throws(PythonInconsistency) {
        guard records[number].root != root else { return }
        if records[number].doubtfulRoot == root {
            records[number].root = root
            return
        }
        records[number].doubtfulRoot = root
        throw .rootChanged
    }

    // MARK: - Threads

    private func isThread(_ position: Int, _ record: ThreadRecord) -> Bool {
        snapshot.word(position + layout.interpreter) == record.interpreter
            && snapshot.word(position + layout.threadID) == record.threadID
    }

    /// Whether a thread that had no state may have one by now: the newest thread is another, or a while has passed.
    private mutating func isWorthLooking(_ record: inout ThreadRecord) throws(PythonInconsistency) -> Bool {
        snapshot.clear()
        guard record.newestThreadAddress != 0 else { return true }
        let position = try snapshot.locate(record.newestThreadAddress, 8, memory)
        if snapshot.word(position) != record.newestThread { return true }
        guard record.pause > 0 else { return true }
        record.pause -= 1
        return false
    }

    /// Looks through all threads of all interpreters.
    private mutating func find(
        _ thread: Int32, _ threadPointer: UInt64
    ) throws(PythonInconsistency) -> ThreadRecord {
        snapshot.clear()
        statistics.threadSearches += 1
        var record = ThreadRecord()
        var other: ThreadRecord?
        var interpreter = try snapshot.word(at: runtime &+ UInt64(layout.interpretersHead), memory)
        var interpreters = 0
        var states = 0
        while interpreter != 0 {
            interpreters += 1
            guard interpreters <= Self.maximumInterpreters else { throw .cycle }
            let headAddress = interpreter &+ UInt64(layout.threadsHead)
            let head = try snapshot.word(at: headAddress, memory)
            if record.newestThreadAddress == 0 {
                record.newestThreadAddress = headAddress
                record.newestThread = head
            }
            var state = head
            var landmark: UInt64 = 0
            while state != 0 {
                guard states < Self.maximumThreads, state != landmark else { throw .cycle }
                if states & (states - 1) == 0 { landmark = state }
                states += 1
                // Nothing of the states before is looked at again; a short list of ranges is looked through quickly.
                if states % 64 == 0 { snapshot.clear(keepingReads: true) }
                let position = try snapshot.locate(state, layout.threadBytes, memory)
                guard snapshot.word(position + layout.interpreter) == interpreter else { throw .layout }
                let threadID = snapshot.word(position + layout.threadID)
                var found = ThreadRecord()
                found.state = state
                found.interpreter = interpreter
                found.threadID = threadID
                found.newestThread = head
                found.newestThreadAddress = headAddress
                if let native = layout.nativeThreadID {
                    if snapshot.word(position + native) == UInt64(UInt32(bitPattern: thread)) { return found }
                }
                if other == nil, try isThreadBlock(threadID, of: thread, threadPointer) { other = found }
                state = snapshot.word(position + layout.nextThread)
            }
            interpreter = try snapshot.word(at: interpreter &+ UInt64(layout.nextInterpreter), memory)
        }
        return other ?? record
    }

    /// Whether `threadID`, which is what pthread_self() answered, is the thread's block in the C library.
    ///
    /// Both libraries keep the thread's number there: glibc behind a header of 0x2C0 bytes (aarch64: 0xC0) and two list
    /// pointers (nptl/descr.h), musl behind six pointers (aarch64: four; src/internal/pthread_impl.h).
    private mutating func isThreadBlock(
        _ threadID: UInt64, of thread: Int32, _ threadPointer: UInt64
    ) throws(PythonInconsistency) -> Bool {
        if threadPointer != 0 { return threadPointer == threadID }
        #if arch(arm64)
        let offsets: [UInt64] = [0xD0, 0x20]
        #else
        let offsets: [UInt64] = [0x2D0, 0x30]
        #endif
        for offset in offsets {
            let address = threadID &+ offset
            var position: Int?
            do throws(PythonInconsistency) {
                position = try snapshot.locate(address, 4, memory)
            } catch {
                guard case .unreadable = error else { throw error }
            }
            if let position, snapshot.half(position) == UInt32(bitPattern: thread) { return true }
        }
        return false
    }

    // MARK: - Frames

    private struct Start {
        var frame: UInt64
        var newestThread: UInt64
        var agreement: PythonAgreement
    }

    /// The frame that runs, read together with all that the thread's last stack was read from.
    private mutating func runningFrame(
        _ record: inout ThreadRecord, _ thread: Int32, _ threadPointer: UInt64, _ stackPointer: UInt64,
        _ copiedStack: RawSpan
    ) throws(PythonInconsistency) -> Start {
        snapshot.clear()
        nextRanges.removeAll(keepingCapacity: true)
        snapshot.plan(record.state, layout.threadBytes)
        snapshot.plan(record.newestThreadAddress, 8)
        for range in record.ranges { snapshot.plan(range.address, range.byteCount) }
        do throws(ProcessMemoryError) {
            try snapshot.load(memory)
        } catch {
            throw PythonInconsistency(error, address: record.state)
        }
        let state = try snapshot.locate(record.state, layout.threadBytes, memory)
        guard isThread(state, record) else { throw .layout }
        let newest = try snapshot.word(at: record.newestThreadAddress, memory)
        let current = snapshot.word(state + layout.currentFrame)
        guard let control = layout.controlFrame, current != 0 else {
            return Start(frame: current, newestThread: newest, agreement: .unknown)
        }

        // A _PyCFrame, in the C stack frame of the loop; the outermost is in the thread's state.
        let size = layout.controlFrameBytes
        let end = stackPointer &+ UInt64(copiedStack.byteCount)
        var address = current
        var running: UInt64 = 0
        var isDeeper = false
        for _ in 0..<64 {
            let position = try snapshot.locate(address, size, memory)
            let frame = snapshot.word(position + control.currentFrame)
            let previous = snapshot.word(position + control.previous)
            if address == current, startsBefore, previous != 0 {
                address = previous
                let before = try snapshot.locate(address, size, memory)
                let frameBefore = snapshot.word(before + control.currentFrame)
                guard frameBefore != 0 else { throw .frameLeft }
                return Start(frame: frameBefore, newestThread: newest, agreement: .moved)
            }
            if address == current {
                remember(address, size)
                running = frame
                // Only the one in the thread's state may name none: this one was left, and its place used again.
                if frame == 0, address &- record.state > 4096 { throw .frameLeft }
            }
            if copiedStack.byteCount > 0, address >= stackPointer, address < end, end - address >= UInt64(size) {
                let copied = copiedStack.littleEndianWord(Int(address - stackPointer) + control.currentFrame)
                let isSame = copied == frame && !isDeeper
                return Start(frame: running, newestThread: newest, agreement: isSame ? .same : .moved)
            }
            // Below the copy: the loop was entered since.
            guard copiedStack.byteCount > 0, address < stackPointer, stackPointer - address < 1 << 20 else {
                return Start(frame: running, newestThread: newest, agreement: isDeeper ? .moved : .unknown)
            }
            isDeeper = true
            address = previous
        }
        throw .cycle
    }

    private mutating func remember(_ address: UInt64, _ byteCount: Int) {
        guard nextRanges.count < 1000 else { return }
        nextRanges.append(MemoryRange(address: address, byteCount: byteCount))
    }

    /// Frames lie one behind the other in the thread's own stack of them: the page of one holds its neighbours, and
    /// can be read wherever the frame can.
    private func page(of address: UInt64, _ byteCount: Int) -> MemoryRange {
        let first = address & ~4095
        let end = (address &+ UInt64(byteCount) &+ 4095) & ~4095
        return MemoryRange(address: first, byteCount: Int(truncatingIfNeeded: end &- first))
    }

    /// Follows the frames from the leaf to the root. Answers whether there were more than are kept.
    private mutating func walk(
        from start: UInt64, _ stackPointer: UInt64, _ copiedStack: RawSpan, _ agreement: inout PythonAgreement
    ) throws(PythonInconsistency) -> Bool {
        walked.removeAll(keepingCapacity: true)
        let size = layout.frameBytes
        var address = start
        var count = 0
        var landmark: UInt64 = 0
        while address != 0 {
            guard walked.count < Self.maximumDepth, count < 2 * Self.maximumDepth else { return true }
            // Brent: compared with the frame at the last power of two, a cycle is found within twice its length.
            guard address != landmark else { throw .cycle }
            if count & (count - 1) == 0 { landmark = address }
            count += 1
            guard address & 7 == 0, address < UInt64.max - 8192 else { throw .unreadable(address: address) }

            let window =
                layout.frameOwner == nil ? MemoryRange(address: address, byteCount: size) : page(of: address, size)
            let position = try snapshot.locate(address, size, window: window, memory)
            let owner = layout.frameOwner.map { snapshot.byte(position + $0) } ?? 0
            // Only the thread's own frames (owner 0) have neighbours worth reading.
            if layout.frameOwner == nil || owner != 0 {
                remember(address, size)
            } else if nextRanges.last.map({ !($0.address <= window.address && window.byteCount <= $0.byteCount) })
                ?? true
            {
                remember(window.address, window.byteCount)
            }
            let previous = snapshot.word(position + layout.framePrevious)
            // A frame object that was left has lost its caller, and is handed out again. The one at the leaf may be
            // about to begin, or just at its end.
            if let state = layout.frameState, snapshot.byte(position + state.offset) != state.running,
                previous == 0 || !walked.isEmpty
            {
                throw .frameLeft
            }
            if case .shim(let shim) = layout.entry, owner >= shim {
                // The loop's own frame, in its C stack frame: what it leads to is the same as in the copy, or the
                // process has moved on.
                if let copied = copiedWord(address &+ UInt64(layout.framePrevious), stackPointer, copiedStack),
                    copied != previous
                {
                    agreement = .moved
                }
                if !walked.isEmpty { walked[walked.count - 1].isEntry = true }
                address = previous
                continue
            }
            // So has a generator that was left: a thread's first frame is never one.
            if layout.frameOwner != nil, owner == 1, previous == 0 { throw .frameLeft }
            let isEntry =
                switch layout.entry {
                case .always: true
                case .flag(let offset): snapshot.byte(position + offset) & 1 == 1
                case .shim: false
                }
            let code = snapshot.word(position + layout.frameCode) & ~layout.codeTagMask
            guard code != 0, code & 7 == 0, code < UInt64.max - 8192 else { throw .notCode(address: code) }
            let instruction =
                switch layout.instruction {
                case .index: UInt64(snapshot.half(position + layout.frameInstruction))
                case .pointer: snapshot.word(position + layout.frameInstruction)
                }
            walked.append(WalkedFrame(code: code, instruction: instruction, address: address, isEntry: isEntry))
            address = previous
        }
        // Beneath a thread's first frame lies the loop's own.
        if case .shim = layout.entry, let root = walked.last, !root.isEntry { throw .frameLeft }
        return false
    }

    private func copiedWord(_ address: UInt64, _ stackPointer: UInt64, _ copiedStack: RawSpan) -> UInt64? {
        let distance = address &- stackPointer
        guard address >= stackPointer, copiedStack.byteCount >= 8, distance <= UInt64(copiedStack.byteCount - 8) else {
            return nil
        }
        return copiedStack.littleEndianWord(Int(distance))
    }
}
