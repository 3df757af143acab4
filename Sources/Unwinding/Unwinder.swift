/// Follows stacks, one after the other.
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
        public var expressions: UInt64 = 0
        public var framePointer: UInt64 = 0
        public var frameless: UInt64 = 0
        public var runtimeCode: UInt64 = 0
        public var leaf: UInt64 = 0
        public var signalFrames: UInt64 = 0
    }

    public let architecture: UserArchitecture
    /// Of the last unwind; leaf first.
    public private(set) var frames: [UnwoundFrame] = []
    public private(set) var statistics = Statistics()

    public init(_ architecture: UserArchitecture, maximumFrames: Int = 1024) {
        self.architecture = architecture
        frames.reserveCapacity(maximumFrames)
    }

    public mutating func set(_ state: ModuleState, forFile file: UInt32) {}

    public mutating func unwind(
        _ registers: UserRegisters, stack: RawSpan, mappings: Span<CodeMapping>, runtimeCode: RuntimeCode? = nil
    ) -> UnwindOutcome {
        .broken(.noRule)
    }
}
