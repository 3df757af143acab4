/// Follows stacks, one after the other: from a sample's registers and the copy of its stack to the addresses of the
/// callers.
///
/// The rule for an address comes from call frame information, parsed when the address is first met and remembered in a
/// cache; where there is none, from the sizes of frames of run-time code, from the code itself, from the frame pointer,
/// in this order. Nothing but the copy is read, and once the caches and the array of frames have their size nothing is
/// allocated.
public struct Unwinder: ~Copyable {
    public enum ModuleState: Sendable {
        /// Never heard of: a stack that needs it is `waiting`.
        case unknown
        /// Being made: a stack that needs it is `waiting`.
        case waiting
        /// There are none, or they can't be had: frame pointers are all there is.
        case unreadable
        case ready(UnwindTable)
    }

    /// Counts since the start.
    public struct Statistics: Equatable, Sendable {
        public var cacheHits: UInt64 = 0
        public var cacheMisses: UInt64 = 0
        /// Steps by what told where the caller is.
        public var callFrameInformation: UInt64 = 0
        /// Of these, steps that carried out the whole row because no shape of `UnwindRule` holds it.
        public var wholeRows: UInt64 = 0
        public var framePointer: UInt64 = 0
        public var frameless: UInt64 = 0
        public var runtimeCode: UInt64 = 0
        public var leaf: UInt64 = 0
        public var signalFrames: UInt64 = 0
    }

    /// Call frame instructions for one address, and for one stack; real ones take at most a few hundred.
    static let instructionsPerRule = 1 << 15
    static let instructionsPerStack = 1 << 18
    /// Operations of expressions for one stack.
    static let operationsPerStack = 1 << 17
    /// What an analysis of code counts for.
    static let instructionsPerAnalysis = 1 << 12

    public let architecture: UserArchitecture
    /// Of the last unwind; leaf first. Whoever keeps a copy over the next unwind makes that one allocate.
    public internal(set) var frames: [UnwoundFrame] = []
    let maximumFrames: Int
    var modules = ModuleTables()
    var cache = RuleCache()
    var program: CallFrameProgram
    var evaluator = ExpressionEvaluator()
    var counts = Statistics()
    var instructionsLeft = 0
    /// The mapping that held the last address.
    private var lastMapping = 0

    public init(_ architecture: UserArchitecture, maximumFrames: Int = 1024) {
        self.architecture = architecture
        self.maximumFrames = max(1, maximumFrames)
        program = CallFrameProgram(architecture)
        frames.reserveCapacity(self.maximumFrames)
    }

    public var statistics: Statistics {
        var counts = counts
        counts.cacheHits = cache.hits
        counts.cacheMisses = cache.misses
        return counts
    }

    /// A table for another architecture counts as unreadable.
    public mutating func set(_ state: ModuleState, forFile file: UInt32) {
        modules.set(state, forFile: file, architecture)
    }

    /// Fills `frames`.
    ///
    /// - Parameters:
    ///   - registers: at the moment of the copy.
    ///   - stack: copied from the stack pointer upward.
    ///   - mappings: executable ones, sorted, without overlaps.
    public mutating func unwind(
        _ registers: UserRegisters, stack: RawSpan, mappings: Span<CodeMapping>, runtimeCode: RuntimeCode? = nil
    ) -> UnwindOutcome {
        frames.removeAll(keepingCapacity: true)
        guard registers.isKnown(architecture.programCounterNumber), registers.isKnown(architecture.stackPointerNumber),
            registers.architecture == architecture
        else { return .broken(.noRegisters) }
        var state = StackState(registers: registers)
        let copy = StackCopy(stack, start: registers.stackPointer)
        instructionsLeft = Self.instructionsPerStack
        evaluator.budget = Self.operationsPerStack
        do throws(StepFailure) {
            while true {
                guard frames.count < maximumFrames else { return .tooDeep }
                let end = try step(&state, copy, mappings, runtimeCode)
                if let end { return end }
            }
        } catch {
            switch error {
            case .cut: return .cut
            case .broken(let reason): return .broken(reason)
            }
        }
    }

