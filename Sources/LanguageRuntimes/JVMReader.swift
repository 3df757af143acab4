public import LinuxSystem

/// One function that ran in a JVM.
public struct JVMFrame: Hashable, Sendable {
    public enum Kind: UInt8, Sendable {
        case compiled
        /// Compiled into the frame that follows it.
        case inlined
        case interpreted
        /// The JVM's own generated code.
        case stub
    }

    public var function: String
    /// The source file's name as the class has it, without folders; empty where unknown.
    public var file: String
    /// 0 where unknown.
    public var line: UInt32
    public var kind: Kind
}

/// Reads HotSpot's code cache and methods from outside: ranges for the unwinder, names and lines for addresses.
///
/// Nothing is asked of the JVM and nothing stops. It changes while it is read: what contradicts itself is left out and
/// counted, and the next `refresh` finds what is new. Everything is bounded by `pageBudget` of its reader.
public struct JVMReader<Memory: ForeignMemory> {
    /// What one `refresh` found.
    public struct Refresh: Hashable, Sendable {
        public var blobs = 0
        public var newBlobs = 0
        /// Compiled methods among the blobs.
        public var methods = 0
        /// Blocks that were being written, or contradict themselves.
        public var inconsistent = 0
        /// The work's budget ended before the code cache.
        public var isCut = false
    }

    /// JDK's version: 17.
    public var majorVersion: Int32 { layout.majorVersion }
    /// Sorted, without overlap; as of the last `refresh`.
    public private(set) var ranges: [JVMCodeRange] = []
    /// Where the code cache lies, from its first to its last committed byte.
    public private(set) var codeBounds: Range<UInt64> = 0..<0
    public private(set) var names = RuntimeCodeNames()

    private struct Blob {
        var address: UInt64
        var codeStart: UInt64
        var codeEnd: UInt64
        var size: UInt64
        var namePointer: UInt64
        /// 0 for what is no compiled method.
        var method: UInt64
        var compileID: UInt32
        var isInterpreter: Bool
        var since: UInt64
        var round: UInt32
        var ranges: [JVMCodeRange]
    }

    private var reader: ForeignReader<Memory>
    private let layout: JVMLayout
    private let isX86: Bool
    private var methods: JVMMethods
    private var blobs: [UInt64: Blob] = [:]
    /// By code address.
    private var sorted: [(start: UInt64, end: UInt64, blob: UInt64)] = []
    private var interpreter: Range<UInt64> = 0..<0
    private var blobNames: [UInt64: String] = [:]
    private var round: UInt32 = 0
    private var decoded: [UInt64: (blob: UInt64, compileID: UInt32, frames: [JVMFrame])] = [:]

    private static var mostHeaps: Int32 { 16 }
    private static var mostSegments: UInt64 { 64 << 20 }
    private static var mostBlobs: Int { 200_000 }
    private static var refreshPages: Int { 600_000 }
    private static var mostRanges: Int { 1 << 20 }
    /// Until there are too many.
    private var rangesLeft = 0
    private static var lookupPages: Int { 4096 }

    /// - Parameters:
    ///   - libraryStart: Where the first byte of libjvm.so is mapped.
    ///   - isX86: Whether the process's code is x86-64; else AArch64.
    public init(_ memory: Memory, libraryStart: UInt64, isX86: Bool) throws(JVMError) {
        reader = ForeignReader(memory, pages: 256, pageBudget: Self.refreshPages)
        guard let image = LoadedImage(at: libraryStart, &reader) else {
            throw .unreadable(what: "the library's header")
        }
        layout = try JVMLayout(JVMStructs(image, &reader), &reader)
        methods = JVMMethods(layout)
        self.isX86 = isX86
    }

