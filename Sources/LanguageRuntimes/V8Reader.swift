public import LinuxSystem

/// A JavaScript function that a stack frame runs.
public struct V8Frame: Hashable, Sendable {
    /// `(anonymous)` where the function has no name.
    public var function: String
    /// The script's path or URL; empty where unknown.
    public var file: String
    /// Where the function begins, not where it runs; 0 where unknown.
    public var line: UInt32
}

/// Names the JavaScript functions of V8's frames from outside, without flags and without stopping the process.
///
/// All of V8's frames have a frame pointer; a JavaScript frame holds its function two words below. The function leads to
/// its shared data, name and script. Objects move when V8 collects garbage, so a frame must be read at once after its
/// sample; each step checks the object's type, and what is no function any more is counted and gives nothing.
public struct V8Reader<Memory: ForeignMemory> {
    public struct Counts: Hashable, Sendable {
        public var named: UInt64 = 0
        /// Frames that are not of JavaScript: entry, stubs, builtins.
        public var notJavaScript: UInt64 = 0
        /// The frame's function was not one when it was read.
        public var inconsistent: UInt64 = 0
        /// The frame lies outside the copied stack.
        public var outsideStack: UInt64 = 0
    }

    public private(set) var counts = Counts()

    private var reader: ForeignReader<Memory>
    private let layout: V8Layout
    private var known: [UInt64: (name: UInt64, script: UInt64, data: UInt64, frame: V8Frame)] = [:]
    private var scripts: [UInt64: Script] = [:]

    private struct Script {
        var name: UInt64
        var source: UInt64
        var file: String
        /// Positions of the line ends; nil where they could not be had.
        var lineEnds: [UInt32]?
    }

    private static var pagesAFrame: Int { 64 }
    private static var pagesAScript: Int { 2048 }
    private static var mostNameBytes: Int { 512 }
    private static var mostSourceCharacters: Int { 4 << 20 }

    /// - Parameter imageStart: Where the first byte of the program or library with V8 in it is mapped.
    public init(_ memory: Memory, imageStart: UInt64) throws(V8Error) {
        reader = ForeignReader(memory, pages: 64, pageBudget: 4096)
        guard let image = LoadedImage(at: imageStart, &reader) else { throw .unreadable(what: "the program's header") }
        layout = try V8Layout(image, &reader)
    }

    /// The function of the frame with this frame pointer; nil where the frame is none of JavaScript's, or can't be
    /// trusted. Ask it for frames in anonymous executable memory and in V8's builtins.
    ///
    /// - Parameter stack: A word of the stack as it was at the sample, or nil outside the copy.
    public mutating func frame(framePointer: UInt64, stack: (UInt64) -> UInt64?) -> V8Frame? {
        guard let context = stack(framePointer &+ UInt64(bitPattern: layout.contextSlot)),
            let function = stack(framePointer &+ UInt64(bitPattern: layout.functionSlot))
        else {
            counts.outsideStack += 1
            return nil
        }
        // A marker of another kind of frame is no tagged pointer.
        guard isObject(context), isObject(function) else {
            counts.notJavaScript += 1
            return nil
        }
        reader.forget()
        reader.pageBudget = Self.pagesAFrame
        guard let shared = reader.uint64(at(function, layout.functionShared)), isObject(shared),
            instanceType(shared) == layout.sharedType, let name = reader.uint64(at(shared, layout.sharedName)),
            let script = reader.uint64(at(shared, layout.sharedScript)),
            let data = reader.uint64(at(shared, layout.sharedData))
        else {
            counts.inconsistent += 1
            return nil
        }
        // Builtins written as JavaScript functions have no script; their native name tells more.
        guard isObject(script), instanceType(script) == layout.scriptType else {
            counts.notJavaScript += 1
            return nil
        }
        if let frame = known[shared], frame.name == name, frame.script == script, frame.data == data {
            counts.named += 1
            return frame.frame
        }
        guard let (text, position) = nameAndPosition(name, data) else {
            counts.inconsistent += 1
            return nil
        }
        let place = self.script(script)
        var line: UInt32 = 0
        if let position, let ends = place.lineEnds { line = Self.line(of: position, ends) }
        let frame = V8Frame(function: text.isEmpty ? "(anonymous)" : text, file: place.file, line: line)
        if known.count >= 1 << 16 { known = [:] }
        known[shared] = (name, script, data, frame)
        counts.named += 1
        return frame
    }

