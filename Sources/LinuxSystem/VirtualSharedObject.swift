internal import CLinux
internal import Glibc

/// The shared object that the kernel maps into every process (vdso(7)): no file holds it, and its functions (the clock
/// above all) take samples like any others.
public enum VirtualSharedObject {
    /// Its image, read from this process; nil where the kernel maps none. The same for every 64-bit process of the
    /// running kernel.
    public static func image() -> [UInt8]? {
        guard let text = try? maps(), let range = range(inMaps: text), range.count <= maximumBytes else { return nil }
        return unsafe UnsafeRawPointer(bitPattern: UInt(range.lowerBound)).map { start in
            unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: range.count))
        }
    }

    /// The image as a file in memory, to be identified and symbolised like any module.
    public static func file() throws(SystemCallError) -> OwnedDescriptor {
        guard let image = image() else { throw SystemCallError("getauxval", on: "[vdso]", code: ENOENT) }
        let descriptor = unsafe linux_memfd("vdso")
        guard descriptor >= 0 else { throw SystemCallError("memfd_create", on: "[vdso]") }
        let file = OwnedDescriptor(descriptor)
        let written = unsafe image.withUnsafeBytes { unsafe write(file.rawValue, $0.baseAddress, $0.count) }
        guard written == image.count else { throw SystemCallError("write", on: "[vdso]") }
        return file
    }

    /// Real ones take two to four pages.
    private static let maximumBytes = 1 << 20

    private static func maps() throws(SystemCallError) -> String {
        let file = try OwnedDescriptor.open("/proc/self/maps")
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = unsafe read(file.rawValue, &buffer, buffer.count)
            guard got > 0 else { return String(decoding: text, as: UTF8.self) }
            text += buffer[..<got]
        }
    }

    private static func range(inMaps text: String) -> Range<Int>? {
        for line in text.split(separator: "\n") where line.hasSuffix("[vdso]") {
            let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { Int($0, radix: 16) }
            if ends.count == 2, ends[0] < ends[1] { return ends[0]..<ends[1] }
        }
        return nil
    }
}
