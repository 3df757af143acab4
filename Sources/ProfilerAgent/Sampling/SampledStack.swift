internal import PerfEvents
internal import Profiles
internal import Unwinding

/// How a stack ends at its root.
enum StackEnd: Hashable, Sendable {
    /// At the first function of its thread.
    case whole
    /// At a limit: of the copied bytes, of frames, of depth.
    case cut
    /// Where it could not be followed any further.
    case broken(BreakReason)
    /// At what the kernel found by frame pointers, which may or may not be all.
    case unknown
}

/// The frames of one sample, leaf first, in the numbers of a raw window. One value is used again and again, so that a
/// sample allocates nothing.
///
/// `module` of a native frame is a mapped file's number and `address` an offset in it; kernel frames hold a raw
/// address. Code that no file stands behind is a `jit` frame: its raw address, and in `line` the slot of the process
/// whose address it is; see `RuntimeCodeAddress`. One that was named when its sample was taken has `namedAddress`, and
/// name, file and line instead.
struct SampledStack {
    private(set) var frames: [Frame] = []
    /// For exchanging frames.
    private var own: [Frame] = []
    var end = StackEnd.whole
    /// An address of code made at run time whose frame nobody told the size of.
    private(set) var unknownRuntimeAddress: UInt64?

    init() { frames.reserveCapacity(2048) }

    /// Begins with the kernel's part of a call chain.
    mutating func begin(kernelFramesOf chain: Span<UInt64>, isFull: Bool) {
        frames.removeAll(keepingCapacity: true)
        end = isFull ? .cut : .whole
        unknownRuntimeAddress = nil
        var isKernel = false
        var isLeaf = true
        for index in chain.indices {
            let entry = chain[index]
            if CallChain.isMarker(entry) {
                isKernel = entry == CallChain.kernel
                continue
            }
            guard isKernel else { continue }
            // The kernel's leaf was interrupted where it is; all others return there, and the call stands before it.
            frames.append(Frame(kind: .kernel, address: isLeaf ? entry : entry &- 1))
            isLeaf = false
        }
    }

    /// Goes on with the user's part of a call chain, found by frame pointers.
    mutating func addUserFrames(of chain: Span<UInt64>, space: borrowing AddressSpace, slot: UInt32) {
        var isUser = false
        var isFirst = true
        for index in chain.indices {
            let entry = chain[index]
            if CallChain.isMarker(entry) {
                isUser = entry == CallChain.user
                continue
            }
            guard isUser else { continue }
            // The first is an instruction that was interrupted or will be returned to by the kernel.
            let address = isFirst ? entry : entry &- 1
            isFirst = false
            append(address, in: space.range(holding: address), slot: slot)
        }
        if end == .whole, !isFirst { end = .unknown }
    }

    /// Goes on with unwound frames, whose addresses stand within their calls already.
    ///
    /// - Parameters:
    ///   - registers: Of the sample.
    ///   - stack: The copy from the stack pointer on.
    mutating func add(
        _ unwound: borrowing [UnwoundFrame], registers: UserRegisters, stack: RawSpan, space: borrowing AddressSpace,
        slot: UInt32
    ) {
        for index in unwound.indices {
            let frame = unwound[index]
            if frame.framePointer != 0,
                let method = Self.word(stack, frame.framePointer &- 24 &- registers.stackPointer)
            {
                // Slots of HotSpot's interpreter frames, x86-64 and AArch64: method and bytecode pointer.
                frames.append(
                    RuntimeCodeAddress.interpreterFrame(
                        slot: slot, method: method,
                        saved: Self.word(stack, frame.framePointer &- 64 &- registers.stackPointer) ?? 0,
                        leaf: index == 0 ? registers[Self.bytecodeRegister] : nil))
                continue
            }
            append(
                frame.address, in: frame.mapping < 0 ? nil : space.ranges[Int(frame.mapping)], slot: slot,
                isFrameKnown: frame.origin == .runtimeCode)
        }
    }

    /// Other frames in the place of all from `kernelFrames` on, made by `frame` of their place and the frames before.
    mutating func replaceUserFrames(from kernelFrames: Int, count: Int, frame: (_ place: Int, _ own: [Frame]) -> Frame)
    {
        own.removeAll(keepingCapacity: true)
        own += frames[kernelFrames...]
        frames.removeSubrange(kernelFrames...)
        for place in 0..<count { frames.append(frame(place, own)) }
    }

    /// No code lies there.
    static let namedAddress = UInt64.max

    /// r13, x22.
    private static let bytecodeRegister = UserArchitecture.current == .x86_64 ? 13 : 22

    static func word(_ stack: RawSpan, _ offset: UInt64) -> UInt64? {
        guard stack.byteCount >= 8, offset <= UInt64(stack.byteCount - 8) else { return nil }
        return unsafe stack.unsafeLoadUnaligned(fromByteOffset: Int(offset), as: UInt64.self)
    }

    private mutating func append(
        _ address: UInt64, in range: CodeMapping?, slot: UInt32, isFrameKnown: Bool = false
    ) {
        guard let range else {
            frames.append(Frame(kind: .native, address: address))
            return
        }
        if range.file == MappedFileTable.anonymousFile, !isFrameKnown { unknownRuntimeAddress = address }
        frames.append(
            range.file == MappedFileTable.anonymousFile
                ? Frame(kind: .jit, line: slot, address: address)
                : Frame(kind: .native, module: range.file, address: address &- range.start &+ range.fileOffset))
    }
}
