internal import CDemangle
internal import Glibc
import SymbolTables

/// Mangled names of C++, Rust, D and Swift into what the programmer wrote, in the full form.
///
/// libiberty and the Swift runtime do the work and are given what any file may hold, so this runs in the helper process
/// alone: there, names that would take forever or all memory cost a process without rights, not the agent.
public struct Demangler {
    /// Longer mangled names stay as they are: the time to demangle may grow exponentially with the length.
    public static let maximumMangledBytes = 8192
    /// Longer results are cut and end in `cutMark`.
    public static let maximumNameBytes = 1024
    public static let cutMark = "…"

    private var buffer = Output(limit: Demangler.maximumNameBytes)
    private var mangled: [CChar] = []

    public init() {}

    /// UTF-8 of at most `maximumNameBytes`. Symbol versions (`@@GLIBC_2.17`) and the hashes of Rust's older names are
    /// left out; a name that no demangler knows is returned as it is. Control characters stay: outputs escape them.
    public mutating func demangle(_ name: ArraySlice<UInt8>) -> [UInt8] {
        let plain = withoutVersion(name)
        guard plain.count <= Self.maximumMangledBytes, let scheme = Scheme(plain) else {
            return bounded(withMarkedClones(plain)[...])
        }
        mangled.removeAll(keepingCapacity: true)
        for byte in plain { mangled.append(CChar(bitPattern: byte)) }
        mangled.append(0)
        buffer.bytes.removeAll(keepingCapacity: true)
        guard demangle(scheme), !buffer.bytes.isEmpty else { return bounded(plain) }
        return bounded(buffer.bytes[...])
    }

    private enum Scheme {
        case itanium, rust, d, swift

        init?(_ name: ArraySlice<UInt8>) {
            let start = name.startIndex
            guard name.count >= 3 else { return nil }
            switch (name[start], name[start + 1], name[start + 2]) {
            case (UInt8(ascii: "_"), UInt8(ascii: "Z"), _): self = .itanium
            case (UInt8(ascii: "_"), UInt8(ascii: "_"), UInt8(ascii: "Z")): self = .itanium
            case (UInt8(ascii: "_"), UInt8(ascii: "R"), _): self = .rust
            case (UInt8(ascii: "_"), UInt8(ascii: "D"), _): self = .d
            // Swift 5 ($s), embedded Swift ($e), Swift 4.2 ($S) with and without underscore, older ones _T0.
            case (UInt8(ascii: "$"), UInt8(ascii: "s"), _), (UInt8(ascii: "$"), UInt8(ascii: "S"), _),
                (UInt8(ascii: "$"), UInt8(ascii: "e"), _), (UInt8(ascii: "_"), UInt8(ascii: "$"), _),
                (UInt8(ascii: "_"), UInt8(ascii: "T"), UInt8(ascii: "0")):
                self = .swift
            default: return nil
            }
        }
    }

    private mutating func demangle(_ scheme: Scheme) -> Bool {
        // Parameters (1) and qualifiers (2), the full form; recursion stays limited (no DMGL_NO_RECURSE_LIMIT).
        let options: CInt = DMGL_PARAMS | DMGL_ANSI
        switch scheme {
        case .itanium:
            // Rust's older names are well-formed C++ too, so Rust is asked first.
            if rust(options) { return true }
            buffer.bytes.removeAll(keepingCapacity: true)
            return unsafe withOutput { unsafe cplus_demangle_v3_callback($0, options, $1, $2) } != 0
        case .rust:
            return rust(options)
        case .d:
            return unsafe copying(mangled.withUnsafeBufferPointer { unsafe dlang_demangle($0.baseAddress, options) })
        case .swift:
            return unsafe copying(
                mangled.withUnsafeBufferPointer { unsafe swift_demangle($0.baseAddress, $0.count - 1, nil, nil, 0) })
        }
    }

    private mutating func rust(_ options: CInt) -> Bool {
        unsafe withOutput { unsafe rust_demangle_callback($0, options, $1, $2) } != 0
    }

    private mutating func withOutput(
        _ body: (UnsafePointer<CChar>?, demangle_callbackref, UnsafeMutableRawPointer) -> CInt
    ) -> CInt {
        unsafe mangled.withUnsafeBufferPointer { name in
            unsafe withUnsafeMutablePointer(to: &buffer) { output in
                unsafe body(
                    name.baseAddress,
                    { text, count, opaque in
                        guard let text = unsafe text, let opaque = unsafe opaque else { return }
                        let output = unsafe opaque.assumingMemoryBound(to: Output.self)
                        unsafe output.pointee.append(UnsafeRawBufferPointer(start: text, count: count))
                    }, output)
            }
        }
    }

    private mutating func copying(_ text: UnsafeMutablePointer<CChar>?) -> Bool {
        guard let text = unsafe text else { return false }
        unsafe buffer.append(UnsafeRawBufferPointer(start: text, count: strlen(text)))
        unsafe free(text)
        return true
    }

    /// Collects a result up to one byte over the limit, so that what is cut is known to be.
    private struct Output {
        var bytes: [UInt8] = []
        let limit: Int

        mutating func append(_ part: UnsafeRawBufferPointer) {
            unsafe bytes.append(contentsOf: part.prefix(limit + 1 - bytes.count))
        }
    }

    private func withoutVersion(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard let mark = name.firstIndex(of: UInt8(ascii: "@")), mark > name.startIndex else { return name }
        return name[..<mark]
    }

    /// `f.constprop.0` as demanglers write it of mangled names: `f [clone .constprop.0]`.
    private func withMarkedClones(_ name: ArraySlice<UInt8>) -> [UInt8] {
        let starts = CloneSuffix.starts(in: name)
        guard let first = starts.first else { return Array(name) }
        var marked = Array(name[..<first])
        for (index, start) in starts.enumerated() {
            let end = index + 1 < starts.count ? starts[index + 1] : name.endIndex
            marked += Array(" [clone ".utf8) + name[start..<end] + [UInt8(ascii: "]")]
        }
        return marked
    }

    /// Valid UTF-8 within the limit.
    private func bounded(_ name: ArraySlice<UInt8>) -> [UInt8] {
        if name.count <= Self.maximumNameBytes, name.allSatisfy({ $0 < 0x80 }) { return Array(name) }
        // Repairing replaces a byte by three, so it may lengthen what is then cut.
        var text = Array(String(decoding: name.prefix(Self.maximumNameBytes + 4), as: UTF8.self).utf8)
        guard text.count > Self.maximumNameBytes else { return text }
        var end = Self.maximumNameBytes - Self.cutMark.utf8.count
        while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        text.removeSubrange(end...)
        return text + Array(Self.cutMark.utf8)
    }
}
