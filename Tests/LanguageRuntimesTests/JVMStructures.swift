import LanguageRuntimes

/// A JVM's library and code cache made by hand in an image of memory, as some versions of HotSpot have them: an interpreter
/// and one compiled method, `demo.Chain.outer` with `demo.Chain.inner` inlined into it. Offsets are such as no real JVM
/// has: what is read must come from the tables.
struct JVMStructures {
    enum Version: Int32, CaseIterable {
        case jdk11 = 11
        case jdk17 = 17
        case jdk25 = 25
    }

    static let start: UInt64 = 0x1_0000
    static let pages = 6

    let version: Version
    var image = MemoryImage(start: start, bytes: [UInt8](repeating: 0, count: pages << 12))
    private var end = start + 0x800
    private var texts: [String: UInt64] = [:]

    // Where things lie; the rest is appended behind `end`.
    static let heap = start + 0x3000
    static let segmentMap = start + 0x3800
    static let code = start + 0x4000
    static let interpreterBlob = code + 0x10
    static let interpreterCode = code + 0x80
    static let compiledBlob = code + 0x210
    static let compiledCode = code + 0x300
    /// mov [rsp − 0x14000], eax; push rbp; sub rsp, 32; …; add rsp, 32; pop rbp; ret
    static let instructions: [UInt8] =
        [0x89, 0x84, 0x24, 0x00, 0xC0, 0xFE, 0xFF, 0x55, 0x48, 0x83, 0xEC, 0x20]
        + [UInt8](repeating: 0x90, count: 0x20) + [0x48, 0x83, 0xC4, 0x20, 0x5D, 0xC3]
    static let compiledEnd = compiledCode + UInt64(instructions.count)
    /// Of the outer and the inner method.
    static let methods = [start + 0x5000, start + 0x5800]

    init(_ version: Version) {
        self.version = version
        library()
        heaps()
        interpreter()
        method(Self.methods[0], name: "outer", line: 30)
        method(Self.methods[1], name: "inner", line: 40)
        compiled()
    }

    mutating func put(_ value: UInt64, at address: UInt64, bytes count: Int = 8) {
        for byte in 0..<count {
            image.bytes[Int(address - Self.start) + byte] = UInt8(truncatingIfNeeded: value >> UInt64(byte * 8))
        }
    }

    mutating func put(_ bytes: [UInt8], at address: UInt64) {
        image.bytes.replaceSubrange(Int(address - Self.start)..<Int(address - Self.start) + bytes.count, with: bytes)
    }

    /// A zero-ended text, once.
    private mutating func text(_ text: String) -> UInt64 {
        if let known = texts[text] { return known }
        let place = end
        put(Array(text.utf8) + [0], at: place)
        end += UInt64(text.utf8.count) + 1
        texts[text] = place
        return place
    }

    private mutating func reserve(_ count: Int) -> UInt64 {
        end = (end + 7) & ~7
        defer { end += UInt64(count) }
        return end
    }

    // MARK: The library