    /// Reads what changed in the code cache. `now` is CLOCK_MONOTONIC: code first seen now is valid from then.
    public mutating func refresh(at now: UInt64) throws(JVMError) -> Refresh {
        reader.forget()
        reader.pageBudget = Self.refreshPages
        rangesLeft = Self.mostRanges - blobs.values.reduce(0) { $0 + $1.ranges.count }
        var result = Refresh()
        guard let array = reader.uint64(layout.heaps), array != 0,
            let count = reader.int32(array &+ layout.arrayLength),
            let data = reader.uint64(array &+ layout.arrayData)
        else { throw .unreadable(what: "the code cache") }
        guard count > 0, count <= Self.mostHeaps else { throw .inconsistent(what: "the number of code heaps") }
        round &+= 1
        var low = UInt64.max
        var high: UInt64 = 0
        for index in 0..<UInt64(count) {
            guard let heap = reader.uint64(data &+ index * 8) else { throw .unreadable(what: "a code heap") }
            let bounds = try readHeap(heap, at: now, &result)
            low = min(low, bounds.lowerBound)
            high = max(high, bounds.upperBound)
        }
        codeBounds = low < high ? low..<high : 0..<0
        let before = blobs.count
        if !result.isCut {
            let round = round
            blobs = blobs.filter { $0.value.round == round }
        }
        names.endRound()
        if result.newBlobs > 0 || blobs.count != before || sorted.isEmpty { arrange() }
        return result
    }

    private mutating func arrange() {
        sorted = blobs.values.map { ($0.codeStart, $0.codeEnd, $0.address) }.sorted { $0.0 < $1.0 }
        ranges.removeAll(keepingCapacity: true)
        var end: UInt64 = 0
        for item in sorted {
            guard let blob = blobs[item.blob], item.start >= end else { continue }
            ranges += blob.ranges
            end = item.end
        }
    }

    private mutating func readHeap(
        _ heap: UInt64, at now: UInt64, _ result: inout Refresh
    ) throws(JVMError) -> Range<UInt64> {
        guard let low = reader.uint64(heap &+ layout.heapMemory &+ layout.spaceLow),
            let high = reader.uint64(heap &+ layout.heapMemory &+ layout.spaceHigh),
            let mapLow = reader.uint64(heap &+ layout.heapSegmentMap &+ layout.spaceLow),
            let mapHigh = reader.uint64(heap &+ layout.heapSegmentMap &+ layout.spaceHigh),
            let shift = reader.int32(heap &+ layout.heapSegmentShift)
        else { throw .unreadable(what: "a code heap") }
        guard low <= high, mapLow <= mapHigh, shift >= 4, shift <= 16 else {
            throw .inconsistent(what: "a code heap's bounds")
        }
        let segments = min((high - low) >> UInt64(shift), mapHigh - mapLow)
        guard segments <= Self.mostSegments else { throw .inconsistent(what: "the size of a code heap") }
        // A block begins where the map holds 0; free space holds 255, and other bytes lead back to the beginning.
        guard segments > 0, let map = reader.bytes(mapLow, count: Int(segments)) else { return low..<high }
        var index = 0
        while index < map.count {
            guard map[index] == 0 else {
                index += 1
                continue
            }
            guard reader.pageBudget > 16, blobs.count < Self.mostBlobs else {
                result.isCut = true
                return low..<high
            }
            let block = low &+ UInt64(index) << UInt64(shift)
            index += 1
            guard let used = reader.number(block, layout.blockUsed), used & 0xFF == 1,
                let length = reader.number(block, layout.blockLength), length > 0, length <= segments
            else { continue }
            let blob = block &+ layout.blockBytes
            if readBlob(blob, most: length << UInt64(shift), at: now, &result) {
                result.blobs += 1
            } else {
                result.inconsistent += 1
            }
        }
        return low..<high
    }