    private func isObject(_ value: UInt64) -> Bool { value & 3 == layout.objectTag && value > 4096 }
    private func at(_ object: UInt64, _ offset: UInt64) -> UInt64 { object &- layout.objectTag &+ offset }
    private func smi(_ value: UInt64) -> Int64? {
        value & 1 == 0 ? Int64(bitPattern: value) >> Int64(layout.smiShift) : nil
    }

    private mutating func instanceType(_ object: UInt64) -> UInt16? {
        guard let map = reader.uint64(at(object, 0)), isObject(map) else { return nil }
        return reader.uint16(at(map, layout.mapInstanceType))
    }

    /// From a name, or from the scope's description, which holds the name and where the function lies in its script.
    private mutating func nameAndPosition(_ value: UInt64, _ data: UInt64) -> (String, UInt32?)? {
        var result: (name: String, position: UInt32?) = ("", nil)
        if isObject(value) {
            guard let type = instanceType(value) else { return nil }
            if type < layout.firstNonString {
                guard let text = string(value, limit: Self.mostNameBytes) else { return nil }
                result.name = text
            } else if type == layout.scopeInfoType {
                guard let scope = scopeInfo(value) else { return nil }
                result = scope
            } else {
                return nil
            }
        }
        if result.position == nil, isObject(data), let type = instanceType(data),
            layout.uncompiledTypes.contains(type)
        {
            result.position = reader.uint32(at(data, layout.uncompiledStart))
        }
        return result
    }

    /// ScopeInfo, in words behind its map: flags, parameters, count of context locals, [modules' variables,] names and
    /// data of the locals, then what the flags say: the function's name and slot, the inferred name, start and end.
    /// Which of them are there is told by their types.
    private mutating func scopeInfo(_ object: UInt64) -> (name: String, position: UInt32?)? {
        func word(_ index: Int64) -> UInt64 { at(object, UInt64(8 + index * 8)) }
        guard let locals = reader.uint64(word(layout.scopeLocalCount)).flatMap(smi), locals >= 0, locals < 1 << 16
        else {
            return nil
        }
        // From 75 locals on, their names lie in one table.
        var index = layout.scopeFirst + (locals < 75 ? 2 * locals : locals + 1)
        let end = index + 8
        var names: [String] = []
        while index < end {
            guard let value = reader.uint64(word(index)) else { return nil }
            index += 1
            if isObject(value) {
                if let type = instanceType(value), type < layout.firstNonString, names.count < 2,
                    let text = string(value, limit: Self.mostNameBytes)
                {
                    names.append(text)
                }
                continue
            }
            // Two small numbers, the second not less: start and end. One alone is the slot of the function's name.
            if let start = smi(value), let next = reader.uint64(word(index)), let stop = smi(next), start >= 0,
                stop >= start, stop < 1 << 31
            {
                return (names.first { !$0.isEmpty } ?? "", UInt32(start))
            }
        }
        return (names.first { !$0.isEmpty } ?? "", nil)
    }

    /// The first characters of a string, at most `limit`; nil where it is of a kind that lies elsewhere.
    private mutating func string(_ object: UInt64, limit: Int) -> String? {
        guard let units = characters(object, limit: limit) else { return nil }
        return String(decoding: units.map { $0 < 0x20 || $0 == 0x7F ? 0x3F : $0 }, as: UTF16.self)
    }

