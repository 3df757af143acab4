import Foundation

/// Prints figures, and the hash of what was worked out for them.
struct Report {
    var isSmoke: Bool
    /// The folder with the Perl scripts.
    var rivals: String?
    private var hash: UInt64 = Self.emptyHash

    private static let emptyHash: UInt64 = 0xCBF2_9CE4_8422_2325

    init(isSmoke: Bool, rivals: String?) {
        self.isSmoke = isSmoke
        self.rivals = rivals
    }

    mutating func begin(_ subject: Subject) {
        print(subject.rawValue)
        hash = Self.emptyHash
    }

    /// One figure, with what it is held against.
    func line(_ what: String, _ figure: String, _ against: String = "") {
        let dots = String(repeating: ".", count: max(2, 58 - what.count))
        print("  \(what) \(dots) \(figure)\(against.isEmpty ? "" : "   [\(against)]")")
        fflush(nil)
    }

    func absent(_ what: String, because reason: String) { line(what, "absent", reason) }

    /// Takes part of a result into the subject's hash (FNV-1a).
    mutating func keep(_ value: UInt64) { hash = (hash ^ value) &* 0x100_0000_01B3 }
    mutating func keep(_ value: Int) { keep(UInt64(bitPattern: Int64(value))) }
    mutating func keep(_ bytes: [UInt8]) { for byte in bytes { keep(UInt64(byte)) } }

    func end() { print("  result \(String(hash, radix: 16))") }

    /// The full number, or the one that is enough to see that it works.
    func size(_ full: Int, smoke: Int) -> Int { isSmoke ? smoke : full }
}

/// CPU seconds of this thread, so that what else runs on the machine counts for little.
func threadSeconds(_ body: () throws -> Void) rethrows -> Double {
    let start = seconds(of: CLOCK_THREAD_CPUTIME_ID)
    try body()
    return seconds(of: CLOCK_THREAD_CPUTIME_ID) - start
}

/// The least CPU seconds of some repetitions: the one that was disturbed least.
func leastThreadSeconds(of repetitions: Int, _ body: () throws -> Void) rethrows -> Double {
    var least = Double.infinity
    for _ in 0..<max(1, repetitions) { least = min(least, try threadSeconds(body)) }
    return least
}

func seconds(of clock: clockid_t) -> Double {
    var now = timespec()
    unsafe _ = clock_gettime(clock, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

/// Three digits that count, whatever the size.
func text(_ value: Double, _ unit: String) -> String {
    let places = value >= 100 ? 0 : value >= 10 ? 1 : 2
    return String(format: "%.\(places)f", value) + (unit.isEmpty ? "" : " \(unit)")
}

/// `value` as a part of its limit.
func ofLimit(_ value: Double, _ limit: Double, _ unit: String) -> String {
    text(value / limit, "") + " of the limit of \(text(limit, unit))"
}
