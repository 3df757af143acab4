internal import CLinux
internal import Glibc

/// A range of a process's addresses.
public struct MemoryRange: BitwiseCopyable, Hashable, Sendable {
    public var address: UInt64
    public var byteCount: Int

    public init(address: UInt64, byteCount: Int) {
        self.address = address
        self.byteCount = byteCount
    }
}

/// Why memory of another process could not be read.
public enum ProcessMemoryError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The process has ended.
    case gone(process: Int32)
    /// It needs CAP_SYS_PTRACE, or the same user and a process that may be dumped.
    case notPermitted(process: Int32)
    /// Nothing can be read at the address: unmapped, or without the right to read.
    case unreadable(process: Int32, address: UInt64)
    /// Fewer bytes than asked for could be read.
    case short(process: Int32, address: UInt64, wanted: Int, read: Int)
    /// More was asked for than one read may take.
    case overLimit(byteCount: Int, limit: Int)
    case failed(process: Int32, code: Int32)

    public var description: String {
        switch self {
        case .gone(let process): "process \(process) has ended, its memory can't be read"
        case .notPermitted(let process):
            "no right to read the memory of process \(process): run as root or with CAP_SYS_PTRACE"
        case .unreadable(let process, let address):
            "process \(process) has no readable memory at 0x\(String(address, radix: 16))"
        case .short(let process, let address, let wanted, let read):
            "only \(read) of \(wanted) bytes at 0x\(String(address, radix: 16)) of process \(process) can be read"
        case .overLimit(let byteCount, let limit):
            "\(byteCount) bytes were asked for in one read of a process's memory, at most \(limit) are allowed"
        case .failed(let process, let code):
            SystemCallError("process_vm_readv", on: "process \(process)", code: code).description
        }
    }
}

/// Reads the memory of a running process from outside (process_vm_readv(2)), without stopping it.
///
/// What is read may change while it is read: nothing of it is to be trusted. The PID may have been given to another
/// process: callers that keep a value tie it to the process's start time.
public struct ProcessMemory: Hashable, Sendable {
    public let process: Int32

    /// Bytes that one call reads at most.
    public static let maximumBytes = 16 << 20
    /// Ranges that one call reads at most (IOV_MAX).
    public static let maximumRanges = 1024

    public init(process: Int32) {
        self.process = process
    }

    /// Reads `ranges` one behind the other into `bytes` from `offset` on, with one system call for all of them.
    ///
    /// Answers how many bytes were read. That is less than asked for where a range can't be read: those before it are
    /// there in full, of that one perhaps its beginning, of those behind it nothing. Throws where nothing at all could be read.
    public func read(
        _ ranges: [MemoryRange], into bytes: inout [UInt8], at offset: Int = 0
    ) throws(ProcessMemoryError) -> Int {
        guard let first = ranges.first else { return 0 }
        guard ranges.count <= Self.maximumRanges else {
            throw .overLimit(byteCount: ranges.count, limit: Self.maximumRanges)
        }
        var total = 0
        for range in ranges {
            guard range.byteCount >= 0, range.byteCount <= Self.maximumBytes - total else {
                throw .overLimit(byteCount: range.byteCount, limit: Self.maximumBytes)
            }
            total += range.byteCount
        }
        guard offset >= 0, offset <= bytes.count, total <= bytes.count - offset else {
            throw .overLimit(byteCount: total, limit: max(0, bytes.count - max(0, offset)))
        }
        guard total > 0 else { return 0 }
        // A range has the layout that the C side asserts of its own: two words of 64 bits.
        let count = unsafe ranges.withUnsafeBytes { rangeBytes in
            unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe linux_read_process(
                    process, rangeBytes.baseAddress?.assumingMemoryBound(to: linux_memory_range.self), ranges.count,
                    buffer.baseAddress?.advanced(by: offset), total)
            }
        }
        guard count >= 0 else { throw failure(errno, at: first.address) }
        guard count > 0 else { throw .unreadable(process: process, address: first.address) }
        return count
    }

    /// `byteCount` bytes at `address`, all of them or an error.
    public func bytes(at address: UInt64, count byteCount: Int) throws(ProcessMemoryError) -> [UInt8] {
        guard byteCount >= 0, byteCount <= Self.maximumBytes else {
            throw .overLimit(byteCount: byteCount, limit: Self.maximumBytes)
        }
        guard byteCount > 0 else { return [] }
        var result = [UInt8](repeating: 0, count: byteCount)
        let count = try read([MemoryRange(address: address, byteCount: byteCount)], into: &result)
        guard count == byteCount else {
            throw .short(process: process, address: address, wanted: byteCount, read: count)
        }
        return result
    }

    /// The 64-bit word at `address`.
    public func word(at address: UInt64) throws(ProcessMemoryError) -> UInt64 {
        let bytes = try bytes(at: address, count: 8)
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func failure(_ code: Int32, at address: UInt64) -> ProcessMemoryError {
        switch code {
        case ESRCH: .gone(process: process)
        case EPERM: .notPermitted(process: process)
        case EFAULT: .unreadable(process: process, address: address)
        default: .failed(process: process, code: code)
        }
    }
}
