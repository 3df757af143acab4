internal import Profiles
internal import Unwinding

/// Unwind tables by module, so that a library in many containers is read once. The least recently used go first.
struct UnwindTableCache {
    private struct Entry {
        var table: UnwindTable
        var lastUsed: UInt64
    }

    private var entries: [ModuleIdentity: Entry] = [:]
    private var uses: UInt64 = 0
    private var bytes = 0

    /// Of all tables. They take memory only as far as they are read; what the sampling thread still uses stays mapped.
    private static let maximumBytes = 256 << 20

    subscript(identity: ModuleIdentity) -> UnwindTable? {
        mutating get {
            uses += 1
            entries[identity]?.lastUsed = uses
            return entries[identity]?.table
        }
        set {
            uses += 1
            if let old = entries.removeValue(forKey: identity) { bytes -= old.table.byteCount }
            guard let newValue else { return }
            entries[identity] = Entry(table: newValue, lastUsed: uses)
            bytes += newValue.byteCount
            while bytes > Self.maximumBytes, entries.count > 1,
                let oldest = entries.min(by: { $0.value.lastUsed < $1.value.lastUsed })
            {
                entries[oldest.key] = nil
                bytes -= oldest.value.table.byteCount
            }
        }
    }
}
