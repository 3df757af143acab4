/// One tick of the CPU clock that found a thread running.
public struct Sample: ~Escapable {
    /// The process; -1 for a thread in its very last moments, when it has no number any more. Never 0.
    public let pid: Int32
    public let tid: Int32
    public let cpu: Int
    /// CLOCK_MONOTONIC, nanoseconds.
    public let time: UInt64
    /// CPU time that this sample stands for, in nanoseconds: the period in force, and after a change of the period what
    /// had elapsed of the one before.
    public let weight: UInt64
    /// It came after records with later times had been handed on.
    public let isLate: Bool
    /// As the kernel gives it: from the leaf to the root, `CallChain` markers in between.
    public let callChain: Span<UInt64>
    /// As many frames as the kernel's limit lets a chain have: what lies beyond is not known.
    public let isChainFull: Bool
    /// What was copied of the thread's user side; empty unless `SamplingOptions.userStack` asks for it, and for kernel
    /// threads and processes of 32 bits.
    public let user: UserState

    @_lifetime(copy callChain, copy user)
    package init(
        pid: Int32, tid: Int32, cpu: Int, time: UInt64, weight: UInt64, isLate: Bool, callChain: Span<UInt64>,
        isChainFull: Bool, user: borrowing UserState
    ) {
        self.pid = pid
        self.tid = tid
        self.cpu = cpu
        self.time = time
        self.weight = weight
        self.isLate = isLate
        self.callChain = callChain
        self.isChainFull = isChainFull
        self.user = copy user
    }
}

/// Registers and a copy of the stack of a sampled thread's user side.
public struct UserState: ~Escapable {
    /// In the order of the bits of `UserStackCopy.registers`; empty where the thread has no user side of 64 bits.
    public let registers: Span<UInt64>
    /// From the stack pointer upward, as much as could be read.
    public let stack: RawSpan

    @_lifetime(copy registers, copy stack)
    package init(registers: Span<UInt64>, stack: RawSpan) {
        self.registers = registers
        self.stack = stack
    }

    /// Nothing was copied.
    @_lifetime(immortal)
    public init() {
        registers = Span()
        stack = RawSpan()
    }
}

/// Values within a call chain that are no addresses (enum perf_callchain_context).
public enum CallChain {
    /// Kernel frames follow.
    public static let kernel = UInt64(bitPattern: -128)
    /// User frames follow.
    public static let user = UInt64(bitPattern: -512)
    /// Everything from here up is a marker of some kind (PERF_CONTEXT_MAX).
    public static let firstMarker = UInt64(bitPattern: -4095)

    @inlinable
    public static func isMarker(_ entry: UInt64) -> Bool { entry >= firstMarker }
}

/// A file, or anonymous memory, mapped executable into a process (PERF_RECORD_MMAP2, PERF_RECORD_MMAP).
public struct Mapping: ~Escapable {
    public let pid: Int32
    public let tid: Int32
    public let time: UInt64
    /// First address and length in bytes.
    public let address: UInt64
    public let length: UInt64
    /// Where in the file the mapping begins, in bytes.
    public let fileOffset: UInt64
    /// PROT_… and MAP_… of mmap(2); 0 in records too old to have them.
    public let protection: UInt32
    public let flags: UInt32
    /// Device and inode; 0 where the kernel sent a build ID in their place.
    public let deviceMajor: UInt32
    public let deviceMinor: UInt32
    public let inode: UInt64
    /// At most 20 bytes; empty where the kernel sent none.
    public let buildID: Span<UInt8>
    /// The path as the process saw it, or `[vdso]`, `//anon` and the like.
    public let name: Span<UInt8>

    @_lifetime(copy buildID, copy name)
    init(
        pid: Int32, tid: Int32, time: UInt64, address: UInt64, length: UInt64, fileOffset: UInt64, protection: UInt32,
        flags: UInt32, deviceMajor: UInt32, deviceMinor: UInt32, inode: UInt64, buildID: Span<UInt8>, name: Span<UInt8>
    ) {
        self.pid = pid
        self.tid = tid
        self.time = time
        self.address = address
        self.length = length
        self.fileOffset = fileOffset
        self.protection = protection
        self.flags = flags
        self.deviceMajor = deviceMajor
        self.deviceMinor = deviceMinor
        self.inode = inode
        self.buildID = buildID
        self.name = name
    }

    public var isExecutable: Bool { protection & 4 != 0 }
}

/// A thread's new name (PERF_RECORD_COMM).
public struct CommandName: ~Escapable {
    public let pid: Int32
    public let tid: Int32
    public let time: UInt64
    /// By execve: all mappings before it are gone.
    public let isExec: Bool
    /// At most 15 bytes.
    public let name: Span<UInt8>

    @_lifetime(copy name)
    init(pid: Int32, tid: Int32, time: UInt64, isExec: Bool, name: Span<UInt8>) {
        self.pid = pid
        self.tid = tid
        self.time = time
        self.isExec = isExec
        self.name = name
    }
}

/// A thread's or process's beginning or end (PERF_RECORD_FORK, PERF_RECORD_EXIT). A new thread has its parent's `pid`.
public struct Fork: Hashable, Sendable {
    public let pid: Int32
    public let parentPID: Int32
    public let tid: Int32
    public let parentTID: Int32
    public let time: UInt64

    public init(pid: Int32, parentPID: Int32, tid: Int32, parentTID: Int32, time: UInt64) {
        self.pid = pid
        self.parentPID = parentPID
        self.tid = tid
        self.parentTID = parentTID
        self.time = time
    }
}

/// A new control group (PERF_RECORD_CGROUP).
public struct CgroupPath: ~Escapable {
    public let id: UInt64
    public let time: UInt64
    /// From the hierarchy's root, beginning with `/`.
    public let path: Span<UInt8>

    @_lifetime(copy path)
    init(id: UInt64, time: UInt64, path: Span<UInt8>) {
        self.id = id
        self.time = time
        self.path = path
    }
}