    private mutating func readBlob(_ address: UInt64, most: UInt64, at now: UInt64, _ result: inout Refresh) -> Bool {
        guard let namePointer = reader.uint64(address &+ layout.blobName), namePointer != 0,
            let size = reader.number(address, layout.blobSize), size > 0, size <= most,
            let frameWords = reader.signed(address, layout.blobFrameSize),
            let complete = reader.signed(address, layout.blobFrameComplete),
            let name = blobName(namePointer)
        else { return false }
        let isMethod = name == "nmethod" || name == "native nmethod"
        var method: UInt64 = 0
        var compileID: UInt32 = 0
        if isMethod {
            guard let pointer = reader.uint64(address &+ layout.compiledMethod), pointer != 0,
                let number = reader.uint32(address &+ layout.compileID)
            else { return false }
            method = pointer
            compileID = number
            result.methods += 1
        }
        if var known = blobs[address], known.namePointer == namePointer, known.size == size, known.method == method,
            known.compileID == compileID
        {
            known.round = round
            blobs[address] = known
            return true
        }
        let start: UInt64
        let end: UInt64
        if let offset = layout.blobCodeOffset, let data = reader.number(address, layout.blobDataOffset),
            let code = reader.number(address, offset)
        {
            (start, end) = (address &+ code, address &+ data)
        } else if let beginField = layout.blobCodeBegin, let endField = layout.blobCodeEnd,
            let begin = reader.number(address, beginField), let finish = reader.number(address, endField)
        {
            (start, end) = (begin, finish)
        } else {
            return false
        }
        // −1: the code has no frame of its own.
        guard start >= address, start < end, end - address <= size, frameWords >= -1, frameWords < 1 << 16 else {
            // A stub without code is none.
            return start == end
        }
        var text = name
        if isMethod {
            guard let method = methods.method(method, &reader) else { return false }
            text = method.function
        }
        names.add(start: start, length: end - start, name: Array(text.utf8)[...], at: now)
        result.newBlobs += 1
        if name == "Interpreter" { interpreter = start..<end }
        blobs[address] = Blob(
            address: address, codeStart: start, codeEnd: end, size: size, namePointer: namePointer, method: method,
            compileID: compileID, isInterpreter: name == "Interpreter", since: now, round: round,
            ranges: shape(
                name, start..<end, frameWords: frameWords, complete: complete, isMethod: isMethod))
        return true
    }

    private mutating func shape(
        _ name: String, _ code: Range<UInt64>, frameWords: Int64, complete: Int64, isMethod: Bool
    ) -> [JVMCodeRange] {
        func one(_ kind: JVMCodeRange.Kind, _ bytes: UInt32, _ complete: UInt32) -> [JVMCodeRange] {
            [
                JVMCodeRange(
                    start: code.lowerBound, end: code.upperBound, frameBytes: bytes, completeOffset: complete,
                    kind: kind)
            ]
        }
        let length = UInt32(clamping: code.upperBound - code.lowerBound)
        if name == "Interpreter" { return one(.interpreter, 0, 0) }
        if name.hasPrefix("I2C/C2I") || name.hasPrefix("vtable") { return one(.frameless, 8, length) }
        let frameBytes = UInt32(max(0, frameWords) * 8)
        // Method handles' linkers jump on without a frame.
        if isMethod, frameBytes < 16 { return one(.frameless, 8, length) }
        // −1: never complete as far as HotSpot's own walker is concerned; such stubs build their frame at once.
        let completeOffset = UInt32(clamping: max(0, min(complete, Int64(length))))
        let whole =
            frameBytes >= 16
            ? one(.compiled, frameBytes, completeOffset)
            : frameWords < 0 ? one(.frameless, 8, length) : one(.framePointer, 0, 0)
        guard isX86, length <= 1 << 20, rangesLeft > 0,
            let bytes = reader.bytes(code.lowerBound, count: Int(length))
        else { return whole }
        // Going through code costs more than reading it.
        reader.pageBudget -= Int(length) >> 8
        let ranges = JVMCodeShape(
            bytes, at: code.lowerBound, frameBytes: frameBytes < 16 ? nil : frameBytes,
            completeOffset: isMethod ? Int(completeOffset) : 0
        ).ranges
        guard ranges.count <= rangesLeft else { return whole }
        rangesLeft -= ranges.count
        return ranges
    }

