/// Carries out call frame instructions up to an address (DWARF 5, 6.4.2 and 6.4.3).
///
/// The rows live here, once for all samples: nothing is allocated while stacks are followed.
@safe struct CallFrameProgram: ~Copyable {
    /// Real programs nest one or two.
    private static let maximumRemembered = 32

    /// 0: the row in work. 1: what the CIE's instructions leave, for `restore`. From 2: what is remembered.
    private let rows: UnsafeMutablePointer<CallFrameRow>
    private var remembered = 0
    private let registerCount: UInt64
    /// Instructions that may still be carried out; whoever follows a stack sets it.
    var budget = 0

    init(_ architecture: UserArchitecture) {
        registerCount = UInt64(architecture.registerCount)
        unsafe rows = .allocate(capacity: Self.maximumRemembered + 2)
        unsafe rows.initialize(repeating: CallFrameRow(), count: Self.maximumRemembered + 2)
    }

    deinit {
        unsafe rows.deallocate()
    }

    /// What the last `run` found.
    var row: CallFrameRow {
        _read { yield unsafe rows.pointee }
    }

    /// The row for `target`, which lies inside the description's range.
    mutating func run(
        _ description: FrameSection.Description, in section: FrameSection, upTo target: UInt64
    ) throws(StepFailure) {
        unsafe rows[0] = CallFrameRow()
        unsafe rows[1] = CallFrameRow()
        remembered = 0
        let common = description.common
        try execute(
            from: common.instructionsStart, to: common.instructionsEnd, in: section, common: common,
            location: description.start, upTo: .max)
        unsafe rows[1] = rows[0]
        remembered = 0
        try execute(
            from: description.instructionsStart, to: description.instructionsEnd, in: section, common: common,
            location: description.start, upTo: target)
    }

    private mutating func execute(
        from start: Int, to end: Int, in section: FrameSection, common: FrameSection.Common, location: UInt64,
        upTo target: UInt64
    ) throws(StepFailure) {
        var cursor = SectionCursor(section.bytes, from: start, to: end)
        var location = location
        while !cursor.isAtEnd {
            budget -= 1
            guard budget > 0 else { throw .broken(.malformedRule) }
            let code = try cursor.read(UInt8.self)
            let low = UInt64(code & 0x3F)
            var advance: UInt64 = 0
            switch code >> 6 {
            case 1:
                advance = low
            case 2:
                set(low, .offset, try factored(&cursor, common))
                continue
            case 3:
                restore(low)
                continue
            default:
                switch code {
                case 0x00: continue
                case 0x01:
                    let next =
                        section.isDebug
                        ? try cursor.read(UInt64.self)
                        : try section.readPointer(encoding: common.pointerEncoding, &cursor, isOffset: true)
                    if next > target { return }
                    location = next
                    continue
                case 0x02: advance = UInt64(try cursor.read(UInt8.self))
                case 0x03: advance = UInt64(try cursor.read(UInt16.self))
                case 0x04: advance = UInt64(try cursor.read(UInt32.self))
                case 0x1D: advance = try cursor.read(UInt64.self)
                default:
                    try other(code, &cursor, common)
                    continue
                }
            }
            let (bytes, tooFar) = advance.multipliedReportingOverflow(by: common.codeAlignment)
            let (next, overflow) = location.addingReportingOverflow(bytes)
            guard !tooFar, !overflow else { throw .broken(.malformedRule) }
            if next > target { return }
            location = next
        }
    }

