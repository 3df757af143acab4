internal import PerfEvents
internal import Unwinding

/// Follows the user stacks of the sampling thread's samples, and keeps account of the unwind tables that they need.
///
/// A module's table is asked for when a stack first leads through it. Samples that need it wait, bounded, until it is
/// there or the window closes; then they are followed as far as they go. So do those that are newer than what is known of
/// their process's run-time code (`RuntimeProcesses`).
final class StackUnwinding {
    private enum TableState: UInt8 {
        case unasked, asked, answered
    }

    private var unwinder: Unwinder
    private let architecture: UserArchitecture
    private let box: AnswerBox<UnwindTableAnswer>
    /// Files whose tables are to be asked for.
    private var wanted: [UInt32] = []
    private var states: [TableState] = []
    private var deferred: DeferredSamples
    /// Grows when files get other numbers.
    private(set) var numbering: UInt64 = 0
    /// By file: the window that last led through it.
    private var lastUsed: [UInt64] = []
    private var tableBytes: [Int] = []
    private var window: UInt64 = 1

    /// Bytes of tables that stay mapped; those not used in the window that closes go first. They take memory only as far
    /// as they are read.
    private static let maximumTableBytes = 256 << 20
    /// Samples with 16 KiB of stack in them at 1,000 Hz on two CPUs for a quarter of a second.
    private static let maximumDeferredBytes = 8 << 20

    init(architecture: UserArchitecture = .current, box: AnswerBox<UnwindTableAnswer>) {
        self.architecture = architecture
        self.box = box
        unwinder = Unwinder(architecture)
        deferred = DeferredSamples(maximumBytes: Self.maximumDeferredBytes)
        unwinder.set(.unreadable, forFile: MappedFileTable.anonymousFile)
    }

    /// As much as a ring of 4 MiB holds for a quarter of a second, from 16 to 63 KiB: deep stacks whole at moderate
    /// rates, and at high ones a ring that a busy host doesn't overflow.
    static func stackCopyBytes(atRate samplesPerSecond: Double) -> Int {
        let fitting = Double(4 << 20) / (samplesPerSecond / 4)
        return min(max(Int(min(fitting, 1e6)) / 1024 * 1024, 16 << 10), UserStackCopy.maximumBytes)
    }

    /// What has to be copied of each sample; nil for 0 bytes.
    static func stackCopy(byteCount: Int) -> UserStackCopy? {
        byteCount > 0 ? UserStackCopy(byteCount: byteCount, registers: UserRegisters.perfMask(.current)) : nil
    }

    var isAnyWaiting: Bool { !deferred.isEmpty }

    /// Of the last stack that was followed.
    var frames: [UnwoundFrame] { unwinder.frames }

    /// A file whose table is wanted since the last call; the answer goes into the box.
    func nextWanted() -> UInt32? { wanted.popLast() }

    /// Follows a stack that was sampled at `time` and adds its frames. False where it has to wait for a table or for a
    /// runtime; the stack then holds what there is.
    func follow(
        _ user: borrowing UserState, space: borrowing AddressSpace, slot: UInt32, time: UInt64,
        runtimes: borrowing RuntimeProcesses, into stack: inout SampledStack
    ) -> Bool {
        let registers = UserRegisters(perfRegisters: user.registers, architecture: architecture)
        let outcome = unwinder.unwind(
            registers, stack: user.stack, mappings: space.ranges.span, runtimeCode: runtimes.code(ofSlot: slot))
        stack.add(unwinder.frames, registers: registers, stack: user.stack, space: space, slot: slot)
        touchFiles(space)
        switch outcome {
        case .whole:
            if let address = stack.unknownRuntimeAddress, runtimes.isSizeMissing(slot: slot, address: address) {
                stack.end = .broken(.noRule)
            }
        case .cut, .tooDeep: stack.end = .cut
        case .broken(let reason): stack.end = .broken(reason)
        case .waiting(let file):
            stack.end = .broken(.noTable)
            want(file)
            return false
        }
        guard runtimes.isDoubtful(stack, slot: slot, time: time) else { return true }
        // Where it can't wait it must not pass for whole.
        if stack.end == .whole { stack.end = .broken(.noRule) }
        return false
    }

