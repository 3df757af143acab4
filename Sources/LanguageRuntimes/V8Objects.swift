/// Where functions lie in a script's text.
struct V8Script: Sendable {
    /// What the script held when it was read.
    var name: UInt64
    var source: UInt64
    var file: String
    /// Positions of the line ends; nil where they could not be had.
    var lineEnds: [UInt32]?
}

/// Objects of V8's heap. Each step checks the object's type; nothing is followed further than the limits here and
/// `ForeignReader.pageBudget` allow.
extension V8Reader {
    private static var mostNameBytes: Int { 512 }
    /// Scripts of larger ones have no lines. Less than `PageAllowance.mostAtOnce`.
    private static var mostSourceBytes: Int { 4 << 20 }
    /// Of a source that lies in pieces or has wide characters.
    private static var mostScatteredCharacters: Int { 1 << 18 }
    private static var mostLines: Int { 1 << 18 }
    private static var mostScripts: Int { 256 }
    private static var mostLinesKept: Int { 1 << 20 }

    func isObject(_ value: UInt64) -> Bool { value & 3 == layout.objectTag && value > 4096 }
    func at(_ object: UInt64, _ offset: UInt64) -> UInt64 { object &- layout.objectTag &+ offset }
    private func smi(_ value: UInt64) -> Int64? {
        value & 1 == 0 ? Int64(bitPattern: value) >> Int64(layout.smiShift) : nil
    }

    mutating func instanceType(_ object: UInt64) -> UInt16? {
        guard let map = reader.uint64(at(object, 0)), isObject(map) else { return nil }
        return type(ofMap: map)
    }

    mutating func type(ofMap map: UInt64) -> UInt16? { reader.uint16(at(map, layout.mapInstanceType)) }

