import Profiles
import SymbolTables
import Synchronization

/// The decoded symbol tables that were used last, up to a bound on their memory.
final class SymbolTableCache: Sendable {
    private struct State {
        var tables: [ModuleIdentity: (table: SymbolTable, used: UInt64)] = [:]
        var bytes = 0
        var clock: UInt64 = 0
    }

    private let state = Mutex(State())
    private let maximumBytes: Int

    init(maximumBytes: Int) {
        self.maximumBytes = maximumBytes
    }

    func table(of module: ModuleIdentity) -> SymbolTable? {
        state.withLock { state in
            guard let found = state.tables[module] else { return nil }
            state.clock += 1
            state.tables[module]?.used = state.clock
            return found.table
        }
    }

    func put(_ table: SymbolTable, for module: ModuleIdentity) {
        state.withLock { state in
            state.clock += 1
            if let old = state.tables.updateValue((table, state.clock), forKey: module) {
                state.bytes -= old.table.memoryBytes
            }
            state.bytes += table.memoryBytes
            while state.bytes > maximumBytes, let oldest = state.tables.min(by: { $0.value.used < $1.value.used }) {
                state.bytes -= oldest.value.table.memoryBytes
                state.tables[oldest.key] = nil
            }
        }
    }

    func remove(_ module: ModuleIdentity) {
        state.withLock { state in
            if let old = state.tables.removeValue(forKey: module) { state.bytes -= old.table.memoryBytes }
        }
    }

    func removeAll() {
        state.withLock { $0 = State() }
    }
}
