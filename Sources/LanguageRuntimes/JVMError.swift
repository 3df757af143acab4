/// Why a JVM can't be read from outside.
public enum JVMError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The process has no libjvm.so mapped.
    case notAJVM
    /// Its memory can't be read: gone, or no right to.
    case unreadable(what: String)
    /// libjvm.so does not export the tables that describe it.
    case noDescription
    /// The tables lack what is needed.
    case unknownVersion(missing: String)
    /// What was read contradicts itself; the process was changing, or is hostile.
    case inconsistent(what: String)

    public var description: String {
        switch self {
        case .notAJVM: "the process has no libjvm.so"
        case .unreadable(let what):
            "\(what) of the JVM can't be read: it has ended, or the right to trace it is missing"
        case .noDescription: "this JVM's libjvm.so does not export gHotSpotVMStructs; it is not HotSpot"
        case .unknownVersion(let missing): "this version of HotSpot is not known: it does not tell \(missing)"
        case .inconsistent(let what): "\(what) of the JVM contradicts itself"
        }
    }
}
