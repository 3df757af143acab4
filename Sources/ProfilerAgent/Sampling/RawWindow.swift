internal import Profiles

/// A process as the samples of one window need it.
struct SampledProcess: Hashable, Sendable {
    var process: Int32
    var serial: UInt64
    var parent: Int32
    var origin: UInt64
    var startTime: UInt64
    /// Number among the window's names.
    var name: UInt32
    /// Number among the window's files, or `ProcessEntry.unknownName`.
    var program: UInt32
    var isKernelThread: Bool

    init(_ entry: ProcessEntry) {
        process = entry.process
        serial = entry.serial
        parent = entry.parent
        origin = entry.origin
        startTime = entry.startTime
        name = entry.name
        program = entry.program
        isKernelThread = entry.isKernelThread
    }
}

/// What the sampling thread hands over at a window's end: numbers, and the tables that say what they mean.
struct RawWindow: Sendable {
    var range: TimeRange
    /// CLOCK_MONOTONIC nanoseconds at the range's end.
    var monotonicEnd: UInt64 = 0
    var samplesPerSecond: Double
    var table: WindowTable
    /// By slot: every process that has samples.
    var processes: [UInt32: SampledProcess]
    var names: NameTable
    var files: MappedFileTable
    /// The account as of the window's end.
    var ledger: Ledger
}

/// What the sampling thread asks others to look at soon, while it can still be seen.
enum SamplerQuestion: Sendable {
    /// Environment, control group and program of a process that has samples.
    case process(SampledProcess)
    /// A file that was mapped for the first time.
    case file(MappedFile, MappedFileOwner)
    /// A process that may run an interpreter.
    case interpreter(SampledProcess, InterpreterKind)
    /// A file whose sections for unwinding are wanted, with its number and the numbering that it is of.
    case unwindSections(MappedFile, MappedFileOwner, number: UInt32, numbering: UInt64)
    /// A process with code made at run time, and its slot: how large its frames are, and what lies at places of it that
    /// the open window has met for the first time.
    case runtime(SampledProcess, slot: UInt32, places: [RuntimeCodeAddress])
}
