// fuzz: LanguageRuntimes, LinuxSystem
import LanguageRuntimes

/// The memory of a process as its owner might make it: a heap with frames, functions, names and scripts that hang
/// together, changed by the input at as many places as it likes, or the input alone; read twice, as the stack that a
/// sample copied and as the heap. Then frames are merged, and the constants that a program calls its own are taken for
/// V8's.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let choice = input.first else { return 0 }
    let rest = input.dropFirst()
    var heap = Heap()
    if choice & 1 == 0 {
        heap.change(rest)
    } else {
        heap.bytes = Array(rest)
    }
    if let layout = try? V8Layout({ constants[$0] }) {
        if input == [0] { checkUnchanged(heap.bytes, layout) }
        read(heap.bytes, layout)
    }
    var next = rest.makeIterator()
    let hostile = try? V8Layout { name in
        guard let byte = next.next(), byte & 7 == 0 else { return constants[name] }
        let value = (0..<4).reduce(UInt32(byte >> 3)) { sum, _ in sum << 8 | UInt32(next.next() ?? 0) }
        return Int64(Int32(bitPattern: value))
    }
    if let hostile { read(heap.bytes, hostile) }
    var reader = ForeignReader(MemoryImage(start: Heap.start, bytes: heap.bytes))
    if let image = LoadedImage(at: Heap.start, &reader) { _ = image.address(of: "v8dbg_SmiTagMask", &reader) }
    return 0
}

/// What is changed must hang together before that.
private func checkUnchanged(_ bytes: [UInt8], _ layout: V8Layout) {
    var reader = V8Reader(MemoryImage(start: Heap.start, bytes: bytes), layout: layout)
    reader.read(stackPointer: Heap.start, copiedStack: bytes.span.bytes)
    let found = reader.frames.map { reader.function($0.function) }.map { "\($0.function) \($0.file) \($0.line)" }
    let path = "/srv/app/index.js"
    guard found == ["a \(path) 0", "b \(path) 0", "\(path) \(path) 0", "c \(path) 2"] else {
        fatalError("the heap is not read: \(found)")
    }
}

private func read(_ bytes: [UInt8], _ layout: V8Layout) {
    var reader = V8Reader(MemoryImage(start: Heap.start, bytes: bytes), layout: layout)
    for _ in 0..<2 {
        reader.read(stackPointer: Heap.start, copiedStack: bytes.span.bytes)
        guard reader.frames.count <= 1024 else { fatalError("more frames than one stack may have") }
        for frame in reader.frames where frame.function != V8StackFrame.unreadable {
            let function = reader.function(frame.function)
            guard function.function.utf16.count <= 4200, function.file.utf16.count <= 4096 else {
                fatalError("a name beyond its limit")
            }
        }
        let natives = bytes.prefix(64).enumerated().map { index, byte in
            V8Merge.NativeFrame(
                place: V8Merge.NativeFrame.Place(rawValue: byte & 3) ?? .other,
                framePointer: Heap.start + UInt64(index) * 8, marker: UInt64(byte >> 2))
        }
        var merged: [V8Merge.Frame] = []
        let unreadable = V8Merge.merge(
            native: natives.span, functions: reader.frames.span, kinds: reader.frameKinds, into: &merged)
        guard merged.count <= natives.count, unreadable <= natives.count else { fatalError("frames out of nowhere") }
    }
}

/// Objects as V8 11.3 lays them out, in 16 KiB; the stack lies at the beginning.
private struct Heap {
    static let start: UInt64 = 0x10_0000
    var bytes = [UInt8](repeating: 0, count: 16_384)
    private var end = 2048

