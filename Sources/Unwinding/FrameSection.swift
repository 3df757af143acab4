/// .eh_frame or .debug_frame: descriptions of frames (FDE), each with what it shares with others (CIE).
///
/// Sources: DWARF 5, 6.4.1; Linux Standard Base Core 5.0, 10.6 (.eh_frame and its pointer encodings).
struct FrameSection: BitwiseCopyable {
    let bytes: SectionBytes
    /// Of the section's first byte, in the file's own address space.
    let address: UInt64
    /// .debug_frame: other CIE pointers, plain addresses.
    let isDebug: Bool

    /// What an entry's head says.
    struct Head {
        /// Where the CIE pointer lies.
        var idOffset: Int
        var contentOffset: Int
        /// One past the entry.
        var end: Int
        /// The offset of the CIE; nil: the entry is one.
        var commonOffset: Int?
        var isTerminator = false
    }

    func head(at offset: Int) throws(StepFailure) -> Head {
        var cursor = SectionCursor(bytes, from: offset, to: bytes.count)
        var length = UInt64(try cursor.read(UInt32.self))
        if length == 0 {
            return Head(idOffset: offset, contentOffset: offset, end: cursor.position, isTerminator: true)
        }
        let isLong = length == 0xFFFF_FFFF
        if isLong { length = try cursor.read(UInt64.self) }
        guard length <= UInt64(bytes.count - cursor.position) else { throw .broken(.malformedRule) }
        let end = cursor.position + Int(length)
        let idOffset = cursor.position
        guard isDebug else {
            // Four bytes in both formats, counted backwards from themselves.
            let id = try cursor.read(UInt32.self)
            guard cursor.position <= end else { throw .broken(.malformedRule) }
            if id == 0 { return Head(idOffset: idOffset, contentOffset: cursor.position, end: end) }
            guard Int(id) <= idOffset else { throw .broken(.malformedRule) }
            return Head(
                idOffset: idOffset, contentOffset: cursor.position, end: end, commonOffset: idOffset - Int(id))
        }
        let id = isLong ? try cursor.read(UInt64.self) : UInt64(try cursor.read(UInt32.self))
        guard cursor.position <= end else { throw .broken(.malformedRule) }
        if id == (isLong ? UInt64.max : 0xFFFF_FFFF) {
            return Head(idOffset: idOffset, contentOffset: cursor.position, end: end)
        }
        guard id < UInt64(bytes.count) else { throw .broken(.malformedRule) }
        return Head(idOffset: idOffset, contentOffset: cursor.position, end: end, commonOffset: Int(id))
    }

    /// A CIE.
    struct Common: BitwiseCopyable {
        var codeAlignment: UInt64 = 1
        var dataAlignment: Int64 = 1
        var returnAddressRegister: UInt64 = 0
        var pointerEncoding: UInt8 = 0
        var segmentSize: UInt8 = 0
        var hasAugmentationData = false
        var isSignal = false
        var instructionsStart = 0
        var instructionsEnd = 0
    }

    func common(at offset: Int) throws(StepFailure) -> Common {
        let head = try head(at: offset)
        // A CIE pointer that leads to an FDE would go round in circles.
        guard !head.isTerminator, head.commonOffset == nil else { throw .broken(.malformedRule) }
        var cursor = SectionCursor(bytes, from: head.contentOffset, to: head.end)
        let version = try cursor.read(UInt8.self)
        guard version == 1 || version == 3 || version == 4 else { throw .broken(.unsupportedRule) }
        let augmentation = cursor.position
        while try cursor.read(UInt8.self) != 0 {
            guard cursor.position - augmentation < 64 else { throw .broken(.malformedRule) }
        }
        let augmentationEnd = cursor.position - 1
        var common = Common()
        if version == 4 {
            guard try cursor.read(UInt8.self) == 8 else { throw .broken(.unsupportedRule) }
            common.segmentSize = try cursor.read(UInt8.self)
        }
        // "eh", as GCC 2 wrote it, has a pointer to a table here.
        let first = augmentationEnd > augmentation ? try bytes.load(at: augmentation, as: UInt8.self) : 0
        if first == UInt8(ascii: "e") { try cursor.skip(8) }
        common.codeAlignment = try cursor.readUnsigned()
        common.dataAlignment = try cursor.readSigned()
        common.returnAddressRegister = version == 1 ? UInt64(try cursor.read(UInt8.self)) : try cursor.readUnsigned()
        if first == UInt8(ascii: "z") {
            common.hasAugmentationData = true
            let length = try cursor.readUnsigned()
            let dataStart = cursor.position
            try cursor.skip(length)
            var data = SectionCursor(bytes, from: dataStart, to: cursor.position)
            letters: for index in augmentation + 1..<max(augmentation + 1, augmentationEnd) {
                switch try bytes.load(at: index, as: UInt8.self) {
                case UInt8(ascii: "R"): common.pointerEncoding = try data.read(UInt8.self)
                case UInt8(ascii: "P"): try skipPointer(encoding: try data.read(UInt8.self), &data)
                case UInt8(ascii: "L"): _ = try data.read(UInt8.self)
                case UInt8(ascii: "S"): common.isSignal = true
                // Return addresses signed with key B, tagged stack memory: no data, nothing to do.
                case UInt8(ascii: "B"), UInt8(ascii: "G"): break
                default: break letters
                }
            }
        } else if first != 0, first != UInt8(ascii: "e") {
            for index in augmentation..<augmentationEnd {
                guard try bytes.load(at: index, as: UInt8.self) == UInt8(ascii: "S") else {
                    throw .broken(.unsupportedRule)
                }
                common.isSignal = true
            }
        }
        common.instructionsStart = cursor.position
        common.instructionsEnd = head.end
        return common
    }

