internal import LinuxSystem

/// Finds the JavaScript functions of V8's frames from outside, without flags and without stopping the process.
///
/// All of V8's frames have a frame pointer; a JavaScript frame holds its function two words below, and its context
/// between. So frames show in a copy of the stack without being followed: a word that leads upward, with two tagged
/// pointers below it. What looks like one and is none finds no native frame beside it (`V8Merge`). A function leads to
/// its shared data, name and script. Objects move when V8 collects garbage, so this is to be done at once after a
/// sample; what a frame calls its function and is none is told as `unreadable`. What is known of shared data is held
/// against it each time: for a stack of known functions two system calls are made and nothing is allocated.
public struct V8Reader<Memory: ForeignMemory>: Sendable {
    public struct Counts: Hashable, Sendable {
        public var stacks: UInt64 = 0
        /// Functions that were not known yet and had to be read.
        public var functionsRead: UInt64 = 0
        /// System calls for what is read for every stack.
        public var systemCalls: UInt64 = 0
    }

    public private(set) var counts = Counts()
    /// Of the last stack, leaf first; storage is kept from stack to stack.
    public private(set) var frames: [V8StackFrame] = []
    /// Changes when the numbers of functions from before name nothing any more.
    public private(set) var generation: UInt32 = 0

    var reader: ForeignReader<Memory>
    private var allowance = PageAllowance()
    let layout: V8Layout
    /// By address of their shared data.
    private var known: [UInt64: Known] = [:]
    private var functions: [V8Frame] = []
    private var numbers: [V8Frame: UInt32] = [:]
    var scripts: [UInt64: V8Script] = [:]
    /// Of all scripts that were put into `scripts` since it was last emptied.
    var lineCount = 0
    // Of the stack at hand; storage is kept.
    private var addresses: [UInt64] = []
    private var places: [UInt64: Int] = [:]
    private var shared: [UInt64] = []
    private var found: [Known] = []
    private var ranges: [MemoryRange] = []
    private var bytes: [UInt8] = []
    private var isRead: [Bool] = []

    /// A function and what its shared data held when it was read.
    private struct Known {
        var head: Head
        var number: UInt32
        var line: UInt32
    }

    private struct Head: Hashable {
        var map: UInt64
        var name: UInt64
        var script: UInt64
        var data: UInt64
    }

    /// `Known.number` of what has no script: builtins written as JavaScript functions. Their native names tell more.
    private static var notJavaScript: UInt32 { .max - 1 }

    // Of one stack: frames looked at, functions read anew, calls that gather.
    private static var mostFrames: Int { 1024 }
    private static var mostNew: Int { 64 }
    private static var mostCalls: Int { 8 }
    private static var mostFunctions: Int { 16_384 }
    private static var mostKnown: Int { 65_536 }

    /// - Parameter imageStart: Where the first byte of the program or library with V8 in it is mapped.
    public init(_ memory: Memory, imageStart: UInt64) throws(V8Error) {
        reader = ForeignReader(memory, pages: 64, pageBudget: 4096)
        guard let image = LoadedImage(at: imageStart, &reader) else { throw .unreadable(what: "the program's header") }
        layout = try V8Layout(image, &reader)
    }

    package init(_ memory: Memory, layout: V8Layout) {
        reader = ForeignReader(memory, pages: 64)
        self.layout = layout
    }

    public var frameKinds: V8FrameKinds { layout.frameKinds }

    /// A function by its number in `frames`.
    public func function(_ number: UInt32) -> V8Frame {
        functions.indices.contains(Int(number))
            ? functions[Int(number)] : V8Frame(function: "", file: "", line: 0)
    }

    /// Fills `frames` with the JavaScript frames of a stack.
    ///
    /// - Parameter copiedStack: The bytes from the stack pointer upwards.
    public mutating func read(stackPointer: UInt64, copiedStack: RawSpan) {
        counts.stacks += 1
        frames.removeAll(keepingCapacity: true)
        addresses.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        // Many that V8 keeps apart may be one function by name, file and line.
        if functions.count >= Self.mostFunctions || known.count >= Self.mostKnown { forgetFunctions() }
        find(stackPointer, copiedStack)
        guard !frames.isEmpty else { return }
        readFunctions()
        var kept = 0
        for index in frames.indices {
            let function = found[Int(frames[index].function)]
            guard function.number != Self.notJavaScript else { continue }
            frames[kept] = V8StackFrame(
                framePointer: frames[index].framePointer, function: function.number, line: function.line)
            kept += 1
        }
        frames.removeLast(frames.count - kept)
    }

    // MARK: Frames

    /// Fills `frames`, their functions as indices of `addresses`, which gets each function once.
    private mutating func find(_ stackPointer: UInt64, _ stack: RawSpan) {
        let lowest = -min(layout.contextSlot, layout.functionSlot)
        guard stackPointer % 8 == 0 else { return }
        var offset = lowest
        // The return address lies above the frame pointer of the caller.
        while offset <= stack.byteCount - 16, frames.count < Self.mostFrames {
            let framePointer = stackPointer &+ UInt64(offset)
            let caller = stack.littleEndianWord(offset)
            if caller > framePointer, caller - framePointer < 1 << 26, caller % 8 == 0 {
                let context = stack.littleEndianWord(offset + layout.contextSlot)
                let function = stack.littleEndianWord(offset + layout.functionSlot)
                if isObject(context), isObject(function) {
                    let place = places[function] ?? addresses.count
                    if place == addresses.count {
                        places[function] = place
                        addresses.append(function)
                    }
                    frames.append(V8StackFrame(framePointer: framePointer, function: UInt32(place), line: 0))
                }
            }
            offset += 8
        }
    }

