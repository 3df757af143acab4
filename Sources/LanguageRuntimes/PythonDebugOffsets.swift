/// The table of offsets at the start of `_PyRuntime` that CPython 3.13 and later carry for tools like this one
/// (Include/internal/pycore_debug_offsets.h, `_Py_DebugOffsets`).
package struct PythonDebugOffsets: Hashable, Sendable {
    package static let cookie = Array("xdebugpy".utf8)
    /// Bytes that hold the longest table known here.
    package static let byteCount = 768

    package var version: PythonVersion
    package var isFreeThreaded: Bool
    /// Those that `PythonLayout` wants, in its order: runtime.interpreters_head; interpreter next, threads_head; thread
    /// next, interp, current_frame, thread_id, native_thread_id; frame previous, executable, instr_ptr, owner; code
    /// filename, name, qualname, linetable, firstlineno, co_code_adaptive; object ob_type; type tp_name; bytes ob_size,
    /// ob_sval; unicode state, length, asciiobject_size.
    package var offsets: [UInt64]

    /// Places of those values in the table, counted in words of eight bytes from its start.
    private static let wordsOf313 = [
        5, 8, 9, 21, 22, 23, 24, 25, 29, 30, 31, 33, 35, 36, 37, 38, 39, 43, 45, 47, 65, 66, 68, 69, 70,
    ]
    /// 3.14 put threads_main, two generations, stackpointer, tlbc_index, co_tlbc and the sets in between.
    private static let wordsOf314 = [
        5, 8, 9, 24, 25, 26, 27, 28, 32, 33, 34, 36, 40, 41, 42, 43, 44, 48, 51, 53, 75, 76, 78, 79, 80,
    ]

    /// nil where the bytes don't begin with such a table, or with one of a version not known here.
    package init?(_ bytes: [UInt8]) {
        guard bytes.starts(with: Self.cookie), bytes.count >= 24 else { return nil }
        func word(_ index: Int) -> UInt64? {
            index * 8 <= bytes.count - 8 ? bytes.littleEndianWord(index * 8) : nil
        }
        guard let hexadecimal = word(1), let freeThreaded = word(2) else { return nil }
        version = PythonVersion(hexadecimal: hexadecimal)
        isFreeThreaded = freeThreaded != 0
        guard version.major == 3, version.minor == 13 || version.minor == 14 else { return nil }
        offsets = []
        for index in version.minor == 13 ? Self.wordsOf313 : Self.wordsOf314 {
            guard let value = word(index) else { return nil }
            offsets.append(value)
        }
    }
}