    private mutating func other(
        _ code: UInt8, _ cursor: inout SectionCursor, _ common: FrameSection.Common
    ) throws(StepFailure) {
        switch code {
        case 0x05: set(try cursor.readUnsigned(), .offset, try factored(&cursor, common))
        case 0x06: restore(try cursor.readUnsigned())
        case 0x07: set(try cursor.readUnsigned(), .undefined, 0)
        case 0x08: set(try cursor.readUnsigned(), .sameValue, 0)
        case 0x09: set(try cursor.readUnsigned(), .register, Int64(truncatingIfNeeded: try cursor.readUnsigned()))
        case 0x0A:
            guard remembered < Self.maximumRemembered else { throw .broken(.malformedRule) }
            unsafe rows[2 + remembered] = rows[0]
            remembered += 1
        case 0x0B:
            guard remembered > 0 else { throw .broken(.malformedRule) }
            remembered -= 1
            unsafe rows[0] = rows[2 + remembered]
        case 0x0C: try define(try cursor.readUnsigned(), Int64(truncatingIfNeeded: try cursor.readUnsigned()))
        case 0x0D: try define(try cursor.readUnsigned(), try currentOffset())
        case 0x0E: try redefine(Int64(truncatingIfNeeded: try cursor.readUnsigned()))
        case 0x0F:
            let place = try expression(&cursor)
            unsafe rows.pointee.frameAddress = .expression
            unsafe rows.pointee.value = place
        case 0x10: set(try cursor.readUnsigned(), .expression, try expression(&cursor))
        case 0x11: set(try cursor.readUnsigned(), .offset, try signedFactored(&cursor, common))
        case 0x12: try define(try cursor.readUnsigned(), try signedFactored(&cursor, common))
        case 0x13: try redefine(try signedFactored(&cursor, common))
        case 0x14: set(try cursor.readUnsigned(), .valueOffset, try factored(&cursor, common))
        case 0x15: set(try cursor.readUnsigned(), .valueOffset, try signedFactored(&cursor, common))
        case 0x16: set(try cursor.readUnsigned(), .valueExpression, try expression(&cursor))
        // DW_CFA_AARCH64_negate_ra_state_with_pc, DW_CFA_AARCH64_negate_ra_state (SPARC: GNU_window_save).
        case 0x2C, 0x2D: unsafe rows.pointee.isReturnAddressSigned.toggle()
        // DW_CFA_GNU_args_size: for landing pads only.
        case 0x2E: _ = try cursor.readUnsigned()
        // DW_CFA_GNU_negative_offset_extended.
        case 0x2F: set(try cursor.readUnsigned(), .offset, 0 &- (try factored(&cursor, common)))
        default: throw .broken(.unsupportedRule)
        }
    }

    /// Rules for registers that are not followed (vector, mask) are passed over.
    private func set(_ register: UInt64, _ kind: CallFrameRow.Kind, _ value: Int64) {
        guard register < registerCount else { return }
        unsafe rows.pointee.rules[Int(register)] = CallFrameRow.Rule(kind: kind, value: value)
    }

    private func restore(_ register: UInt64) {
        guard register < registerCount else { return }
        unsafe rows[0].rules[Int(register)] = rows[1].rules[Int(register)]
    }

    private func define(_ register: UInt64, _ offset: Int64) throws(StepFailure) {
        guard register < registerCount else { throw .broken(.unsupportedRule) }
        unsafe rows.pointee.frameAddress = .register
        unsafe rows.pointee.register = UInt16(register)
        unsafe rows.pointee.value = offset
    }

    private func currentOffset() throws(StepFailure) -> Int64 {
        guard unsafe rows.pointee.frameAddress == .register else { throw .broken(.malformedRule) }
        return unsafe rows.pointee.value
    }

    private func redefine(_ offset: Int64) throws(StepFailure) {
        _ = try currentOffset()
        unsafe rows.pointee.value = offset
    }

    private func factored(_ cursor: inout SectionCursor, _ common: FrameSection.Common) throws(StepFailure) -> Int64 {
        Int64(truncatingIfNeeded: try cursor.readUnsigned()) &* common.dataAlignment
    }

    private func signedFactored(
        _ cursor: inout SectionCursor, _ common: FrameSection.Common
    ) throws(StepFailure) -> Int64 {
        try cursor.readSigned() &* common.dataAlignment
    }

    private func expression(_ cursor: inout SectionCursor) throws(StepFailure) -> Int64 {
        let count = try cursor.readUnsigned()
        guard count <= CallFrameRow.Place.maximumBytes else { throw .broken(.malformedRule) }
        let place = CallFrameRow.Place(offset: cursor.position, count: Int(count))
        try cursor.skip(count)
        return place.packed
    }
}
