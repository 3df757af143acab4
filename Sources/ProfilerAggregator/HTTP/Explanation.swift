/// What an answer took: the steps of the work, with what each handled and how long it lasted.
struct Explanation: Sendable {
    private var last = ContinuousClock.now
    private(set) var steps: [String] = []

    /// Notes a step that began where the one before ended.
    mutating func finished(_ step: String) {
        let now = ContinuousClock.now
        let time = last.duration(to: now).components
        let microseconds = time.seconds * 1_000_000 + time.attoseconds / 1_000_000_000_000
        let fraction = String(microseconds % 1000)
        let places = String(repeating: "0", count: 3 - fraction.count) + fraction
        steps.append("\(step): \(microseconds / 1000).\(places) ms")
        last = now
    }

    var text: String { steps.joined(separator: "; ") }
}
