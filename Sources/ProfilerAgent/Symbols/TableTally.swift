import SymbolTables
import Synchronization

/// How many symbol tables were made, and what they lack, for `perf-agent status`.
final class TableTally: Sendable {
    private struct Counts {
        var tables = 0
        var lacking: [TableGaps.RawValue: (text: String, tables: Int)] = [:]
    }

    private let counts = Mutex(Counts())

    func add(_ gaps: TableGaps) {
        counts.withLock { counts in
            counts.tables += 1
            for (gap, text) in gaps.singly {
                counts.lacking[gap.rawValue, default: (text, 0)].tables += 1
            }
        }
    }

    /// A line for people.
    var text: String {
        counts.withLock { counts in
            let parts = counts.lacking.sorted { $0.key < $1.key }.map { ", \($0.value.text): \($0.value.tables)" }
            return "\(counts.tables) made" + parts.joined()
        }
    }
}