    private var fields: [(field: String, type: String, offset: UInt64)] {
        var fields: [(String, String, UInt64)] = [
            ("CodeHeap::_memory", "VirtualSpace", 0x10), ("CodeHeap::_segmap", "VirtualSpace", 0x50),
            ("CodeHeap::_log2_segment_size", "int", 0x90), ("VirtualSpace::_low", "char*", 8),
            ("VirtualSpace::_high", "char*", 0x18), ("HeapBlock::Header::_length", "size_t", 0),
            ("GrowableArray<int>::_data", "int*", 0x10), ("CodeBlob::_name", "const char*", 8),
            ("CodeBlob::_size", "int", 0x10), ("CodeBlob::_frame_size", "int", 0x18),
            ("CodeBlob::_data_offset", "int", 0x1C), ("nmethod::_compile_id", "int", 0x60),
            ("Method::_constMethod", "ConstMethod*", 8), ("ConstMethod::_constants", "ConstantPool*", 8),
            ("ConstMethod::_name_index", "u2", 0x22), ("ConstMethod::_code_size", "u2", 0x20),
            ("ConstMethod::_constMethod_size", "int", 0x10), ("ConstantPool::_pool_holder", "InstanceKlass*", 0x18),
            ("ConstantPool::_length", "int", 0x30), ("Klass::_name", "Symbol*", 0x18), ("Symbol::_length", "u2", 2),
            ("Symbol::_body[0]", "u1", 6), ("Symbol::_body", "u1", 6),
        ]
        switch version {
        case .jdk11:
            fields += [
                ("GenericGrowableArray::_len", "int", 0), ("HeapBlock::Header::_used", "bool", 8),
                ("CodeBlob::_frame_complete_offset", "int", 0x14), ("CodeBlob::_code_begin", "address", 0x20),
                ("CodeBlob::_code_end", "address", 0x28), ("CompiledMethod::_method", "Method*", 0x30),
                ("CompiledMethod::_scopes_data_begin", "address", 0x38), ("nmethod::_scopes_pcs_offset", "int", 0x64),
                ("nmethod::_dependencies_offset", "int", 0x68), ("nmethod::_metadata_offset", "int", 0x6C),
                ("ConstMethod::_flags", "u2", 0x24), ("InstanceKlass::_source_file_name_index", "u2", 0x28),
            ]
        case .jdk17:
            fields += [
                ("GrowableArrayBase::_len", "int", 0), ("HeapBlock::Header::_used", "bool", 8),
                ("CodeBlob::_frame_complete_offset", "int", 0x14), ("CodeBlob::_code_begin", "address", 0x20),
                ("CodeBlob::_code_end", "address", 0x28), ("CompiledMethod::_method", "Method*", 0x30),
                ("CompiledMethod::_scopes_data_begin", "address", 0x38), ("nmethod::_scopes_pcs_offset", "int", 0x64),
                ("nmethod::_dependencies_offset", "int", 0x68), ("nmethod::_metadata_offset", "int", 0x6C),
                ("ConstMethod::_flags", "u2", 0x24), ("ConstantPool::_source_file_name_index", "u2", 0x28),
            ]
        case .jdk25:
            fields += [
                ("GrowableArrayBase::_len", "int", 0), ("HeapBlock::Header::_used", "u1", 8),
                ("CodeBlob::_frame_complete_offset", "int16_t", 0x14), ("CodeBlob::_code_offset", "int", 0x20),
                ("CodeBlob::_mutable_data", "address", 0x28), ("CodeBlob::_relocation_size", "int", 0x24),
                ("nmethod::_method", "Method*", 0x30), ("nmethod::_immutable_data", "address", 0x38),
                ("nmethod::_scopes_pcs_offset", "int", 0x64), ("nmethod::_scopes_data_offset", "int", 0x68),
                ("ConstMethod::_flags._flags", "u4", 0x24), ("ConstantPool::_source_file_name_index", "u2", 0x28),
            ]
        }
        return fields.map { (field: $0.0, type: $0.1, offset: $0.2) }
    }

