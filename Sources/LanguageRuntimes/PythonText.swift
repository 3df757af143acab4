/// Decodes the text of a `str` object from its header and the bytes behind it (PEP 393).
package enum PythonText {
    /// Bytes of text that are read of one name or path; what is longer is cut there and ends with an ellipsis.
    package static let maximumBytes = 2048

    /// Where a text lies in its object and how wide its characters are.
    package struct Shape: Hashable, Sendable {
        package var offset: Int
        package var byteCount: Int
        package var width: Int
        package var isCut: Bool
    }

    /// From `length` and `state` of a PyASCIIObject; nil where they are not those of a compact text.
    ///
    /// The bits of `state` begin with `interned`, which has 2 bits, 8 where it is accessed atomically, or 16 (newer
    /// releases). Behind it follow kind (3 bits), compact and ascii. With a wider `interned` the bits of a narrower
    /// form's kind are all 0, which is no kind, so the right form is the first that fits.
    package static func shape(length: UInt64, state: UInt32, layout: PythonLayout) -> Shape? {
        for shift: UInt32 in [2, 8, 16] {
            let bits = state >> shift
            let width = Int(bits & 7)
            let isCompact = bits >> 3 & 1 == 1
            let isASCII = bits >> 4 & 1 == 1
            guard isCompact, width == 1 || (!isASCII && (width == 2 || width == 4)) else { continue }
            let most = maximumBytes / width
            let count = Int(min(length, UInt64(most)))
            return Shape(
                offset: isASCII ? layout.asciiHeader : layout.compactHeader, byteCount: count * width, width: width,
                isCut: length > UInt64(most))
        }
        return nil
    }

    /// Control characters come out as U+FFFD: a name is shown on terminals and in lists of one line each.
    package static func decode(_ bytes: ArraySlice<UInt8>, _ shape: Shape) -> String {
        var text = String.UnicodeScalarView()
        var index = bytes.startIndex
        while index + shape.width <= bytes.endIndex {
            var value: UInt32 = 0
            for place in 0..<shape.width { value |= UInt32(bytes[index + place]) << UInt32(place * 8) }
            index += shape.width
            let isControl = value < 0x20 || (0x7F...0x9F).contains(value) || value == 0x2028 || value == 0x2029
            text.append(isControl ? "\u{FFFD}" : Unicode.Scalar(value) ?? "\u{FFFD}")
        }
        if shape.isCut { text.append("\u{2026}") }
        return String(text)
    }
}
