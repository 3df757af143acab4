public import ObjectFiles

/// Why a module's unwind sections could not be made or read.
public enum UnwindSectionsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file itself could not be read.
    case object(ObjectFileError)
    /// The file is for an instruction set that is not unwound (e_machine).
    case unsupportedMachine(UInt16)
    /// The bytes are not unwind sections of this version.
    case notUnwindSections
    /// A length or offset of the encoded sections points outside them.
    case damaged(what: String)
    /// More of something than is accepted.
    case overLimit(what: String, value: UInt64, limit: UInt64)

    public var description: String {
        switch self {
        case .object(let error): "unwind sections: \(error)"
        case .unsupportedMachine(let machine):
            "unwind sections: machine \(machine) is not supported; x86-64 (62) and aarch64 (183) are"
        case .notUnwindSections: "not unwind sections of this version; they have to be made again"
        case .damaged(let what): "unwind sections are damaged: \(what); they have to be made again"
        case .overLimit(let what, let value, let limit):
            "unwind sections: \(what): \(value) is over the limit of \(limit)"
        }
    }
}