    private mutating func library() {
        // ELF header, a loaded segment and the dynamic section (System V ABI, chapters 4 and 5).
        put([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1], at: Self.start)
        put(64, at: Self.start + 32)
        put(56, at: Self.start + 54, bytes: 2)
        put(2, at: Self.start + 56, bytes: 2)
        let dynamic = Self.start + 0x100
        put(1, at: Self.start + 64, bytes: 4)
        put(UInt64(Self.pages << 12), at: Self.start + 64 + 40)
        put(2, at: Self.start + 120, bytes: 4)
        put(dynamic - Self.start, at: Self.start + 120 + 16)
        put(96, at: Self.start + 120 + 40)
        // Symbols of 24 bytes, the first being none; all in one bucket.
        let symbols = Self.start + 0x180
        let hash = Self.start + 0x380
        let strings = Self.start + 0x400
        var names: [UInt8] = [0]
        var count: UInt64 = 1
        func symbol(_ name: String, _ address: UInt64, _ own: inout JVMStructures) {
            let entry = symbols + count * 24
            own.put(UInt64(names.count), at: entry, bytes: 4)
            own.put(1, at: entry + 6, bytes: 2)
            own.put(address - Self.start, at: entry + 8)
            names += Array(name.utf8) + [0]
            own.put(count == 1 ? 0 : count - 1, at: hash + 12 + count * 4, bytes: 4)
            own.put(count, at: hash + 8, bytes: 4)
            count += 1
        }
        func table(_ name: String, _ columns: [(String, UInt64)], stride: UInt64, _ own: inout JVMStructures) -> UInt64
        {
            let values = own.reserve(8 * (columns.count + 2))
            symbol("gHotSpotVM\(name)s", values, &own)
            symbol("gHotSpotVM\(name)EntryArrayStride", values + 8, &own)
            own.put(stride, at: values + 8)
            for (index, column) in columns.enumerated() {
                let place = values + 16 + UInt64(index) * 8
                symbol("gHotSpotVM\(name)Entry\(column.0)Offset", place, &own)
                own.put(column.1, at: place)
            }
            return values
        }
        let structs = table(
            "Struct",
            [
                ("TypeName", 0), ("FieldName", 8), ("TypeString", 16), ("IsStatic", 24), ("Offset", 32),
                ("Address", 40),
            ], stride: 48, &self)
        let types = table("Type", [("TypeName", 0), ("Size", 8)], stride: 16, &self)
        let constants = table("IntConstant", [("Name", 0), ("Value", 8)], stride: 16, &self)
        put(1, at: hash, bytes: 4)
        put(count, at: hash + 4, bytes: 4)
        put(names, at: strings)
        for (index, entry) in [
            (4, hash), (5, strings), (6, symbols), (10, UInt64(names.count)), (0, 0),
        ].enumerated() {
            put(UInt64(entry.0), at: dynamic + UInt64(index) * 16)
            put(entry.1, at: dynamic + UInt64(index) * 16 + 8)
        }
        let statics = reserve(16)
        put(UInt64(version.rawValue), at: statics, bytes: 4)
        put(Self.heap, at: statics + 8)
        let all =
            fields.map { ($0.field, $0.type, UInt64(0), $0.offset, UInt64(0)) } + [
                ("Abstract_VM_Version::_vm_major_version", "int", 1, 0, statics),
                ("CodeCache::_heaps", "GrowableArray<CodeHeap*>*", 1, 0, statics + 8),
            ]
        let entries = reserve(48 * (all.count + 1))
        put(entries, at: structs)
        for (index, entry) in all.enumerated() {
            let parts = entry.0.components(separatedByLast: "::")
            let place = entries + UInt64(index) * 48
            put(text(parts.0), at: place)
            put(text(parts.1), at: place + 8)
            put(text(entry.1), at: place + 16)
            put(entry.2, at: place + 24, bytes: 4)
            put(entry.3, at: place + 32)
            put(entry.4, at: place + 40)
        }
        func list(_ items: [(String, UInt64)], at head: UInt64, _ own: inout JVMStructures) {
            let entries = own.reserve(16 * (items.count + 1))
            own.put(entries, at: head)
            for (index, item) in items.enumerated() {
                own.put(own.text(item.0), at: entries + UInt64(index) * 16)
                own.put(item.1, at: entries + UInt64(index) * 16 + 8)
            }
        }
        list([("HeapBlock", 16), ("ConstMethod", 0x28), ("ConstantPool", 0x40)], at: types, &self)
        list(
            [
                ("ConstMethod::_has_linenumber_table", 1), ("ConstMethodFlags::_misc_has_linenumber_table", 1),
                ("frame::interpreter_frame_sender_sp_offset", UInt64(UInt32(bitPattern: -1))),
            ], at: constants, &self)
    }

    // MARK: The code cache

    /// An array of one heap of 128-byte segments, with two blocks.
    private mutating func heaps() {
        put(1, at: Self.heap, bytes: 4)
        put(Self.heap + 0x20, at: Self.heap + 0x10)
        let codeHeap = Self.heap + 0x40
        put(codeHeap, at: Self.heap + 0x20)
        put(Self.code, at: codeHeap + 0x10 + 8)
        put(Self.code + 0x800, at: codeHeap + 0x10 + 0x18)
        put(Self.segmentMap, at: codeHeap + 0x50 + 8)
        put(Self.segmentMap + 16, at: codeHeap + 0x50 + 0x18)
        put(7, at: codeHeap + 0x90, bytes: 4)
        put([0, 1, 2, 3, 0, 1, 2, 3] + [UInt8](repeating: 0xFF, count: 8), at: Self.segmentMap)
        for block in [Self.code, Self.code + 0x200] {
            put(4, at: block)
            put(1, at: block + 8, bytes: 1)
        }
    }

    private mutating func blob(
        _ address: UInt64, name: String, code: UInt64, end: UInt64, frameWords: UInt64, complete: UInt64
    ) {
        put(text(name), at: address + 8)
        put(0x1F0, at: address + 0x10, bytes: 4)
        put(complete, at: address + 0x14, bytes: version == .jdk25 ? 2 : 4)
        put(frameWords, at: address + 0x18, bytes: 4)
        put(end - address, at: address + 0x1C, bytes: 4)
        if version == .jdk25 {
            put(code - address, at: address + 0x20, bytes: 4)
        } else {
            put(code, at: address + 0x20)
            put(end, at: address + 0x28)
        }
    }

    private mutating func interpreter() {
        blob(
            Self.interpreterBlob, name: "Interpreter", code: Self.interpreterCode, end: Self.interpreterCode + 0x80,
            frameWords: 0, complete: 0)
    }

