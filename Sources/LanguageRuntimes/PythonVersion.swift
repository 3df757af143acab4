/// A version of CPython, as PY_VERSION_HEX has it.
public struct PythonVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var major: UInt8
    public var minor: UInt8
    public var micro: UInt8

    public init(_ major: UInt8, _ minor: UInt8, _ micro: UInt8 = 0) {
        self.major = major
        self.minor = minor
        self.micro = micro
    }

    /// From PY_VERSION_HEX (patchlevel.h): major, minor and micro in a byte each, then level and serial.
    public init(hexadecimal: UInt64) {
        self.init(
            UInt8(truncatingIfNeeded: hexadecimal >> 24), UInt8(truncatingIfNeeded: hexadecimal >> 16),
            UInt8(truncatingIfNeeded: hexadecimal >> 8))
    }

    /// The version in a name such as `libpython3.8.so.1.0`, `python3.10` or `python3.11-dbg`; nil where it has none.
    public init?(fileName: String) {
        let name = fileName.utf8
        let word = Array("python".utf8)
        var rest = name[...]
        while !rest.starts(with: word) {
            guard rest.popFirst() != nil else { return nil }
        }
        rest = rest.dropFirst(word.count)
        func number() -> UInt8? {
            var value: UInt8?
            while let digit = rest.first, (0x30...0x39).contains(digit) {
                let (tens, over) = (value ?? 0).multipliedReportingOverflow(by: 10)
                let (sum, overAgain) = tens.addingReportingOverflow(digit - 0x30)
                guard !over, !overAgain else { return nil }
                value = sum
                rest = rest.dropFirst()
            }
            return value
        }
        guard let major = number(), rest.popFirst() == 0x2E, let minor = number() else { return nil }
        self.init(major, minor)
    }

    public static func < (a: PythonVersion, b: PythonVersion) -> Bool {
        (a.major, a.minor, a.micro) < (b.major, b.minor, b.micro)
    }

    public var description: String { "\(major).\(minor).\(micro)" }
}
