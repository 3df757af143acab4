/// Why a file of another tool can't be read, and where in it.
public struct FormatError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Place: Hashable, Sendable {
        /// From 1.
        case line(Int)
        /// Bytes from the start of the (expanded) file.
        case offset(Int)
        /// From 1, in the order of the file.
        case sample(Int)
        case whole
    }

    public var place: Place
    public var reason: String

    public init(_ place: Place, _ reason: String) {
        self.place = place
        self.reason = reason
    }

    public var description: String {
        switch place {
        case .line(let number): "line \(number): \(reason)"
        case .offset(let offset): "offset \(offset): \(reason)"
        case .sample(let number): "sample \(number): \(reason)"
        case .whole: reason
        }
    }
}
