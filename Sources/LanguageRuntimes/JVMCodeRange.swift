/// How stack frames look while a piece of HotSpot's code runs.
public struct JVMCodeRange: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// A frame of `frameBytes`, as compiled methods and many stubs have it; it saves the caller's frame pointer.
        case compiled
        /// The same, but the frame pointer is still the caller's.
        case pushed
        /// The interpreter: a frame pointer, but the caller's stack pointer is the word below it (fp − 8), since adapters
        /// move the stack between the two.
        case interpreter
        /// A stub with a frame pointer, as C code has it.
        case framePointer
        /// Adapters and parts of methods without a frame: the return address lies at the stack pointer.
        case frameless
    }

    public var start: UInt64
    public var end: UInt64
    /// From the stack pointer to the call frame address (behind the return address); where the caller's frame pointer is
    /// saved it is 16 bytes below that. 0 for the interpreter and frames with a frame pointer.
    public var frameBytes: UInt32
    /// Before `start` + this the frame isn't built and the return address lies at the stack pointer.
    public var completeOffset: UInt32
    public var kind: Kind
}
