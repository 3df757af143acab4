public import LinuxSystem

/// Why the helper process gave no answer about a file.
public enum ObjectReaderFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file is not one that can be read; the helper's own words.
    case notReadable(String)
    /// The helper died over this file.
    case helperDied(ChildProcess.Ending)
    /// The helper took too long over this file and was killed.
    case tookTooLong(Duration)
    /// The helper answered something that it should not.
    case malformedAnswer(String)
    /// The helper could not be started.
    case notStarted(SystemCallError)
    /// The helper could not give up its rights, so it was not used.
    case notConfined(String)
    /// Too many requests are waiting.
    case tooManyRequests(limit: Int)

    public var description: String {
        switch self {
        case .notReadable(let reason): reason
        case .helperDied(let ending): "the helper process \(ending) while it read the file"
        case .tookTooLong(let limit): "reading the file took longer than \(limit)"
        case .malformedAnswer(let what): "the helper process sent \(what)"
        case .notStarted(let error): "the helper process could not be started: \(error)"
        case .notConfined(let reason): "the helper process could not give up its rights: \(reason)"
        case .tooManyRequests(let limit): "more than \(limit) files wait for the helper process"
        }
    }

    /// The helper is of no further use after this.
    var endsHelper: Bool {
        switch self {
        case .notReadable, .tooManyRequests: false
        default: true
        }
    }
}
