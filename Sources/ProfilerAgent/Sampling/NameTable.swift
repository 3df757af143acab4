/// Names of processes and threads, each held once, so that the sampling thread handles numbers alone.
struct NameTable: Sendable {
    private(set) var names: [String] = []
    private var index: [String: UInt32] = [:]

    mutating func intern(_ name: String) -> UInt32 {
        if let known = index[name] { return known }
        let number = UInt32(names.count)
        names.append(name)
        index[name] = number
        return number
    }

    subscript(number: UInt32) -> String {
        names.indices.contains(Int(number)) ? names[Int(number)] : "?"
    }
}
