/// What the table of call frame information says for one address: the call frame's address (CFA), and for each register
/// where the caller's value is (DWARF 5, 6.4).
struct CallFrameRow: BitwiseCopyable {
    enum FrameAddress: UInt8, BitwiseCopyable {
        case none
        /// CFA = register + offset
        case register
        /// CFA = value of the expression
        case expression
    }

    enum Kind: UInt8, BitwiseCopyable {
        /// Nothing is said: as `sameValue`, and for the stack pointer the CFA.
        case unspecified
        case undefined
        case sameValue
        /// register = *(CFA + value)
        case offset
        /// register = CFA + value
        case valueOffset
        /// register = another register
        case register
        /// register = *(value of the expression)
        case expression
        /// register = value of the expression
        case valueExpression
    }

    /// Where an expression's bytes lie in the section.
    struct Place: BitwiseCopyable {
        var offset: Int
        var count: Int

        /// Both in one number, as a rule's value.
        var packed: Int64 { Int64(offset) << 24 | Int64(count) }

        init(offset: Int, count: Int) {
            self.offset = offset
            self.count = count
        }

        init(packed: Int64) {
            offset = Int(packed >> 24)
            count = Int(packed & 0xFF_FFFF)
        }

        /// Longer expressions are refused.
        static let maximumBytes: UInt64 = 1 << 12
    }

    struct Rule: BitwiseCopyable {
        var kind: Kind = .unspecified
        var value: Int64 = 0
    }

    var frameAddress: FrameAddress = .none
    /// aarch64: the return address is signed.
    var isReturnAddressSigned = false
    var register: UInt16 = 0
    /// Offset, or an expression's place.
    var value: Int64 = 0
    var rules = InlineArray<33, Rule>(repeating: Rule())

    init() {}
}