    private mutating func blobName(_ pointer: UInt64) -> String? {
        if let name = blobNames[pointer] { return name }
        guard let bytes = reader.zeroEnded(pointer, limit: 128), !bytes.isEmpty,
            bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F })
        else { return nil }
        let name = String(decoding: bytes, as: UTF8.self)
        if blobNames.count < 4096 { blobNames[pointer] = name }
        return name
    }

    /// Whether an address is the interpreter's: its frames are named by `interpretedFrame`.
    public func isInterpreter(_ address: UInt64) -> Bool { interpreter.contains(address) }

    /// The functions that run at an address of the code cache, innermost inlined first; empty where none is known.
    ///
    /// `address` lies in the calling instruction where it was a return address. Reads the JVM's memory for inlined
    /// functions and lines, so it is right as long as the code is still there, and else gives the function alone. Lines
    /// of leaf frames are those of the next point at which HotSpot kept debugging data.
    public mutating func frames(at address: UInt64, time: UInt64) -> [JVMFrame] {
        if let place = place(of: address), let blob = blobs[place.blob], blob.method != 0, blob.since <= time {
            if let known = decoded[address], known.blob == blob.address, known.compileID == blob.compileID {
                return known.frames
            }
            reader.forget()
            reader.pageBudget = Self.lookupPages
            if let frames = scopes(at: address, in: blob), !frames.isEmpty {
                if decoded.count >= 1 << 16 { decoded = [:] }
                decoded[address] = (blob.address, blob.compileID, frames)
                return frames
            }
        }
        guard let match = names.match(address, at: time) else { return [] }
        let isMethod = place(of: address).flatMap { blobs[$0.blob] }.map { $0.method != 0 } ?? match.name.contains(".")
        return [JVMFrame(function: match.name, file: "", line: 0, kind: isMethod ? .compiled : .stub)]
    }

    private func place(of address: UInt64) -> (start: UInt64, end: UInt64, blob: UInt64)? {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle].start <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address < sorted[low - 1].end else { return nil }
        return sorted[low - 1]
    }

    /// The interpreted method of a frame.
    ///
    /// - Parameters:
    ///   - framePointer: The frame's (rbp, x29).
    ///   - bytecodePointer: r13 (x86-64) or x22 (AArch64) where this is the leaf; callers' have saved theirs.
    ///   - stack: A word of the stack as it was at the sample, or nil outside the copy.
    /// - Returns: nil where the frame can't be read or names nothing.
    public mutating func interpretedFrame(
        framePointer: UInt64, bytecodePointer: UInt64? = nil, stack: (UInt64) -> UInt64?
    ) -> JVMFrame? {
        // Slots in words: −1 sender's sp, −2 last sp, −3 method, …, −8 bytecode pointer.
        let first = framePointer &+ UInt64(bitPattern: layout.senderStackPointerSlot * 8)
        guard let pointer = stack(first &- 16) else { return nil }
        reader.pageBudget = Self.lookupPages
        guard let method = methods.method(pointer, &reader) else { return nil }
        let bytecode =
            bytecodePointer.flatMap { methods.bytecode(at: $0, in: method) }
            ?? stack(first &- 56).flatMap { methods.bytecode(at: $0, in: method) }
        return JVMFrame(
            function: method.function, file: method.file,
            line: bytecode.map { JVMMethods.line(of: $0, in: method) } ?? 0, kind: .interpreted)
    }

    /// The method that an interpreter frame names.
    ///
    /// - Parameters:
    ///   - method: The word of the frame that says which (fp − 24 on x86-64).
    ///   - bytecodePointers: Lower halves of what may point to the bytecode, the likeliest first; what lies in the
    ///     method is believed.
    /// - Returns: nil where nothing, or not a method, lies there.
    public mutating func interpretedFrame(method pointer: UInt64, bytecodePointers: [UInt32]) -> JVMFrame? {
        reader.forget()
        reader.pageBudget = Self.lookupPages
        guard let method = methods.method(pointer, &reader) else { return nil }
        let bytecode = bytecodePointers.compactMap { methods.bytecode(atLowerHalf: $0, in: method) }.first
        return JVMFrame(
            function: method.function, file: method.file,
            line: bytecode.map { JVMMethods.line(of: $0, in: method) } ?? 0, kind: .interpreted)
    }

    /// Decodes the scope that HotSpot describes for an address: PcDesc, then a chain of (sender, method, bytecode).
    private mutating func scopes(at address: UInt64, in blob: Blob) -> [JVMFrame]? {
        guard let scopes = layout.scopes, reader.uint32(blob.address &+ layout.compileID) == blob.compileID,
            reader.uint64(blob.address &+ layout.compiledMethod) == blob.method
        else { return nil }
        let pcs: UInt64
        let pcsEnd: UInt64
        let data: UInt64
        let metadata: UInt64
        switch scopes {
        case .behind(let pcsOffset, let endOffset, let dataField, let metadataOffset):
            guard let a = reader.uint32(blob.address &+ pcsOffset), let b = reader.uint32(blob.address &+ endOffset),
                let d = reader.uint64(blob.address &+ dataField),
                let m = reader.uint32(blob.address &+ metadataOffset)
            else { return nil }
            (pcs, pcsEnd, data) = (blob.address &+ UInt64(a), blob.address &+ UInt64(b), d)
            metadata = blob.address &+ UInt64(m)
        case .apart(let memoryField, let pcsOffset, let dataOffset, let mutableField, let relocationField):
            guard let memory = reader.uint64(blob.address &+ memoryField),
                let a = reader.uint32(blob.address &+ pcsOffset), let b = reader.uint32(blob.address &+ dataOffset),
                let mutable = reader.uint64(blob.address &+ mutableField),
                let relocations = reader.uint32(blob.address &+ relocationField)
            else { return nil }
            (pcs, pcsEnd, data) = (memory &+ UInt64(a), memory &+ UInt64(b), memory &+ UInt64(b))
            metadata = mutable &+ UInt64((relocations &+ 7) & ~7)
        }
        guard pcs < pcsEnd, pcsEnd - pcs <= 16 << 20 else { return nil }
        let wanted = Int64(address - blob.codeStart)
        // Entries of 16 bytes by pc_offset, the first and last being sentinels: the first that isn't before `wanted`.
        var low: UInt64 = 0
        var high = (pcsEnd - pcs) / 16
        let count = high
        while low < high {
            let middle = (low + high) / 2
            guard let offset = reader.int32(pcs &+ middle * 16) else { return nil }
            if Int64(offset) < wanted { low = middle + 1 } else { high = middle }
        }
        guard low < count, var offset = reader.int32(pcs &+ low * 16 &+ 4) else { return nil }
        var frames: [JVMFrame] = []
        while offset > 0, frames.count < 64 {
            // Three numbers of at most five bytes each.
            guard let bytes = reader.bytes(data &+ UInt64(offset), count: 15) else { return nil }
            var stream = JVMNumbers(bytes[...], excludedByte: layout.excludedByte)
            guard let sender = stream.unsigned(), let index = stream.unsigned(), let bytecode = stream.unsigned(),
                index > 0, index < 1 << 20,
                let pointer = reader.uint64(metadata &+ UInt64(index - 1) * 8),
                let method = methods.method(pointer, &reader)
            else { return nil }
            // InvocationEntryBci is −1 and stored as 0.
            let line = bytecode == 0 ? 0 : JVMMethods.line(of: bytecode - 1, in: method)
            frames.append(JVMFrame(function: method.function, file: method.file, line: line, kind: .inlined))
            // A sender lies before what it calls; a chain that doesn't fall never ends.
            guard Int64(sender) < Int64(offset) else { return nil }
            offset = Int32(sender)
        }
        guard !frames.isEmpty else { return nil }
        frames[frames.count - 1].kind = .compiled
        return frames
    }
}

extension JVMReader<ProcessMemory> {
    /// The JVM of a process; its memory needs the rights of ptrace(2).
    public init(process: Int32) throws(JVMError) {
        guard let text = ProcFile.read("/proc/\(process)/maps") else { throw .unreadable(what: "the memory map") }
        guard
            let library = ProcessMaps.parse(text).first(where: {
                $0.fileOffset == 0 && $0.path.hasSuffix("/libjvm.so")
            })
        else { throw .notAJVM }
        #if arch(x86_64)
        let isX86 = true
        #else
        let isX86 = false
        #endif
        try self.init(ProcessMemory(process: process), libraryStart: library.start, isX86: isX86)
    }
}
