import Glibc

/// What servers don't have, and which don't answer, for a while: words with the time until which they hold.
///
/// Kept in a file where there is one, a line each, `UNTIL WORD`, seconds since 1970; read at the start, written anew with
/// each word, which has cost a request over the network. Whoever can't write it asks again.
struct FetchMemory {
    private let path: String?
    private var until: [String: Int] = [:]
    private static let maximumWords = 4096
    private static let maximumFileBytes = 1 << 20

    init(path: String?) {
        self.path = path
        guard let path, let directory = try? Self.directory(of: path),
            let bytes = try? directory.read(Self.name(of: path), limit: Self.maximumFileBytes)
        else { return }
        let now = time(nil)
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").suffix(Self.maximumWords) {
            let parts = line.split(separator: " ", maxSplits: 1)
            // A week is more than any word is kept for: what says more is damaged, or of a clock that went wrong.
            guard parts.count == 2, let end = Int(parts[0]), end > now, end < now + 604_800 else { continue }
            until[String(parts[1])] = end
        }
    }

    mutating func holds(_ word: String) -> Bool { until[word].map { $0 > time(nil) } ?? false }

    mutating func keep(_ word: String, for duration: Duration) {
        let now = time(nil)
        if until.count >= Self.maximumWords {
            until = until.filter { $0.value > now }
            // Those that end soonest have been of use for the longest time.
            for (word, _) in until.sorted(by: { $0.value < $1.value }).prefix(
                max(0, until.count - Self.maximumWords / 2))
            {
                until[word] = nil
            }
        }
        until[word] = now + max(1, Int(duration.components.seconds))
        guard let path, let directory = try? Self.directory(of: path) else { return }
        let text = until.sorted { $0.value < $1.value }.map { "\($0.value) \($0.key)\n" }.joined()
        let name = Self.name(of: path)
        try? directory.replace(
            name, with: Array(text.utf8), synchronised: false, beside: "\(name).\(getpid()).new")
    }

    private static func directory(of path: String) throws(DeliveryError) -> PrivateDirectory {
        try PrivateDirectory(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".", create: false)
    }

    private static func name(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }
}
