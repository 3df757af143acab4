/// What HotSpot says of its own structures: offsets of fields, sizes of types, constants (vmStructs.hpp, the tables that
/// libjvm.so exports for the serviceability agent). Only what is used here is kept.
struct JVMStructs: Sendable {
    /// Offset of a field by `Type::field`.
    private(set) var offsets: [String: UInt64] = [:]
    /// Bytes of a field where its type tells them.
    private(set) var widths: [String: Int] = [:]
    /// Address of a static field.
    private(set) var statics: [String: UInt64] = [:]
    private(set) var sizes: [String: UInt64] = [:]
    private(set) var constants: [String: Int32] = [:]

    private static let types: Set<String> = [
        "CodeCache", "CodeHeap", "VirtualSpace", "HeapBlock", "HeapBlock::Header", "CodeBlob", "CompiledMethod",
        "nmethod", "Method", "ConstMethod", "ConstantPool", "Symbol", "Klass", "InstanceKlass", "GrowableArrayBase",
        "GenericGrowableArray", "GrowableArray<int>", "PcDesc", "Abstract_VM_Version",
    ]
    private static let constantNames: Set<String> = [
        "ConstMethod::_has_linenumber_table", "ConstMethodFlags::_misc_has_linenumber_table",
        "frame::interpreter_frame_sender_sp_offset",
    ]
    /// Real tables have some 3,000 entries.
    private static var mostEntries: Int { 16_384 }

    init<Memory: ForeignMemory>(
        _ image: LoadedImage, _ reader: inout ForeignReader<Memory>
    ) throws(JVMError) {
        func value(_ name: String) throws(JVMError) -> UInt64 {
            guard let address = image.address(of: name, &reader) else { throw .noDescription }
            guard let value = reader.uint64(address) else { throw .unreadable(what: name) }
            return value
        }
        func table(_ name: String, _ fields: [String], _ take: ([UInt64], inout ForeignReader<Memory>) -> Bool)
            throws(JVMError)
        {
            var entry = try value("gHotSpotVM\(name)s")
            let stride = try value("gHotSpotVM\(name)EntryArrayStride")
            guard stride > 0, stride <= 4096 else { throw .inconsistent(what: "the table of \(name)") }
            var offsets: [UInt64] = []
            for field in fields { offsets.append(try value("gHotSpotVM\(name)Entry\(field)Offset")) }
            for _ in 0..<Self.mostEntries {
                let places = offsets.map { entry &+ $0 }
                if !take(places, &reader) { return }
                entry &+= stride
            }
        }
        var structs = JVMStructs()
        try table("Struct", ["TypeName", "FieldName", "TypeString", "IsStatic", "Offset", "Address"]) {
            places, reader in
            guard let typeName = reader.uint64(places[0]), typeName != 0, let type = reader.string(typeName) else {
                return false
            }
            guard Self.types.contains(type), let fieldName = reader.uint64(places[1]),
                let field = reader.string(fieldName), let isStatic = reader.uint32(places[3])
            else { return true }
            let key = "\(type)::\(field)"
            if isStatic != 0 {
                structs.statics[key] = reader.uint64(places[5])
            } else {
                structs.offsets[key] = reader.uint64(places[4])
                if let text = reader.uint64(places[2]).flatMap({ reader.string($0) }) {
                    structs.widths[key] = Self.width(of: text)
                }
            }
            return true
        }
        try table("Type", ["TypeName", "Size"]) { places, reader in
            guard let name = reader.uint64(places[0]), name != 0, let type = reader.string(name) else { return false }
            if Self.types.contains(type) { structs.sizes[type] = reader.uint64(places[1]) }
            return true
        }
        try table("IntConstant", ["Name", "Value"]) { places, reader in
            guard let name = reader.uint64(places[0]), name != 0, let constant = reader.string(name) else {
                return false
            }
            if Self.constantNames.contains(constant) { structs.constants[constant] = reader.int32(places[1]) }
            return true
        }
        self = structs
    }

    private init() {}

    private static func width(of type: String) -> Int? {
        switch type {
        case "u1", "bool", "unsigned char", "jbyte": 1
        case "u2", "int16_t", "unsigned short", "jushort", "short": 2
        case "int", "u4", "uint32_t", "jint", "unsigned int", "uint": 4
        case "size_t", "address", "uint64_t": 8
        default: type.hasSuffix("*") ? 8 : nil
        }
    }

    func offset(_ field: String) throws(JVMError) -> UInt64 {
        guard let offset = offsets[field], offset < 1 << 16 else { throw .unknownVersion(missing: field) }
        return offset
    }

    func offset(_ field: String, or other: String) throws(JVMError) -> UInt64 {
        try offset(offsets[field] == nil ? other : field)
    }

    func size(_ type: String) throws(JVMError) -> UInt64 {
        guard let size = sizes[type], size < 1 << 16 else { throw .unknownVersion(missing: "the size of \(type)") }
        return size
    }

    func address(_ field: String) throws(JVMError) -> UInt64 {
        guard let address = statics[field], address != 0 else { throw .unknownVersion(missing: field) }
        return address
    }

    /// A field of a structure and how many bytes it has.
    struct Field: Hashable, Sendable {
        var offset: UInt64
        var width: Int
    }

    func field(_ name: String, width: Int) throws(JVMError) -> Field {
        Field(offset: try offset(name), width: widths[name] ?? width)
    }

    func optionalField(_ name: String, width: Int) -> Field? { try? field(name, width: width) }
}

extension ForeignReader {
    mutating func number(_ address: UInt64, _ field: JVMStructs.Field) -> UInt64? {
        number(address &+ field.offset, bytes: field.width)
    }

    /// With the sign of its width.
    mutating func signed(_ address: UInt64, _ field: JVMStructs.Field) -> Int64? {
        guard let value = number(address, field) else { return nil }
        let unused = UInt64(64 - 8 * field.width)
        return Int64(bitPattern: value << unused) >> Int64(unused)
    }
}