    /// From a name, or from the scope's description, which holds the name and where the function lies in its script.
    mutating func nameAndPosition(_ value: UInt64, _ data: UInt64) -> (String, UInt32?)? {
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

    /// ScopeInfo, in words behind its map: flags, parameters, count of context locals, [start and end, from V8 13 on,]
    /// [modules' variables,] names and data of the locals, then what the flags say: the function's name and slot, the
    /// inferred name, start and end (up to V8 12), the scope around it. Which of them are there is told by their types.
    private mutating func scopeInfo(_ object: UInt64) -> (name: String, position: UInt32?)? {
        func word(_ index: Int64) -> UInt64 { at(object, UInt64(8 + index * 8)) }
        guard let locals = reader.uint64(word(layout.scopeLocalCount)).flatMap(smi), locals >= 0, locals < 1 << 16
        else {
            return nil
        }
        var position: UInt32?
        if layout.scopeFirst >= layout.scopeLocalCount + 3 {
            guard let start = reader.uint64(word(layout.scopeLocalCount + 1)).flatMap(smi), start >= 0 else {
                return nil
            }
            position = UInt32(exactly: start)
        }
        // From 75 locals on, their names lie in one table.
        var index = layout.scopeFirst + (locals < 75 ? 2 * locals : locals + 1)
        let end = index + 8
        var names: [String] = []
        while index < end {
            guard let value = reader.uint64(word(index)) else { return nil }
            index += 1
            if isObject(value) {
                guard let type = instanceType(value) else { return nil }
                if type == layout.scopeInfoType { break }
                if type < layout.firstNonString, names.count < 2, let text = string(value, limit: Self.mostNameBytes) {
                    names.append(text)
                }
                continue
            }
            guard position == nil, let first = smi(value) else { continue }
            // Two small numbers, the second greater: start and end. One alone, and the first of three, is the slot of the
            // function's name; 0 stands for a name that there is not.
            let second = reader.uint64(word(index)).flatMap(smi)
            let third = reader.uint64(word(index + 1)).flatMap(smi)
            guard let second, second > first, first >= 0, second < 1 << 31 else { continue }
            let start = third.map { $0 > second } ?? false ? second : first
            return (names.first { !$0.isEmpty } ?? "", UInt32(start))
        }
        return (names.first { !$0.isEmpty } ?? "", position)
    }

    /// The first characters of a string, at most `limit`; nil where it is of a kind that lies elsewhere.
    private mutating func string(_ object: UInt64, limit: Int) -> String? {
        guard let units = characters(object, limit: limit) else { return nil }
        return String(decoding: units.map { $0 < 0x20 || $0 == 0x7F ? 0x3F : $0 }, as: UTF16.self)
    }

    private mutating func characters(_ object: UInt64, limit: Int) -> [UInt16]? {
        var result: [UInt16] = []
        // One page may hold a string that refers to itself again and again: what is copied counts.
        defer { reader.spend(2 * result.count) }
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

    /// nil where the allowance does not reach now, but may another time. Where only the source is too much now, the
    /// script has no lines, and is not kept.
    mutating func script(_ object: UInt64) -> V8Script? {
        guard let name = reader.uint64(at(object, layout.scriptName)),
            let source = reader.uint64(at(object, layout.scriptSource))
        else { return nil }
        if let script = scripts[object], script.name == name, script.source == source { return script }
        var script = V8Script(name: name, source: source, file: "", lineEnds: nil)
        if isObject(name) { script.file = string(name, limit: 4096) ?? "" }
        script.lineEnds = knownLineEnds(object) ?? lineEnds(ofSource: source)
        guard script.lineEnds != nil || !reader.isCut else { return reader.pageBudget > 0 ? script : nil }
        lineCount += script.lineEnds?.count ?? 0
        if scripts.count >= Self.mostScripts || lineCount > Self.mostLinesKept {
            scripts = [:]
            lineCount = script.lineEnds?.count ?? 0
        }
        scripts[object] = script
        return script
    }

    /// As V8 has computed them for itself.
    private mutating func knownLineEnds(_ script: UInt64) -> [UInt32]? {
        guard let array = reader.uint64(at(script, layout.scriptLineEnds)), isObject(array),
            instanceType(array) == layout.fixedArrayType,
            let length = reader.uint64(at(array, layout.fixedArrayLength)).flatMap(smi), length > 0,
            length < Self.mostLines, let bytes = reader.bytes(at(array, layout.fixedArrayData), count: Int(length) * 8)
        else { return nil }
        var ends: [UInt32] = []
        ends.reserveCapacity(Int(length))
        for index in 0..<Int(length) {
            guard let end = smi(bytes.littleEndianWord(index * 8)).flatMap({ UInt32(exactly: $0) }) else { return nil }
            ends.append(end)
        }
        return ends
    }

    private mutating func lineEnds(ofSource source: UInt64) -> [UInt32]? {
        guard isObject(source), let type = instanceType(source), type < layout.firstNonString,
            let length = reader.int32(at(source, layout.stringLength)), length >= 0,
            Int(length) <= Self.mostSourceBytes
        else { return nil }
        guard let text = bytes(of: source, type) else {
            guard Int(length) <= Self.mostScatteredCharacters, reader.affords(2 * Int(length)),
                let text = characters(source, limit: Int(length))
            else { return nil }
            return text.indices.filter { text[$0] == 10 }.map { UInt32($0) } + [UInt32(text.count)]
        }
        guard reader.affords(Int(length)) else { return nil }
        var ends: [UInt32] = []
        var position = 0
        while position < Int(length) {
            let count = min(Int(length) - position, 1 << 16)
            guard let part = reader.bytes(text &+ UInt64(position), count: count) else { return nil }
            for index in part.indices where part[index] == 10 { ends.append(UInt32(position + index)) }
            guard ends.count < Self.mostLines else { return nil }
            position += count
        }
        return ends + [UInt32(length)]
    }

    /// Where the characters of a string with one byte each lie in one piece: in the string, or outside V8's heap, as
    /// the sources of Node's own modules.
    private mutating func bytes(of string: UInt64, _ type: UInt16) -> UInt64? {
        guard type & layout.encodingMask == layout.oneByteTag else { return nil }
        switch type & layout.representationMask {
        case 0: return at(string, layout.stringChars)
        // The resource's address, then that of its bytes; some strings, marked by a bit, have the first one alone.
        case layout.externalTag where type & 0x10 == 0:
            return reader.uint64(at(string, layout.externalResource) &+ 8)
        default: return nil
        }
    }

    /// Lines and columns count from 1; a position on a line's end still belongs to it.
    static func place(of position: UInt32, _ ends: [UInt32]) -> (line: UInt32, column: UInt32) {
        var low = 0
        var high = ends.count
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] < position { low = middle + 1 } else { high = middle }
        }
        let start = low == 0 ? 0 : ends[low - 1] &+ 1
        return (UInt32(low + 1), position >= start ? position - start &+ 1 : 1)
    }
}
