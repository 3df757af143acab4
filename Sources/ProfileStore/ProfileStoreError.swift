/// Why the store could not do what it was asked.
public enum ProfileStoreError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The directory can't be used.
    case unusableDirectory(path: String, reason: String)
    /// Another process has the directory.
    case inUse(path: String)
    /// A file was written by a newer version of the program.
    case newerFormat(path: String, version: Int, known: Int)
    /// The engine or the disk reported an error.
    case failed(path: String, operation: String, reason: String)
    /// What was read does not agree with its checksum or its own rules.
    case damaged(path: String, what: String)
    /// The question's time was up.
    case deadlineExceeded(seconds: Double)
    /// The asker went away.
    case cancelled
    /// The answer would be larger than a question may ask for.
    case tooLarge(what: String, limit: Int)

    public var description: String {
        switch self {
        case .unusableDirectory(let path, let reason):
            "the data directory \(path) can't be used: \(reason) (--data)"
        case .inUse(let path):
            "the data directory \(path) is in use by another perf-aggregator; stop it, or name another directory"
                + " with --data"
        case .newerFormat(let path, let version, let known):
            "\(path) has format \(version), this program knows up to \(known); use a newer perf-aggregator"
        case .failed(let path, let operation, let reason):
            "\(operation) failed in \(path): \(reason)"
        case .damaged(let path, let what):
            "\(path) is damaged: \(what); perf-aggregator check --data DIR tells more"
        case .deadlineExceeded(let seconds):
            "no answer within \(seconds) s; ask for a shorter range or fewer services"
        case .cancelled:
            "the question was withdrawn"
        case .tooLarge(let what, let limit):
            "the answer would hold more than \(limit) \(what); ask for a shorter range or fewer services"
        }
    }
}
