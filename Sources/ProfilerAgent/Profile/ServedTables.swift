import Profiles
import SymbolTables
import Synchronization

/// Asks debug servers for what is missing in symbol tables, beside the sampling of a one-host profile.
///
/// A server may take a minute for a file, and windows can't wait for that: modules queue up here, while they can still be
/// reached, and tables that have become better are taken when sampling is over.
final class ServedTables: Sendable {
    private struct State {
        var tables: [ModuleIdentity: SymbolTable] = [:]
        var isOver = false
        var isDone = false
        var left = 0
    }

    private let servers: DebugServers?
    private let wishes: AsyncStream<ModuleIdentity>.Continuation
    private let state = Mutex(State())
    /// From the end of sampling on; what is not there by then is done without.
    private static let patience = Duration.seconds(60)

    init(resolver: ModuleResolver, servers: DebugServers?) {
        self.servers = servers
        let (stream, wishes) = AsyncStream<ModuleIdentity>.makeStream()
        self.wishes = wishes
        guard servers != nil else {
            wishes.finish()
            state.withLock { $0.isDone = true }
            return
        }
        Task { [self] in
            for await identity in stream {
                let isOver = state.withLock { state in
                    if !state.isOver { state.left -= 1 }
                    return state.isOver
                }
                if isOver { break }
                guard case .table(let bytes) = await resolver.symbolTable(of: identity, asking: .forMore),
                    let table = try? SymbolTable(decoding: bytes)
                else { continue }
                state.withLock { $0.tables[identity] = table }
            }
            state.withLock { $0.isDone = true }
        }
    }

    /// Asks for a module where `table` has no lines, or not all.
    func wish(for identity: ModuleIdentity, having table: SymbolTable) {
        guard servers != nil, identity.kind == .buildID,
            table.quality < .debugInformation || table.gaps.contains(.noAlternateFile)
        else { return }
        state.withLock { $0.left += 1 }
        wishes.yield(identity)
    }

    /// Waits for what is under way, until `isEnough`, and at most `patience`.
    func finish(unless isEnough: () -> Bool) async -> (tables: [ModuleIdentity: SymbolTable], notes: [String]) {
        wishes.finish()
        let end = ContinuousClock.now + Self.patience
        while !state.withLock({ $0.isDone }), ContinuousClock.now < end, !isEnough() {
            try? await Task.sleep(nanoseconds: 20_000_000)
        }
        let (tables, left) = state.withLock { state in
            state.isOver = true
            return (state.tables, state.isDone ? 0 : state.left)
        }
        guard let counts = await servers?.statistics else { return (tables, []) }
        var note =
            "debuginfod: \(counts.found) debug files, \(counts.bytes) bytes; \(counts.absent) not known there,"
            + " \(counts.useless) of no use, \(counts.failures) failures, \(counts.spared) not asked again so soon"
        if let reason = counts.lastFailure { note += " (\(reason))" }
        if left > 0 { note += "; for want of time \(left) were not asked for" }
        let isSilent = counts == DebugServers.Statistics()
        return (tables, isSilent && left == 0 ? [] : [note])
    }
}