    /// An FDE.
    struct Description: BitwiseCopyable {
        /// First address, in the file's own address space.
        var start: UInt64
        /// One past the last address.
        var end: UInt64
        var common: Common
        var instructionsStart: Int
        var instructionsEnd: Int
    }

    func description(at offset: Int) throws(StepFailure) -> Description {
        let head = try head(at: offset)
        guard !head.isTerminator, let commonOffset = head.commonOffset else { throw .broken(.malformedRule) }
        return try description(head, common: try common(at: commonOffset))
    }

    func description(_ head: Head, common: Common) throws(StepFailure) -> Description {
        var cursor = SectionCursor(bytes, from: head.contentOffset, to: head.end)
        let start: UInt64
        let size: UInt64
        if isDebug {
            try cursor.skip(UInt64(common.segmentSize))
            start = try cursor.read(UInt64.self)
            size = try cursor.read(UInt64.self)
        } else {
            start = try readPointer(encoding: common.pointerEncoding, &cursor, isOffset: true)
            size = try readPointer(encoding: common.pointerEncoding & 0x0F, &cursor, isOffset: false)
        }
        let (end, overflow) = start.addingReportingOverflow(size)
        guard !overflow else { throw .broken(.malformedRule) }
        if common.hasAugmentationData { try cursor.skip(try cursor.readUnsigned()) }
        return Description(
            start: start, end: end, common: common, instructionsStart: cursor.position, instructionsEnd: head.end)
    }

    /// DW_EH_PE: format in the low four bits, what the value counts from in the next three.
    func readPointer(
        encoding: UInt8, _ cursor: inout SectionCursor, isOffset: Bool
    ) throws(StepFailure) -> UInt64 {
        // Indirect pointers would need the program's data.
        guard encoding & 0x80 == 0, encoding != 0xFF else { throw .broken(.unsupportedRule) }
        if encoding == 0x50 {
            let place = address &+ UInt64(cursor.position)
            try cursor.skip((8 - place % 8) % 8)
            return try cursor.read(UInt64.self)
        }
        let place = address &+ UInt64(cursor.position)
        let value: UInt64
        switch encoding & 0x0F {
        case 0x00, 0x04, 0x0C: value = try cursor.read(UInt64.self)
        case 0x01: value = try cursor.readUnsigned()
        case 0x02: value = UInt64(try cursor.read(UInt16.self))
        case 0x03: value = UInt64(try cursor.read(UInt32.self))
        case 0x09: value = UInt64(bitPattern: try cursor.readSigned())
        case 0x0A: value = UInt64(bitPattern: Int64(try cursor.read(Int16.self)))
        case 0x0B:
            let signed = Int64(try cursor.read(Int32.self))
            // A size is no difference: code of 2 GiB and more has it with the top bit set.
            value = isOffset ? UInt64(bitPattern: signed) : UInt64(UInt32(truncatingIfNeeded: signed))
        default: throw .broken(.unsupportedRule)
        }
        guard isOffset else { return value }
        switch encoding & 0x70 {
        case 0x00: return value
        case 0x10: return place &+ value
        default: throw .broken(.unsupportedRule)
        }
    }

    private func skipPointer(encoding: UInt8, _ cursor: inout SectionCursor) throws(StepFailure) {
        if encoding == 0xFF { return }
        _ = try readPointer(encoding: encoding == 0x50 ? encoding : encoding & 0x0F, &cursor, isOffset: false)
    }
}
