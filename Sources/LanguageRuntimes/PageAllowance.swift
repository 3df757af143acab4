/// How many pages of a process's memory may be read for one of its samples: plenty while a program is new, little for good.
///
/// Who reads stands before the sampled thread and goes first on its CPU, so a process must not be able to make each
/// sample dear, whatever it writes into its own memory. Pages of 4 KiB.
struct PageAllowance: Sendable {
    /// A large program's functions and the line ends of its sources (64 MiB).
    static let first = 16_384
    /// For each sample from then on (16 KiB): a new function's name and place, not a new source.
    static let perSample = 4
    /// The largest source (4 MiB) and what leads to it.
    static let mostAtOnce = 1024 + 128

    private var pages = Self.first

    /// The budget of the next sample.
    mutating func next() -> Int {
        pages = min(pages + Self.perSample, Self.first)
        return min(pages, Self.mostAtOnce)
    }

    mutating func spend(_ count: Int) { pages -= count }
}
