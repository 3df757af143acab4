/// Rules by (table, address, whether the address is one of a call): two places for each.
@safe struct RuleCache: ~Copyable {
    private struct Entry: BitwiseCopyable {
        var key: UInt64 = 0
        var rule = UnwindRule()
    }

    /// 8,192 entries of 48 bytes: 384 KiB, about a level-2 cache's half.
    private static let setBits: UInt64 = 12
    private let entries: UnsafeMutablePointer<Entry>
    private(set) var hits: UInt64 = 0
    private(set) var misses: UInt64 = 0

    init() {
        unsafe entries = .allocate(capacity: 2 << Int(Self.setBits))
        unsafe entries.initialize(repeating: Entry(), count: 2 << Int(Self.setBits))
    }

    deinit {
        unsafe entries.deallocate()
    }

    /// Serials begin at 1, so no key is 0. Serials go round after 2^31 tables.
    @inline(__always)
    static func key(serial: UInt32, distance: UInt32, isReturnAddress: Bool) -> UInt64 {
        UInt64(serial) << 33 | UInt64(distance) << 1 | (isReturnAddress ? 1 : 0)
    }

    @inline(__always)
    private func set(_ key: UInt64) -> UnsafeMutablePointer<Entry> {
        let index = (key &* 0x9E37_79B9_7F4A_7C15) >> (64 &- Self.setBits)
        return unsafe entries + Int(index) &* 2
    }

    /// A pointer, so that the rule is not copied; valid until the next `insert`.
    @inline(__always)
    mutating func find(_ key: UInt64) -> UnsafePointer<UnwindRule>? {
        let set = unsafe set(key)
        if unsafe set[0].key == key {
            hits &+= 1
            return unsafe rule(set)
        }
        if unsafe set[1].key == key {
            hits &+= 1
            return unsafe rule(set + 1)
        }
        misses &+= 1
        return nil
    }

    /// The older of the two goes.
    mutating func insert(_ key: UInt64, _ rule: UnwindRule) -> UnsafePointer<UnwindRule> {
        let set = unsafe set(key)
        unsafe set[1] = set[0]
        unsafe set[0] = Entry(key: key, rule: rule)
        return unsafe self.rule(set)
    }

    @inline(__always)
    private func rule(_ entry: UnsafeMutablePointer<Entry>) -> UnsafePointer<UnwindRule> {
        unsafe UnsafeRawPointer(entry).advanced(by: MemoryLayout<Entry>.offset(of: \Entry.rule) ?? 8)
            .assumingMemoryBound(to: UnwindRule.self)
    }
}
