/// One record of a ring, as views into its bytes.
public enum Record: ~Escapable {
    case sample(SampleRecord)
    case mapping(Mapping)
    case commandName(CommandName)
    case fork(Fork)
    case exit(Fork)
    case cgroup(CgroupPath)
    /// So many records found no room.
    case lost(UInt64)
    case throttle
    case unthrottle
    /// A type that we don't ask for, or one of a newer kernel.
    case other(type: UInt32)
}

/// A sample as the kernel wrote it, not yet weighed.
public struct SampleRecord: ~Escapable {
    public let pid: Int32
    public let tid: Int32
    public let cpu: UInt32
    public let time: UInt64
    public let callChain: Span<UInt64>
    public let user: UserState

    @_lifetime(copy callChain, copy user)
    init(
        pid: Int32, tid: Int32, cpu: UInt32, time: UInt64, callChain: Span<UInt64>, user: borrowing UserState
    ) {
        self.pid = pid
        self.tid = tid
        self.cpu = cpu
        self.time = time
        self.callChain = callChain
        self.user = copy user
    }
}

/// Why bytes are not a record.
public enum RecordError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The header is incomplete, or its size doesn't fit the bytes.
    case badSize(size: Int, available: Int)
    /// Too short for what its type must hold.
    case tooShort(type: UInt32, size: Int)
    /// A call chain of more entries than the record has room for.
    case badCallChain(count: UInt64, size: Int)
    /// Registers or a stack copy of more bytes than the record has room for.
    case badUserStack(bytes: UInt64, size: Int)
    /// A build ID of more bytes than the field has.
    case badBuildID(count: Int)
    /// The bytes don't begin at a multiple of 8.
    case misaligned

    public var description: String {
        switch self {
        case .badSize(let size, let available): "a record says it has \(size) bytes; \(available) are there"
        case .tooShort(let type, let size): "a record of type \(type) has only \(size) bytes"
        case .badCallChain(let count, let size): "a sample of \(size) bytes says its call chain has \(count) entries"
        case .badUserStack(let bytes, let size): "a sample of \(size) bytes says its stack copy has \(bytes)"
        case .badBuildID(let count): "a mapping's build ID says it has \(count) bytes"
        case .misaligned: "a record does not begin at a multiple of 8 bytes"
        }
    }
}
