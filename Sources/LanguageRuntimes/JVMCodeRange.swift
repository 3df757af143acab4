/// How stack frames look while a piece of HotSpot's code runs.
public struct JVMCodeRange: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// A compiled method, or a stub with a frame of fixed size.
        case compiled
        /// The interpreter: a frame pointer, but the caller's stack pointer is the word below it (fp − 8), since adapters
        /// move the stack between the two.
        case interpreter
        /// A stub with a frame pointer, as C code has it.
        case framePointer
        /// Adapters and parts of methods without a frame: the return address lies at the stack pointer.
        case frameless
    }

    public var start: UInt64
    public var end: UInt64
    /// From the stack pointer to the call frame address (behind the return address); the caller's frame pointer is saved
    /// 16 bytes below that. 0 for the interpreter and frames with a frame pointer.
    public var frameBytes: UInt32
    /// Before `start` + this the frame isn't built and the return address lies at the stack pointer.
    public var completeOffset: UInt32
    public var kind: Kind
}

/// Cuts a compiled method into ranges by its prologue and its returns (x86-64).
///
/// HotSpot says where a frame is complete and how large it is; between the push of the frame pointer and that, and
/// between its pop and the return, the stack pointer is elsewhere. Small methods spend a good part of their time there.
enum JVMCodeShape {
    static func ranges(
        _ code: ArraySlice<UInt8>, at start: UInt64, frameBytes: UInt32, completeOffset: UInt32
    ) -> [JVMCodeRange] {
        var ranges: [JVMCodeRange] = []
        let first = code.startIndex
        func add(_ from: Int, _ to: Int, _ bytes: UInt32, _ kind: JVMCodeRange.Kind) {
            guard to > from else { return }
            ranges.append(
                JVMCodeRange(
                    start: start + UInt64(from), end: start + UInt64(to), frameBytes: bytes,
                    completeOffset: kind == .frameless ? UInt32(to - from) : 0, kind: kind))
        }
        // Entry: push rbp; sub rsp, n. Both before the frame is complete.
        let complete = min(Int(completeOffset), code.count)
        var position = 0
        var built = complete
        var offset = 0
        while offset + 5 <= complete {
            // Small frames: sub rsp, n; mov [rsp + n − 8], rbp.
            if let length = stackStep(code, first + offset, 0xEC, frameBytes - 8) {
                add(0, offset + length, 0, .frameless)
                built = offset + length
                position = built
                break
            }
            // Wrappers of native methods copy the stack pointer to rbp in between.
            let copy: [UInt8] = [0x48, 0x8B, 0xEC]
            let step = code[(first + offset + 1)...].starts(with: copy) ? 4 : 1
            if code[first + offset] == 0x55, let length = stackStep(code, first + offset + step, 0xEC, frameBytes - 16)
            {
                add(0, offset + 1, 0, .frameless)
                add(offset + 1, offset + step + length, 16, .compiled)
                built = offset + step + length
                position = built
                break
            }
            offset += 1
        }
        if position == 0, complete > 0 {
            add(0, complete, 0, .frameless)
            position = complete
        }
        // Returns: add rsp, n; pop rbp; a poll; ret.
        var search = built
        while search + 6 <= code.count {
            // leave; a poll; ret: wrappers of native methods.
            if code[first + search] == 0xC9, code[first + search + 1] == 0xC3 || code[first + search + 1] == 0x49 {
                let end = endOfReturn(code, first + search + 1) - first
                if end > search + 1, code[first + end - 1] == 0xC3 {
                    add(position, search + 1, frameBytes, .compiled)
                    add(search + 1, end, 0, .frameless)
                    position = end
                    search = end
                    continue
                }
            }
            guard code[first + search] == 0x48, let length = stackStep(code, first + search, 0xC4, frameBytes - 16),
                search + length < code.count, code[first + search + length] == 0x5D
            else {
                search += 1
                continue
            }
            let pop = search + length
            let end = endOfReturn(code, first + pop + 1) - first
            add(position, pop, frameBytes, .compiled)
            add(pop, pop + 1, 16, .compiled)
            add(pop + 1, end, 0, .frameless)
            position = end
            search = end
        }
        add(position, code.count, frameBytes, .compiled)
        return ranges
    }