    // MARK: Functions

    /// Fills `found`, a place for each of `addresses`.
    private mutating func readFunctions() {
        reader.forget()
        let budget = allowance.next()
        reader.pageBudget = budget
        defer { allowance.spend(budget - reader.pageBudget) }
        gather(addresses, offset: layout.functionShared, byteCount: 8)
        shared.removeAll(keepingCapacity: true)
        for index in addresses.indices {
            let value = isRead[index] ? bytes.littleEndianWord(index * 8) : 0
            shared.append(isObject(value) ? value : 0)
        }
        let size = Int(max(layout.sharedName, layout.sharedScript, layout.sharedData ?? 0)) + 8
        gather(shared, offset: 0, byteCount: size)
        found.removeAll(keepingCapacity: true)
        var new = 0
        for index in shared.indices {
            guard isRead[index], shared[index] != 0 else {
                found.append(Self.unreadable)
                continue
            }
            found.append(function(shared[index], head(index * size), &new))
        }
    }

    private static var unreadable: Known {
        Known(head: Head(map: 0, name: 0, script: 0, data: 0), number: V8StackFrame.unreadable, line: 0)
    }

    private func head(_ start: Int) -> Head {
        Head(
            map: bytes.littleEndianWord(start), name: bytes.littleEndianWord(start + Int(layout.sharedName)),
            script: bytes.littleEndianWord(start + Int(layout.sharedScript)),
            data: layout.sharedData.map { bytes.littleEndianWord(start + Int($0)) } ?? 0)
    }

    private mutating func function(_ shared: UInt64, _ head: Head, _ new: inout Int) -> Known {
        if let known = known[shared], known.head.map == head.map, known.head.name == head.name,
            known.head.script == head.script, known.line != 0 || known.head.data == head.data
        {
            return known
        }
        // While garbage is collected, the word of the map leads to where the object has gone.
        if !isObject(head.map), head.map % 8 == 0, head.map > 4096, let moved = known[head.map | layout.objectTag] {
            return moved
        }
        guard new < Self.mostNew, isObject(head.map), type(ofMap: head.map) == layout.sharedType else {
            return Self.unreadable
        }
        new += 1
        counts.functionsRead += 1
        guard let result = readFunction(head) else { return Self.unreadable }
        known[shared] = result
        return result
    }

    private mutating func readFunction(_ head: Head) -> Known? {
        guard isObject(head.script), let scriptType = instanceType(head.script) else { return nil }
        guard scriptType == layout.scriptType else { return Known(head: head, number: Self.notJavaScript, line: 0) }
        guard let (name, position) = nameAndPosition(head.name, head.data), let script = script(head.script) else {
            return nil
        }
        var frame = V8Frame(function: name, file: script.file, line: 0)
        var column: UInt32 = 0
        if let position, let ends = script.lineEnds { (frame.line, column) = Self.place(of: position, ends) }
        if name.isEmpty {
            let file = script.file.utf8.split(separator: 0x2F).last.map { String(Substring($0)) } ?? ""
            frame.function =
                file.isEmpty || frame.line == 0 ? "(anonymous)" : "(anonymous \(file):\(frame.line):\(column))"
        }
        let number = numbers[frame] ?? UInt32(functions.count)
        if number == functions.count {
            functions.append(frame)
            numbers[frame] = number
        }
        return Known(head: head, number: number, line: frame.line)
    }

    private mutating func forgetFunctions() {
        generation &+= 1
        known = [:]
        functions = []
        numbers = [:]
    }

    /// Reads `byteCount` bytes `offset` bytes behind the start of each object into `bytes`, and says in `isRead` of
    /// which. Each object that can't be read costs a call more; beyond `mostCalls` of them the rest stays unread.
    private mutating func gather(_ objects: [UInt64], offset: UInt64, byteCount: Int) {
        ranges.removeAll(keepingCapacity: true)
        isRead.removeAll(keepingCapacity: true)
        for object in objects {
            ranges.append(MemoryRange(address: at(object, offset), byteCount: byteCount))
            isRead.append(false)
        }
        let size = objects.count * byteCount
        if bytes.count < size { bytes.append(contentsOf: repeatElement(0, count: size - bytes.count)) }
        var done = 0
        for _ in 0..<Self.mostCalls where done < ranges.count {
            counts.systemCalls += 1
            let count = reader.memory.gather(
                done == 0 ? ranges : Array(ranges[done...]), into: &bytes, at: done * byteCount)
            let whole = min(max(0, count) / byteCount, ranges.count - done)
            for index in done..<done + whole { isRead[index] = true }
            done += whole + 1
        }
    }
}
