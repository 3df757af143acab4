/// How many pages of a process's memory may be read for one of its samples: plenty while a program is new, little for good.
///
/// Who reads stands before the sampled thread and goes first on its CPU, so a process must not be able to make each
/// sample dear, whatever it writes into its own memory. Pages of 4 KiB.
struct PageAllowance: Sendable {
    /// A large program's functions and the line ends of its sources (64 MiB).
    static let first = 16_384
    /// For each sample from then on (16 KiB).
    static let perSample = 4
    /// Once spent, it grows to as much as some new functions take before it is given out again: else each sample would
    /// spend it on the beginning of one.
    static let leastAgain = 64
    /// The largest source (4 MiB) and what leads to it.
    static let mostAtOnce = 1024 + 128

    private var pages = Self.first
    private var isRecovering = false

    /// The budget of the next sample.
    mutating func next() -> Int {
        pages = min(pages + Self.perSample, Self.first)
        isRecovering = pages < (isRecovering ? Self.leastAgain : Self.perSample + 1)
        return isRecovering ? 0 : min(pages, Self.mostAtOnce)
    }

    mutating func spend(_ count: Int) { pages -= count }
}
