/// Why V8 can't be read from outside.
public enum V8Error: Error, Hashable, Sendable, CustomStringConvertible {
    case notV8
    case unreadable(what: String)
    case unknownVersion(missing: String)
    case compressedPointers

    public var description: String {
        switch self {
        case .notV8: "the process does not export V8's description of itself (v8dbg_ symbols)"
        case .unreadable(let what): "\(what) can't be read: the process has ended, or the right to trace it is missing"
        case .unknownVersion(let missing): "this version of V8 is not known: it does not tell \(missing)"
        case .compressedPointers: "this V8 keeps compressed pointers, which are not followed"
        }
    }
}

/// What V8 says of its own structures: the constants that it exports for post-mortem debuggers (`v8dbg_…`, written by
/// tools/gen-postmortem-metadata.py). Offsets count from an object's start; pointers carry a tag.
package struct V8Layout: Sendable {
    /// In a frame, from where its frame pointer points.
    var functionSlot: Int
    var contextSlot: Int
    var frameKinds: V8FrameKinds
    var objectTag: UInt64
    var smiShift: UInt64
    var mapInstanceType: UInt64
    var firstNonString: UInt16
    var representationMask: UInt16
    var encodingMask: UInt16
    var oneByteTag: UInt16
    var consTag: UInt16
    var slicedTag: UInt16
    var thinTag: UInt16
    var externalTag: UInt16
    var functionShared: UInt64
    var sharedName: UInt64
    var sharedScript: UInt64
    /// nil from V8 12 on, where it is no ordinary pointer.
    var sharedData: UInt64?
    var scriptName: UInt64
    var scriptSource: UInt64
    var scriptLineEnds: UInt64
    var stringLength: UInt64
    var stringChars: UInt64
    var consFirst: UInt64
    var consSecond: UInt64
    var slicedParent: UInt64
    var slicedOffset: UInt64
    var thinActual: UInt64
    var externalResource: UInt64
    var fixedArrayLength: UInt64
    var fixedArrayData: UInt64
    var sharedType: UInt16
    var scriptType: UInt16
    var scopeInfoType: UInt16
    var fixedArrayType: UInt16
    var scopeLocalCount: Int64
    var scopeFirst: Int64
    /// Kinds of unoptimised data of a function not compiled yet, with its start.
    var uncompiledTypes: [UInt16]
    var uncompiledStart: UInt64

    init<Memory: ForeignMemory>(_ image: LoadedImage, _ reader: inout ForeignReader<Memory>) throws(V8Error) {
        try self.init { name in
            image.address(of: "v8dbg_" + name, &reader).flatMap { reader.int32($0) }.map { Int64($0) }
        }
    }

    /// - Parameter optional: A constant's value by its name, without `v8dbg_`.
    package init(_ optional: (String) -> Int64?) throws(V8Error) {
        func value(_ name: String, or other: String? = nil) throws(V8Error) -> Int64 {
            if let value = optional(name) ?? other.flatMap({ optional($0) }) { return value }
            throw .unknownVersion(missing: name)
        }
        func offset(_ name: String, or others: String...) throws(V8Error) -> UInt64 {
            // From V8 12 on types are written as Tagged<Type>.
            var value = optional(name)
            for other in others where value == nil { value = optional(other) }
            guard let value else { throw .unknownVersion(missing: name) }
            guard value >= 0, value < 4096 else { throw .unknownVersion(missing: name) }
            return UInt64(value)
        }
        func type(_ name: String) throws(V8Error) -> UInt16 { UInt16(truncatingIfNeeded: try value(name)) }
        // The first one tells whether this is V8 at all.
        guard optional("SmiTagMask") != nil else { throw .notV8 }
        func slot(_ name: String, or other: String? = nil) throws(V8Error) -> Int {
            let value = try value(name, or: other ?? name)
            guard value < 0, value >= -256, value % 8 == 0 else { throw .unknownVersion(missing: name) }
            return Int(value)
        }
        functionSlot = try slot("off_fp_function")
        contextSlot = try slot("off_fp_context_or_frame_type", or: "off_fp_context")
        frameKinds = V8FrameKinds { optional("frametype_" + $0) }
        objectTag = try offset("HeapObjectTag")
        smiShift = try offset("SmiShiftSize") + 1
        // Compressed pointers have small numbers of 31 bits.
        guard smiShift == 32 else { throw .compressedPointers }
        mapInstanceType = try offset("class_Map__instance_type__uint16_t")
        firstNonString = try type("FirstNonstringType")
        representationMask = try type("StringRepresentationMask")
        encodingMask = try type("StringEncodingMask")
        oneByteTag = try type("OneByteStringTag")
        consTag = try type("ConsStringTag")
        slicedTag = try type("SlicedStringTag")
        thinTag = try type("ThinStringTag")
        externalTag = try type("ExternalStringTag")
        functionShared = try offset("class_JSFunction__shared__SharedFunctionInfo")
        sharedName = try offset(
            "class_SharedFunctionInfo__name_or_scope_info__Object",
            or: "class_SharedFunctionInfo__name_or_scope_info__Tagged_NameOrScopeInfoT_",
            "class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_")
        sharedScript = try offset(
            "class_SharedFunctionInfo__script_or_debug_info__HeapObject",
            or: "class_SharedFunctionInfo__script__Object",
            "class_SharedFunctionInfo__script__Tagged_HeapObject_")
        sharedData = try? offset("class_SharedFunctionInfo__function_data__Object")
        guard max(sharedName, sharedScript, sharedData ?? 0) < 256 else {
            throw .unknownVersion(missing: "class_SharedFunctionInfo")
        }
        scriptName = try offset("class_Script__name__Object")
        scriptSource = try offset("class_Script__source__Object")
        scriptLineEnds = try offset("class_Script__line_ends__Object")
        stringLength = try offset("class_String__length__int32_t")
        stringChars = try offset("class_SeqOneByteString__chars__char")
        consFirst = try offset("class_ConsString__first__String")
        consSecond = try offset("class_ConsString__second__String")
        slicedParent = try offset("class_SlicedString__parent__String")
        slicedOffset = try offset("class_SlicedString__offset__SMI")
        thinActual = try offset("class_ThinString__actual__String")
        externalResource = try offset("class_ExternalString__resource__Object")
        fixedArrayLength = try offset("class_FixedArrayBase__length__SMI")
        fixedArrayData = try offset("class_FixedArray__data__uintptr_t")
        sharedType = try type("type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE")
        scriptType = try type("type_Script__SCRIPT_TYPE")
        scopeInfoType = try type("type_ScopeInfo__SCOPE_INFO_TYPE")
        fixedArrayType = try type("type_FixedArray__FIXED_ARRAY_TYPE")
        scopeLocalCount = Int64(try offset("scopeinfo_idx_ncontextlocals"))
        scopeFirst = Int64(try offset("scopeinfo_idx_first_vars"))
        uncompiledTypes = [
            "UncompiledDataWithPreparseData__UNCOMPILED_DATA_WITH_PREPARSE_DATA_TYPE",
            "UncompiledDataWithoutPreparseData__UNCOMPILED_DATA_WITHOUT_PREPARSE_DATA_TYPE",
        ].compactMap { optional("type_" + $0).map { UInt16(truncatingIfNeeded: $0) } }
        uncompiledStart = (try? offset("class_UncompiledData__start_position__int32_t")) ?? 16
    }
}