    private mutating func compiled() {
        blob(
            Self.compiledBlob, name: "nmethod", code: Self.compiledCode, end: Self.compiledEnd, frameWords: 6,
            complete: 12)
        put(Self.methods[0], at: Self.compiledBlob + 0x30)
        put(77, at: Self.compiledBlob + 0x60, bytes: 4)
        put(Self.instructions, at: Self.compiledCode)
        // Descriptions of places (PcDesc), the scopes they name, and the methods that those name.
        let pcs = Self.compiledBlob + 0x140
        let data = Self.compiledBlob + 0x190
        let metadata = Self.compiledBlob + 0x1B0
        let excluded: UInt8 = version == .jdk25 ? 1 : 0
        // (sender, method, bytecode + 1): the outer one at 1, the inner one at 4.
        put([0xFF, 0 + excluded, 1 + excluded, 5 + excluded, 1 + excluded, 2 + excluded, 3 + excluded], at: data)
        for (index, entry) in [(-1, 0), (20, 4), (44, 1), (1 << 20, 0)].enumerated() {
            put(UInt64(UInt32(bitPattern: Int32(entry.0))), at: pcs + UInt64(index) * 16, bytes: 4)
            put(UInt64(entry.1), at: pcs + UInt64(index) * 16 + 4, bytes: 4)
        }
        put(Self.methods[0], at: metadata)
        put(Self.methods[1], at: metadata + 8)
        switch version {
        case .jdk11, .jdk17:
            put(data, at: Self.compiledBlob + 0x38)
            put(pcs - Self.compiledBlob, at: Self.compiledBlob + 0x64, bytes: 4)
            put(pcs + 64 - Self.compiledBlob, at: Self.compiledBlob + 0x68, bytes: 4)
            put(metadata - Self.compiledBlob, at: Self.compiledBlob + 0x6C, bytes: 4)
        case .jdk25:
            // Data begin where the descriptions end, so the two lie together elsewhere.
            let memory = Self.start + 0x3A00
            for offset in 0..<UInt64(64) {
                put([image.bytes[Int(pcs + offset - Self.start)]], at: memory + offset)
            }
            put([0xFF, 1, 2, 6, 2, 3, 4], at: memory + 64)
            put(memory, at: Self.compiledBlob + 0x38)
            put(0, at: Self.compiledBlob + 0x64, bytes: 4)
            put(64, at: Self.compiledBlob + 0x68, bytes: 4)
            put(metadata - 16, at: Self.compiledBlob + 0x28)
            put(13, at: Self.compiledBlob + 0x24, bytes: 4)
        }
    }

    /// A Method and, behind it, ConstMethod, ConstantPool, InstanceKlass and symbols.
    private mutating func method(_ address: UInt64, name: String, line: UInt8) {
        let const = address + 0x80
        let pool = address + 0x100
        let klass = address + 0x200
        put(const, at: address + 8)
        put(pool, at: const + 8)
        put(16, at: const + 0x10, bytes: 4)
        put(16, at: const + 0x20, bytes: 2)
        put(1, at: const + 0x22, bytes: 2)
        put(1, at: const + 0x24, bytes: 2)
        // Sixteen bytecodes; from the first on `line` (a long entry: 0xFF and two signed numbers), from 4 on the next.
        let excluded: UInt8 = version == .jdk25 ? 1 : 0
        put([0xFF, 0 + excluded, line * 2 + excluded, 4 << 3 | 1, 0], at: const + 0x28 + 16)
        put(klass, at: pool + 0x18)
        put(4, at: pool + 0x30, bytes: 4)
        put(2, at: version == .jdk11 ? klass + 0x28 : pool + 0x28, bytes: 2)
        for (index, word) in [name, "Chain.java", "demo/Chain"].enumerated() {
            let symbol = address + 0x300 + UInt64(index) * 0x40
            put(UInt64(word.utf8.count), at: symbol + 2, bytes: 2)
            put(Array(word.utf8), at: symbol + 6)
            if index < 2 { put(symbol, at: pool + 0x40 + UInt64(index + 1) * 8) } else { put(symbol, at: klass + 0x18) }
        }
    }
}

extension String {
    fileprivate func components(separatedByLast separator: String) -> (String, String) {
        // The separator of type and field; types have it, too (HeapBlock::Header).
        var parts: (String, String) = (self, "")
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(separator) {
                parts = (String(self[..<index]), String(self[self.index(index, offsetBy: separator.count)...]))
            }
            index = self.index(after: index)
        }
        return parts
    }
}