    init() {
        let meta = object([0, 0])
        func map(_ type: UInt64, _ heap: inout Heap) -> UInt64 { heap.object([meta, type << 32]) }
        let sharedMap = map(type("SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE"), &self)
        let scriptMap = map(type("Script__SCRIPT_TYPE"), &self)
        let scopeMap = map(type("ScopeInfo__SCOPE_INFO_TYPE"), &self)
        let arrayMap = map(type("FixedArray__FIXED_ARRAY_TYPE"), &self)
        let oneByte = map(8, &self)
        let cons = map(9, &self)
        let sliced = map(11, &self)
        let thin = map(13, &self)
        let external = map(10, &self)
        let source = string("function a() {\n  b();\n}\nfunction b() {}\n", oneByte)
        let path = string("/srv/app/index.js", oneByte)
        let pieces = object([cons, 17 << 32, path, object([sliced, 4 << 32, path, 3 << 32])])
        let ends = object([arrayMap, 2 << 32, 14 << 32, 22 << 32])
        let outside = object([external, 20 << 32, 0, Self.start + 2048])
        let names = [
            string("a", oneByte), object([thin, 1 << 32, string("b", oneByte)]), pieces,
            object([scopeMap, 0, 0, 1 << 32, path, 0, string("c", oneByte), 5 << 32, 15 << 32, 30 << 32]),
        ]
        var frame = 16
        for (index, name) in names.enumerated() {
            let text = [source, outside, pieces, source][index]
            var script = [scriptMap, text, index == 2 ? pieces : path, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            if index == 1 { script[7] = ends }
            let function = object([meta, 0, 0, object([sharedMap, 0, name, 0, object(script), 0, 0])])
            put(function, frame - 16)
            put(meta, frame - 8)
            put(Self.start + UInt64(frame) + 64, frame)
            put(0x40_0000, frame + 8)
            frame += 64
        }
    }

    private func type(_ name: String) -> UInt64 { UInt64(constants["type_" + name] ?? 0) }

    private mutating func put(_ word: UInt64, _ place: Int) {
        for byte in 0..<8 { bytes[place + byte] = UInt8(truncatingIfNeeded: word >> UInt64(8 * byte)) }
    }

    /// A tagged pointer.
    private mutating func object(_ words: [UInt64]) -> UInt64 {
        let place = end
        for (index, word) in words.enumerated() { put(word, place + index * 8) }
        end += words.count * 8
        return Self.start + UInt64(place) + 1
    }

    private mutating func string(_ text: String, _ map: UInt64) -> UInt64 {
        let characters = Array(text.utf8)
        let result = object(
            [map, UInt64(characters.count) << 32] + [UInt64](repeating: 0, count: characters.count / 8 + 1))
        bytes.replaceSubrange(
            end - (characters.count / 8 + 1) * 8..<end,
            with: characters + [UInt8](repeating: 0, count: 8 - characters.count % 8))
        return result
    }

    /// Each three bytes: a place, and what is written there.
    mutating func change(_ input: ArraySlice<UInt8>) {
        var place = 0
        for (index, byte) in input.enumerated() {
            switch index % 3 {
            case 0: place = Int(byte)
            case 1: place = (place << 8 | Int(byte)) % min(end, bytes.count)
            default: bytes[place] = byte
            }
        }
    }
}

/// Of node 20.20.
private let constants: [String: Int64] = [
    "ConsStringTag": 1,
    "ExternalStringTag": 2,
    "FirstNonstringType": 128,
    "HeapObjectTag": 1,
    "OneByteStringTag": 8,
    "SlicedStringTag": 3,
    "SmiShiftSize": 31,
    "SmiTagMask": 1,
    "StringEncodingMask": 8,
    "StringRepresentationMask": 7,
    "ThinStringTag": 5,
    "class_ConsString__first__String": 16,
    "class_ConsString__second__String": 24,
    "class_ExternalString__resource__Object": 16,
    "class_FixedArrayBase__length__SMI": 8,
    "class_FixedArray__data__uintptr_t": 16,
    "class_JSFunction__shared__SharedFunctionInfo": 24,
    "class_Map__instance_type__uint16_t": 12,
    "class_Script__line_ends__Object": 56,
    "class_Script__name__Object": 16,
    "class_Script__source__Object": 8,
    "class_SeqOneByteString__chars__char": 16,
    "class_SharedFunctionInfo__function_data__Object": 8,
    "class_SharedFunctionInfo__name_or_scope_info__Object": 16,
    "class_SharedFunctionInfo__script_or_debug_info__HeapObject": 32,
    "class_SlicedString__offset__SMI": 24,
    "class_SlicedString__parent__String": 16,
    "class_String__length__int32_t": 12,
    "class_ThinString__actual__String": 16,
    "class_UncompiledData__start_position__int32_t": 16,
    "frametype_BuiltinExitFrame": 25,
    "frametype_ConstructEntryFrame": 2,
    "frametype_ConstructFrame": 23,
    "frametype_EntryFrame": 1,
    "frametype_ExitFrame": 3,
    "frametype_InternalFrame": 22,
    "frametype_IrregexpFrame": 27,
    "off_fp_context": -8,
    "off_fp_context_or_frame_type": -8,
    "off_fp_function": -16,
    "scopeinfo_idx_first_vars": 3,
    "scopeinfo_idx_ncontextlocals": 2,
    "type_FixedArray__FIXED_ARRAY_TYPE": 175,
    "type_ScopeInfo__SCOPE_INFO_TYPE": 261,
    "type_Script__SCRIPT_TYPE": 167,
    "type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE": 262,
    "type_UncompiledDataWithPreparseData__UNCOMPILED_DATA_WITH_PREPARSE_DATA_TYPE": 220,
    "type_UncompiledDataWithoutPreparseData__UNCOMPILED_DATA_WITHOUT_PREPARSE_DATA_TYPE": 222,
]
