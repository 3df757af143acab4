/// How large the two rings of a CPU are, in data pages; each has one control page besides.
package struct RingSizes: Equatable {
    /// Both powers of two.
    package var samplePages: Int
    package var sideBandPages: Int
    package let pageBytes: Int

    /// Both together, control pages included.
    package var bytes: Int { (samplePages + sideBandPages + 2) * pageBytes }

    /// Seconds of samples that a ring holds; records are taken out several times in that span.
    private static let span = 0.25
    /// A burst of forks, execs and mappings of some milliseconds, at 150 bytes a record.
    private static let sideBandBytes = 512 << 10
    private static let leastSampleBytes = 64 << 10
    private static let mostSampleBytes = 32 << 20

    /// For so many samples of at most `recordBytes` a second.
    package init(samplesPerSecond: Double, recordBytes: Int, pageBytes: Int) {
        let wanted = Double(recordBytes) * samplesPerSecond * Self.span
        let bytes = min(Double(Self.mostSampleBytes), max(Double(Self.leastSampleBytes), wanted))
        self.pageBytes = pageBytes
        samplePages = Self.powerOfTwo(Int(bytes), pageBytes)
        sideBandPages = Self.powerOfTwo(Self.sideBandBytes, pageBytes)
    }

    /// The next smaller choice; false where there is none.
    package mutating func reduce() -> Bool {
        if sideBandPages >= samplePages, sideBandPages > 1 {
            sideBandPages /= 2
        } else if samplePages > 1 {
            samplePages /= 2
        } else {
            return false
        }
        return true
    }

    /// Pages for `bytes`, rounded up.
    private static func powerOfTwo(_ bytes: Int, _ pageBytes: Int) -> Int {
        var pages = 1
        while pages * pageBytes < bytes { pages *= 2 }
        return pages
    }
}
