/// Where this HotSpot keeps what is read of it; the differences between its versions end here.
///
/// JDK 11 to 22 keep an nmethod's tables behind its code, JDK 23 and later in separate memory.
struct JVMLayout: Sendable {
    typealias Field = JVMStructs.Field

    var majorVersion: Int32
    // CodeCache::_heaps is a GrowableArray of CodeHeap.
    var heaps: UInt64
    var arrayLength: UInt64
    var arrayData: UInt64
    // CodeHeap
    var heapMemory: UInt64
    var heapSegmentMap: UInt64
    var heapSegmentShift: UInt64
    var spaceLow: UInt64
    var spaceHigh: UInt64
    // HeapBlock
    var blockLength: Field
    var blockUsed: Field
    var blockBytes: UInt64
    // CodeBlob
    var blobName: UInt64
    var blobSize: Field
    var blobFrameComplete: Field
    var blobFrameSize: Field
    var blobCodeBegin: Field?
    var blobCodeEnd: Field?
    var blobCodeOffset: Field?
    var blobDataOffset: Field
    // nmethod
    var compiledMethod: UInt64
    var compileID: UInt64
    var scopes: Scopes?
    // Method, ConstMethod, ConstantPool, InstanceKlass, Symbol
    var methodConstMethod: UInt64
    var constMethodPool: UInt64
    var constMethodNameIndex: UInt64
    var constMethodSize: UInt64
    var constMethodBytes: Field?
    var constMethodCodeSize: UInt64
    var constMethodFlags: Field
    var lineNumberFlag: UInt64
    var poolHolder: UInt64
    var poolLength: UInt64
    var poolSize: UInt64
    var sourceFileIndex: (isInPool: Bool, offset: UInt64)?
    var klassName: UInt64
    var symbolLength: UInt64
    var symbolBody: UInt64
    /// In words from the frame pointer; the method follows two slots later (frame_x86.hpp, frame_aarch64.hpp).
    var senderStackPointerSlot: Int64

    /// Where an nmethod's debugging tables lie.
    enum Scopes: Sendable {
        /// Offsets from the nmethod; the data's address is a field.
        case behind(pcs: UInt64, pcsEnd: UInt64, data: UInt64, metadata: UInt64)
        /// Offsets from memory that a field points to, and metadata behind the relocations in other memory.
        case apart(memory: UInt64, pcs: UInt64, data: UInt64, mutable: UInt64, relocationSize: UInt64)
    }

    /// Since JDK 19 variable-length numbers leave out the byte 0.
    var excludedByte: UInt32 { majorVersion >= 19 ? 1 : 0 }

    init<Memory: ForeignMemory>(_ s: JVMStructs, _ reader: inout ForeignReader<Memory>) throws(JVMError) {
        guard let version = reader.int32(try s.address("Abstract_VM_Version::_vm_major_version")) else {
            throw .unreadable(what: "the version")
        }
        majorVersion = version
        heaps = try s.address("CodeCache::_heaps")
        arrayLength = try s.offset("GrowableArrayBase::_len", or: "GenericGrowableArray::_len")
        arrayData = try s.offset("GrowableArray<int>::_data")
        heapMemory = try s.offset("CodeHeap::_memory")
        heapSegmentMap = try s.offset("CodeHeap::_segmap")
        heapSegmentShift = try s.offset("CodeHeap::_log2_segment_size")
        spaceLow = try s.offset("VirtualSpace::_low")
        spaceHigh = try s.offset("VirtualSpace::_high")
        blockLength = try s.field("HeapBlock::Header::_length", width: 8)
        blockUsed = try s.field("HeapBlock::Header::_used", width: 1)
        blockBytes = try s.size("HeapBlock")
        blobName = try s.offset("CodeBlob::_name")
        blobSize = try s.field("CodeBlob::_size", width: 4)
        blobFrameComplete = try s.field("CodeBlob::_frame_complete_offset", width: 4)
        blobFrameSize = try s.field("CodeBlob::_frame_size", width: 4)
        blobCodeBegin = s.optionalField("CodeBlob::_code_begin", width: 8)
        blobCodeEnd = s.optionalField("CodeBlob::_code_end", width: 8)
        blobCodeOffset = s.optionalField("CodeBlob::_code_offset", width: 4)
        blobDataOffset = try s.field("CodeBlob::_data_offset", width: 4)
        if blobCodeBegin == nil || blobCodeEnd == nil, blobCodeOffset == nil {
            throw .unknownVersion(missing: "where a code blob's code begins")
        }
        compiledMethod = try s.offset("nmethod::_method", or: "CompiledMethod::_method")
        compileID = try s.offset("nmethod::_compile_id")
        if let pcs = s.offsets["nmethod::_scopes_pcs_offset"] {
            if let memory = s.offsets["nmethod::_immutable_data"],
                let data = s.offsets["nmethod::_scopes_data_offset"],
                let mutable = s.offsets["CodeBlob::_mutable_data"],
                let relocations = s.offsets["CodeBlob::_relocation_size"]
            {
                scopes = .apart(memory: memory, pcs: pcs, data: data, mutable: mutable, relocationSize: relocations)
            } else if let data = s.offsets["CompiledMethod::_scopes_data_begin"],
                let pcsEnd = s.offsets["nmethod::_dependencies_offset"],
                let metadata = s.offsets["nmethod::_metadata_offset"]
            {
                scopes = .behind(pcs: pcs, pcsEnd: pcsEnd, data: data, metadata: metadata)
            }
        }
        methodConstMethod = try s.offset("Method::_constMethod")
        constMethodPool = try s.offset("ConstMethod::_constants")
        constMethodNameIndex = try s.offset("ConstMethod::_name_index")
        constMethodSize = try s.size("ConstMethod")
        constMethodBytes = s.optionalField("ConstMethod::_constMethod_size", width: 4)
        constMethodCodeSize = try s.offset("ConstMethod::_code_size")
        if let flags = s.optionalField("ConstMethod::_flags._flags", width: 4) {
            constMethodFlags = flags
            lineNumberFlag = UInt64(
                UInt32(bitPattern: s.constants["ConstMethodFlags::_misc_has_linenumber_table"] ?? 1))
        } else {
            constMethodFlags = try s.field("ConstMethod::_flags", width: 2)
            lineNumberFlag = UInt64(UInt32(bitPattern: s.constants["ConstMethod::_has_linenumber_table"] ?? 1))
        }
        poolHolder = try s.offset("ConstantPool::_pool_holder")
        poolLength = try s.offset("ConstantPool::_length")
        poolSize = try s.size("ConstantPool")
        sourceFileIndex =
            s.offsets["ConstantPool::_source_file_name_index"].map { (true, $0) }
            ?? s.offsets["InstanceKlass::_source_file_name_index"].map { (false, $0) }
        klassName = try s.offset("Klass::_name")
        symbolLength = try s.offset("Symbol::_length")
        symbolBody = try s.offset("Symbol::_body")
        senderStackPointerSlot = Int64(s.constants["frame::interpreter_frame_sender_sp_offset"] ?? -1)
    }
}