    /// Keeps a sample until its table comes. False where there is no room.
    func wait(_ facts: DeferredSamples.Facts, chain: Span<UInt64>, user: borrowing UserState) -> Bool {
        deferred.add(facts, chain: chain, user: user)
    }

    /// Takes the tables that have come; true when waiting samples should be tried again, as they should where more is
    /// known of a runtime.
    func takeTables(isMoreKnown: Bool) -> Bool {
        var isAny = isMoreKnown
        for answer in box.takeAll() where answer.numbering == numbering {
            makeRoom(answer.file)
            states[Int(answer.file)] = .answered
            tableBytes[Int(answer.file)] = answer.table?.byteCount ?? 0
            unwinder.set(answer.table.map { .ready($0) } ?? .unreadable, forFile: answer.file)
            isAny = true
        }
        return isAny && !deferred.isEmpty
    }

    /// Follows what waits once more; `done` gets each stack that needs to wait no longer, with the number of its kernel
    /// frames, and whether it was followed. With `isLast` all are done.
    func tryAgain(
        isLast: Bool, runtimes: borrowing RuntimeProcesses, stack: inout SampledStack,
        done: (
            DeferredSamples.Facts, borrowing UserState, inout SampledStack, _ kernelFrames: Int, _ isFollowed: Bool
        ) -> Void
    ) {
        if isLast {
            // What did not come is followed by other means, and asked for again by the next window's samples.
            for file in states.indices where states[file] == .asked { unwinder.set(.unreadable, forFile: UInt32(file)) }
        }
        deferred.tryAgain { facts, chain, user in
            stack.begin(kernelFramesOf: chain, isFull: facts.isChainFull)
            let kernelFrames = stack.frames.count
            let isFollowed = follow(
                user, space: facts.space, slot: facts.slot, time: facts.time, runtimes: runtimes, into: &stack)
            if isFollowed || isLast { done(facts, user, &stack, kernelFrames, isFollowed) }
            return isFollowed || isLast
        }
        guard isLast else { return }
        for file in states.indices where states[file] == .asked {
            states[file] = .unasked
            unwinder.set(.unknown, forFile: UInt32(file))
        }
    }

    /// The window has closed: forgets tables that nobody used, where they take too much.
    func closeWindow() {
        defer { window += 1 }
        guard tableBytes.reduce(0, +) > Self.maximumTableBytes else { return }
        for file in states.indices where states[file] == .answered && tableBytes[file] > 0 && lastUsed[file] < window {
            states[file] = .unasked
            tableBytes[file] = 0
            unwinder.set(.unknown, forFile: UInt32(file))
        }
    }

    /// Files have other numbers from now on.
    func renumber() {
        numbering += 1
        for file in states.indices { unwinder.set(.unknown, forFile: UInt32(file)) }
        states.removeAll(keepingCapacity: true)
        lastUsed.removeAll(keepingCapacity: true)
        wanted.removeAll()
        tableBytes.removeAll(keepingCapacity: true)
        unwinder.set(.unreadable, forFile: MappedFileTable.anonymousFile)
    }

    // MARK: Inside

    private func want(_ file: UInt32) {
        makeRoom(file)
        guard states[Int(file)] == .unasked else { return }
        states[Int(file)] = .asked
        unwinder.set(.waiting, forFile: file)
        wanted.append(file)
    }

    private func touchFiles(_ space: borrowing AddressSpace) {
        for index in unwinder.frames.indices {
            let mapping = unwinder.frames[index].mapping
            guard mapping >= 0 else { continue }
            let file = Int(space.ranges[Int(mapping)].file)
            if file < lastUsed.count { lastUsed[file] = window }
        }
    }

    private func makeRoom(_ file: UInt32) {
        while states.count <= Int(file) {
            states.append(.unasked)
            lastUsed.append(window)
            tableBytes.append(0)
        }
    }
}
