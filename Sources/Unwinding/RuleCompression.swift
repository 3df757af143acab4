/// From a row to one of the shapes of `UnwindRule`.
extension UnwindRule {
    /// `entry`: the index entry to come back to where no shape fits. `address`: of the row, in the file's own space.
    init(
        _ row: borrowing CallFrameRow, in section: SectionBytes, entry: Int, address: UInt64,
        returnAddressRegister: UInt64, isSignal: Bool, _ architecture: UserArchitecture
    ) {
        self.init()
        kind = .row
        self.isSignal = isSignal
        offset = Int32(truncatingIfNeeded: entry)
        let returnAddress = Int(truncatingIfNeeded: returnAddressRegister)
        guard returnAddress >= 0, returnAddress < architecture.registerCount else {
            self = .failed(.unsupportedRule)
            return
        }
        if row.rules[returnAddress].kind == .undefined {
            kind = .end
            return
        }
        // On x86-64 a return address lies in memory; no rule for it is no description at all.
        if architecture == .x86_64, row.rules[returnAddress].kind == .unspecified {
            self = .failed(.malformedRule)
            return
        }
        guard returnAddress == architecture.returnAddressNumber,
            let frame = FrameAddress(row, in: section, address: address, architecture)
        else { return }
        var shape = UnwindRule()
        shape.kind = frame.kind
        shape.base = frame.base
        shape.offset = frame.offset
        shape.isSignal = isSignal
        guard shape.takeRegisters(row, in: section, architecture) else { return }
        self = shape
    }

    /// The registers' rules; false where a shape can't hold one.
    private mutating func takeRegisters(
        _ row: borrowing CallFrameRow, in section: SectionBytes, _ architecture: UserArchitecture
    ) -> Bool {
        var fromFrame: UInt16 = 0
        var fromBase: UInt16 = 0
        for number in 0..<architecture.registerCount {
            let rule = row.rules[number]
            if rule.kind == .unspecified || rule.kind == .sameValue { continue }
            guard let slot = RegisterSlots.slot(ofRegister: number, architecture) else { return false }
            switch rule.kind {
            case .undefined:
                undefined |= 1 << UInt16(slot)
            case .offset:
                guard rule.value % 8 == 0, let words = Int16(exactly: rule.value / 8) else { return false }
                save(slot, words: words)
                fromFrame |= 1 << UInt16(slot)
            case .expression:
                let place = CallFrameRow.Place(packed: rule.value)
                guard let (register, offset, isDereferenced) = Self.registerAndOffset(place, in: section),
                    !isDereferenced, register == base, offset % 8 == 0, let words = Int16(exactly: offset / 8)
                else { return false }
                save(slot, words: words)
                fromBase |= 1 << UInt16(slot)
            default: return false
            }
        }
        guard fromBase != 0 else { return true }
        // Saved registers count from the base, the return address from the CFA.
        let returnAddress = UInt16(1) << UInt16(RegisterSlots.returnAddress(architecture))
        guard kind == .indirect, fromFrame == returnAddress else { return false }
        kind = .realigned
        return true
    }

    /// A register plus an offset, perhaps fetched from there: DW_OP_bregN offset [DW_OP_deref], and nothing else.
    fileprivate static func registerAndOffset(
        _ place: CallFrameRow.Place, in section: SectionBytes
    ) -> (register: UInt8, offset: Int64, isDereferenced: Bool)? {
        var cursor = SectionCursor(section, from: place.offset, to: place.offset + place.count)
        guard let code = try? cursor.read(UInt8.self), code >= 0x70, code <= 0x8F, let offset = try? cursor.readSigned()
        else { return nil }
        if cursor.isAtEnd { return (code - 0x70, offset, false) }
        guard (try? cursor.read(UInt8.self)) == 0x06, cursor.isAtEnd else { return nil }
        return (code - 0x70, offset, true)
    }

    private struct FrameAddress {
        var kind: Kind
        var base: UInt8
        var offset: Int32

        init?(
            _ row: borrowing CallFrameRow, in section: SectionBytes, address: UInt64, _ architecture: UserArchitecture
        ) {
            switch row.frameAddress {
            case .none: return nil
            case .register:
                guard let offset = Int32(exactly: row.value) else { return nil }
                kind = .register
                base = UInt8(row.register)
                self.offset = offset
            case .expression:
                let place = CallFrameRow.Place(packed: row.value)
                if let bytes = Self.stubBytes(place, in: section, address: address), architecture == .x86_64 {
                    kind = .register
                    base = 7
                    offset = bytes
                    return
                }
                guard let (register, offset, isDereferenced) = UnwindRule.registerAndOffset(place, in: section),
                    let narrow = Int32(exactly: offset), Int(register) < architecture.registerCount
                else { return nil }
                kind = isDereferenced ? .indirect : .register
                base = register
                self.offset = narrow
            }
        }

        /// The expression that GNU ld writes for a PLT: rsp + 8 + ((rip & 15) >= N ? 8 : 0). Files are mapped at whole
        /// pages, so that the file's own address has the same last bits.
        private static func stubBytes(
            _ place: CallFrameRow.Place, in section: SectionBytes, address: UInt64
        ) -> Int32? {
            guard place.count == 11, section.word64(at: place.offset) & 0xFFFF_FFFF_FFFF == 0x1A3F_0080_0877 else {
                return nil
            }
            guard section.word32(at: place.offset + 7) == 0x2224_332A,
                let literal = try? section.load(at: place.offset + 6, as: UInt8.self), literal >= 0x30, literal <= 0x4F
            else { return nil }
            return address & 15 >= UInt64(literal - 0x30) ? 16 : 8
        }
    }
}

extension UnwindRule {
    /// From what the code shows; nil where it shows nothing.
    init?(_ frameless: FramelessRule?, _ architecture: UserArchitecture) {
        guard let frameless else { return nil }
        self.init()
        kind = .register
        origin = .frameless
        base = UInt8(frameless.isFromFramePointer ? architecture.framePointerNumber : architecture.stackPointerNumber)
        offset = frameless.callFrameOffset
        for slot in 0..<RegisterSlots.returnAddress(architecture) {
            let number = RegisterSlots.register(slot, architecture)
            if frameless.savedRegisters.isLost(number) {
                undefined |= 1 << UInt16(slot)
            } else if let place = frameless.savedRegisters[number] {
                guard let words = Int16(exactly: place / 8) else { return nil }
                save(slot, words: words)
            }
        }
        if let place = frameless.returnAddressOffset {
            guard place % 8 == 0, let words = Int16(exactly: place / 8) else { return nil }
            save(RegisterSlots.returnAddress(architecture), words: words)
        }
    }
}
