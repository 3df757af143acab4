public import ProfileStore
public import Settings

/// Why the aggregator can't run.
public enum AggregatorError: Error, Sendable, CustomStringConvertible {
    /// - Parameters flag, key: the command's flag and the configuration's key that set the address.
    case cannotListen(HostAndPort, flag: String, key: String, reason: String)
    case store(ProfileStoreError)
    case serverEnded(reason: String)

    public var description: String {
        switch self {
        case .cannotListen(let address, let flag, let key, let reason):
            "can't listen on \(address): \(reason); choose another address with \(flag) or '\(key)'"
        case .store(let error):
            error.description
        case .serverEnded(let reason):
            "the HTTP server ended: \(reason)"
        }
    }
}
