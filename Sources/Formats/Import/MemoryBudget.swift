/// What may still be made of a file: a hostile one grows to many times its size on reading.
struct MemoryBudget {
    private var left = ForeignSamples.Limits.memory

    /// - Parameter bytes: about what a value will take, with the room to grow of the table that it stands in.
    mutating func take(_ bytes: Int, at place: FormatError.Place) throws(FormatError) {
        left -= bytes
        guard left >= 0 else {
            throw FormatError(
                place, "up to here it takes more than \(ForeignSamples.Limits.memory >> 20) MiB of memory; split it")
        }
    }
}