    /// Where the unwinding stands.
    struct StackState {
        var registers: UserRegisters
        /// The program counter is a return address, not the place of a sample or of an interruption.
        var isReturnAddress = false
        /// A signal handler's own stack ends here: of what it interrupted, registers alone are known.
        var isOnOtherStack = false
    }

    /// One frame: appends it and goes on to its caller; an outcome when there is nothing to go on to.
    private mutating func step(
        _ state: inout StackState, _ copy: borrowing StackCopy, _ mappings: Span<CodeMapping>,
        _ runtimeCode: borrowing RuntimeCode?
    ) throws(StepFailure) -> UnwindOutcome? {
        let address = state.registers.programCounter &- (state.isReturnAddress ? 1 : 0)
        let mapping = mappingIndex(address, mappings)
        frames.append(
            UnwoundFrame(
                address: address, stackPointer: state.registers.stackPointer,
                mapping: Int32(truncatingIfNeeded: mapping),
                origin: .end, isSignal: false, isReturnAddress: state.isReturnAddress))
        if state.isOnOtherStack { throw .broken(.otherStack) }
        guard mapping >= 0 else { return try stepOutsideFiles(&state, copy, mappings, runtimeCode) }
        let place = mappings[mapping]
        let module = modules.state(ofFile: place.file)
        guard module >= ModuleTables.firstReady else {
            guard module == ModuleTables.unreadable else { return .waiting(file: place.file) }
            return try stepWithoutRule(&state, copy, mappings, runtimeCode)
        }
        let view = unsafe modules.view(module)
        guard let distance = unsafe view.pointee.distance(ofFileOffset: address &- place.start &+ place.fileOffset)
        else {
            return try stepWithoutRule(&state, copy, mappings, runtimeCode)
        }
        let key = RuleCache.key(
            serial: unsafe view.pointee.serial, distance: distance, isReturnAddress: state.isReturnAddress)
        let rule: UnsafePointer<UnwindRule>
        if let found = unsafe cache.find(key) {
            unsafe rule = found
        } else {
            let made = unsafe makeRule(view, distance, isReturnAddress: state.isReturnAddress)
            // A stack that cost too much says nothing about this rule.
            guard instructionsLeft > 0 else { throw .broken(.malformedRule) }
            unsafe rule = cache.insert(key, made)
        }
        switch unsafe rule.pointee.kind {
        case .register, .indirect, .realigned:
            if unsafe !state.registers.isKnown(Int(rule.pointee.base)) {
                guard architecture == .aarch64, state.registers.isKnown(architecture.framePointerNumber) else {
                    throw .broken(.unknownRegister)
                }
                // After a chain of frame pointers aarch64's stack pointer is known only roughly.
                return try stepWithoutRule(&state, copy, mappings, runtimeCode)
            }
            if unsafe rule.pointee.origin == .frameless,
                unsafe !leadsToCode(rule.pointee, state, copy, mappings, runtimeCode)
            {
                return try stepWithoutRule(&state, copy, mappings, runtimeCode)
            }
            return unsafe try apply(rule, &state, copy)
        case .row: return unsafe try applyRow(rule, view, distance, &state, copy)
        case .signalContext: return try applySignalContext(&state, copy)
        case .end: return .whole
        case .failed: throw .broken(BreakReason(rawValue: UInt8(unsafe rule.pointee.offset)) ?? .malformedRule)
        case .none: return try stepWithoutRule(&state, copy, mappings, runtimeCode)
        }
    }

    /// -1: none. Stacks stay in few mappings; the last one is looked at first.
    @inline(__always)
    mutating func mappingIndex(_ address: UInt64, _ mappings: Span<CodeMapping>) -> Int {
        if lastMapping < mappings.count {
            let last = mappings[lastMapping]
            if address >= last.start && address < last.end { return lastMapping }
        }
        var low = 0
        var high = mappings.count
        while low < high {
            let middle = (low &+ high) >> 1
            if mappings[middle].end <= address { low = middle &+ 1 } else { high = middle }
        }
        guard low < mappings.count, mappings[low].start <= address else { return -1 }
        lastMapping = low
        return low
    }
}