    /// Stubs with frame pointers (push rbp; mov rbp, rsp … leave; ret), many in one piece of code: the frame pointer is
    /// the caller's at the push and at the return.
    static func framePointerRanges(_ code: ArraySlice<UInt8>, at start: UInt64) -> [JVMCodeRange] {
        var ranges: [JVMCodeRange] = []
        let first = code.startIndex
        var position = 0
        func add(_ from: Int, _ to: Int, _ bytes: UInt32, _ kind: JVMCodeRange.Kind) {
            guard to > from else { return }
            ranges.append(
                JVMCodeRange(
                    start: start + UInt64(from), end: start + UInt64(to), frameBytes: bytes,
                    completeOffset: kind == .frameless ? UInt32(to - from) : 0, kind: kind))
        }
        let enter: [UInt8] = [0x55, 0x48, 0x8B, 0xEC]
        var index = 0
        while index + 1 < code.count {
            let byte = code[first + index]
            if byte == 0x55, code[(first + index)...].starts(with: enter) {
                add(position, index, 0, .framePointer)
                add(index, index + 1, 0, .frameless)
                add(index + 1, index + 4, 16, .compiled)
                index += 4
                position = index
            } else if byte == 0xC9, code[first + index + 1] == 0xC3 {
                add(position, index + 1, 0, .framePointer)
                add(index + 1, index + 2, 0, .frameless)
                index += 2
                position = index
            } else {
                index += 1
            }
        }
        add(position, code.count, 0, .framePointer)
        return ranges
    }

    /// The length of `sub rsp, n` (0xEC) or `add rsp, n` (0xC4) with just this n; nil for anything else.
    private static func stackStep(_ code: ArraySlice<UInt8>, _ at: Int, _ register: UInt8, _ bytes: UInt32) -> Int? {
        guard at + 4 <= code.endIndex, code[at] == 0x48, code[at + 2] == register else { return nil }
        if code[at + 1] == 0x83 { return UInt32(code[at + 3]) == bytes ? 4 : nil }
        guard code[at + 1] == 0x81, at + 7 <= code.endIndex else { return nil }
        var value: UInt32 = 0
        for index in 0..<4 { value |= UInt32(code[at + 3 + index]) << UInt32(8 * index) }
        return value == bytes ? 7 : nil
    }

    /// Steps over the polls that HotSpot puts before a return; where the code is another, the end of what is understood.
    private static func endOfReturn(_ code: ArraySlice<UInt8>, _ at: Int) -> Int {
        var at = at
        for _ in 0..<4 {
            func has(_ bytes: [UInt8], _ length: Int) -> Bool {
                at + length <= code.endIndex && code[at..<at + bytes.count].elementsEqual(bytes)
            }
            if has([0xC3], 1) { return at + 1 }
            if has([0x49, 0x3B, 0x67], 4) {  // cmp rsp, [r15 + 8 bits]
                at += 4
            } else if has([0x49, 0x3B, 0xA7], 7) {  // cmp rsp, [r15 + 32 bits]
                at += 7
            } else if has([0x49, 0x83, 0x7F], 5) {  // cmp [r15 + 8 bits], 8 bits
                at += 5
            } else if has([0x0F, 0x87], 6) || has([0x0F, 0x85], 6) {  // ja, jne to what the poll found
                at += 6
            } else if has([0x4D, 0x8B, 0x97], 7) || has([0x4D, 0x8B, 0x57], 4) {  // mov r10, [r15 + …]
                at += code[at + 2] == 0x97 ? 7 : 4
            } else if has([0x41, 0x85, 0x02], 3) {  // test [r10], eax
                at += 3
            } else if has([0x85, 0x05], 6) {  // test [rip + …], eax
                at += 6
            } else {
                return at
            }
        }
        return at
    }
}
