/// One frame of a stack.
public struct UnwoundFrame: BitwiseCopyable, Hashable, Sendable {
    /// What said where the frame's caller is.
    public enum Origin: UInt8, BitwiseCopyable, Sendable {
        /// Call frame information (.eh_frame, .debug_frame), or a recognised PLT stub or signal trampoline.
        case callFrameInformation
        /// A chain of frame pointers.
        case framePointer
        /// The code itself.
        case frameless
        /// Code made at run time with frames of a known size.
        case runtimeCode
        /// First frame only: the return address at the stack pointer, or in the link register.
        case leaf
        /// Nothing: the stack ends here.
        case end
    }

    /// In the process, for look-up: already one byte back where it is a return address.
    public var address: UInt64
    /// The stack pointer of this frame at the call (first frame: at the sample).
    public var stackPointer: UInt64
    /// Index in the mappings, -1 where none holds the address.
    public var mapping: Int32
    /// How its caller was found.
    public var origin: Origin
    /// The trampoline that a signal handler returns to; its address is not moved.
    public var isSignal: Bool
    /// `address` is one byte before a return address.
    public var isReturnAddress: Bool
    /// The frame pointer, where the frame is one of a runtime's interpreter; else 0.
    public var framePointer: UInt64 = 0
}
