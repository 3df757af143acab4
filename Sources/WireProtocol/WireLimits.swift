/// Bounds on what either side accepts. Each is far above what an honest peer sends and small enough that a hostile one
/// can't hurt.
public enum WireLimits {
    /// Body of one message. A window of a host with 128 busy CPUs at 100 Hz is below 2 MiB.
    public static let messageBytes = 16 << 20
    /// Content of a batch after decompression: four times the largest message.
    public static let expandedBytes = 64 << 20
    /// Frames of one stack, process and thread included: the kernel's largest perf_event_max_stack is 640, unwinding
    /// keeps up to 1,024, and a process's kernel and user parts add up.
    public static let stackDepth = 2_050
    /// UTF-8 bytes of one string: a service, a label, a function's name.
    public static let stringBytes = 256 << 10
    /// Distinct strings, modules, frames and nodes of one batch.
    public static let tableEntries = 4 << 20
    /// Series of one batch.
    public static let series = 100_000
    /// Labels of one series or host.
    public static let labels = 64
    /// Modules in one SymbolsWanted.
    public static let modulesWanted = 1_000
    /// Encoded symbol table of one module: swift-frontend with 400,000 functions needs about a tenth.
    public static let symbolTableBytes = 256 << 20
    /// Data of one SymbolTableChunk.
    public static let chunkBytes = 1 << 20
    /// Length of a window: no honest one is longer than a minute.
    public static let windowNanoseconds: Int64 = 60_000_000_000
    /// Versions of the protocol that this build speaks.
    public static let versions: [UInt32] = [1]
}