    private mutating func characters(_ object: UInt64, limit: Int) -> [UInt16]? {
        var result: [UInt16] = []
        var todo: [(object: UInt64, from: Int, count: Int)] = [(object, 0, limit)]
        var steps = 0
        // Strings made by concatenation are trees; a bound on the steps holds cycles.
        while let part = todo.popLast(), result.count < limit {
            steps += 1
            guard steps <= 256, isObject(part.object), let type = instanceType(part.object),
                type < layout.firstNonString,
                let length = reader.int32(at(part.object, layout.stringLength)), length >= 0
            else { return nil }
            let count = min(part.count, max(0, Int(length) - part.from), limit - result.count)
            switch type & layout.representationMask {
            case 0:
                let isOneByte = type & layout.encodingMask == layout.oneByteTag
                let start = at(part.object, layout.stringChars) &+ UInt64(part.from * (isOneByte ? 1 : 2))
                guard let bytes = reader.bytes(start, count: isOneByte ? count : 2 * count) else { return nil }
                if isOneByte {
                    result += bytes.map { UInt16($0) }
                } else {
                    for index in 0..<count {
                        result.append(UInt16(bytes[2 * index]) | UInt16(bytes[2 * index + 1]) << 8)
                    }
                }
            case layout.consTag:
                guard let first = reader.uint64(at(part.object, layout.consFirst)),
                    let second = reader.uint64(at(part.object, layout.consSecond)), isObject(first),
                    let firstLength = reader.int32(at(first, layout.stringLength)), firstLength >= 0
                else { return nil }
                let inFirst = max(0, min(count, Int(firstLength) - part.from))
                if count > inFirst { todo.append((second, max(0, part.from - Int(firstLength)), count - inFirst)) }
                if inFirst > 0 { todo.append((first, part.from, inFirst)) }
            case layout.slicedTag:
                guard let parent = reader.uint64(at(part.object, layout.slicedParent)),
                    let offset = reader.uint64(at(part.object, layout.slicedOffset)).flatMap(smi), offset >= 0,
                    offset < 1 << 31
                else { return nil }
                todo.append((parent, part.from + Int(offset), count))
            case layout.thinTag:
                guard let actual = reader.uint64(at(part.object, layout.thinActual)) else { return nil }
                todo.append((actual, part.from, count))
            default:
                // Outside V8's heap.
                return nil
            }
        }
        return result
    }

    private mutating func script(_ object: UInt64) -> Script {
        let name = reader.uint64(at(object, layout.scriptName)) ?? 0
        let source = reader.uint64(at(object, layout.scriptSource)) ?? 0
        if let script = scripts[object], script.name == name, script.source == source { return script }
        reader.pageBudget = Self.pagesAScript
        var script = Script(name: name, source: source, file: "", lineEnds: nil)
        if isObject(name) { script.file = string(name, limit: 4096) ?? "" }
        script.lineEnds = lineEnds(object, source)
        if scripts.count >= 256 { scripts = [:] }
        scripts[object] = script
        return script
    }

    /// As V8 has computed them for itself, else from the source.
    private mutating func lineEnds(_ script: UInt64, _ source: UInt64) -> [UInt32]? {
        if let array = reader.uint64(at(script, layout.scriptLineEnds)), isObject(array),
            instanceType(array) == layout.fixedArrayType,
            let length = reader.uint64(at(array, layout.fixedArrayLength)).flatMap(smi), length > 0, length < 1 << 18,
            let bytes = reader.bytes(at(array, layout.fixedArrayData), count: Int(length) * 8)
        {
            var ends: [UInt32] = []
            ends.reserveCapacity(Int(length))
            // Smis of 64 bits have their value in the upper half, those of 31 bits one bit up.
            for index in 0..<Int(length) {
                var value: UInt64 = 0
                for byte in 0..<8 { value |= UInt64(bytes[index * 8 + byte]) << UInt64(8 * byte) }
                guard let end = smi(value).flatMap({ UInt32(exactly: $0) }) else { return nil }
                ends.append(end)
            }
            return ends
        }
        guard isObject(source), let length = reader.int32(at(source, layout.stringLength)), length >= 0,
            Int(length) <= Self.mostSourceCharacters, let text = characters(source, limit: Int(length))
        else { return nil }
        return text.indices.filter { text[$0] == 10 }.map { UInt32($0) } + [UInt32(text.count)]
    }

    /// Lines count from 1; a position on a line's end still belongs to it.
    private static func line(of position: UInt32, _ ends: [UInt32]) -> UInt32 {
        var low = 0
        var high = ends.count
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] < position { low = middle + 1 } else { high = middle }
        }
        return UInt32(low + 1)
    }
}

extension V8Reader<ProcessMemory> {
    /// The V8 of a process: in its program, or in libnode, as Debian ships it.
    public init(process: Int32) throws(V8Error) {
        guard let text = ProcFile.read("/proc/\(process)/maps") else { throw .unreadable(what: "the memory map") }
        let program = ProcFile.executable(of: process)
        let images = ProcessMaps.parse(text).filter {
            $0.fileOffset == 0
                && ($0.path == program || $0.path.contains("/libnode.so") || $0.path.hasSuffix("/libv8.so"))
        }
        for image in images {
            do throws(V8Error) {
                try self.init(ProcessMemory(process: process), imageStart: image.start)
                return
            } catch {
                if case .unknownVersion = error { throw error }
            }
        }
        throw .notV8
    }
}
