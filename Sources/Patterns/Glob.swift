/// A pattern in which `*` stands for any run of bytes, also an empty one; every other byte stands for itself.
///
/// The pieces between the stars are searched from left to right, each by Knuth, Morris and Pratt's method ("Fast
/// pattern matching in strings", 1977), so a match takes time linear in the text, whatever the pattern is. Bytes of
/// UTF-8 are compared as they are.
public struct Glob: Hashable, Sendable {
    public let text: String
    /// What stands between the stars, in order; a single piece where there is no star.
    private let pieces: [Piece]

    public init(_ text: String) {
        self.text = text
        pieces = text.utf8.split(separator: 42, omittingEmptySubsequences: false).map { Piece(Array($0)) }
    }

    public func matches(_ candidate: String) -> Bool {
        let bytes = candidate.utf8.span
        guard let first = pieces.first, let last = pieces.last else { return bytes.isEmpty }
        guard pieces.count > 1 else { return bytes.count == first.bytes.count && first.stands(in: bytes, at: 0) }
        var start = first.bytes.count
        let end = bytes.count - last.bytes.count
        guard start <= end, first.stands(in: bytes, at: 0), last.stands(in: bytes, at: end) else { return false }
        for piece in pieces.dropFirst().dropLast() {
            guard let found = piece.endOfFirst(in: bytes, from: start, to: end) else { return false }
            start = found
        }
        return true
    }

    private struct Piece: Hashable, Sendable {
        let bytes: [UInt8]
        /// For each length of a match so far, how much of it remains when the next byte doesn't fit.
        private let fallback: [Int]

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            var fallback = [Int](repeating: 0, count: bytes.count)
            var length = 0
            for index in bytes.indices.dropFirst() {
                while length > 0 && bytes[index] != bytes[length] { length = fallback[length - 1] }
                if bytes[index] == bytes[length] { length += 1 }
                fallback[index] = length
            }
            self.fallback = fallback
        }

        func stands(in text: Span<UInt8>, at start: Int) -> Bool {
            guard start >= 0, start + bytes.count <= text.count else { return false }
            for index in bytes.indices where text[start + index] != bytes[index] { return false }
            return true
        }

        func endOfFirst(in text: Span<UInt8>, from start: Int, to end: Int) -> Int? {
            guard !bytes.isEmpty else { return start }
            var length = 0
            var index = start
            while index < end {
                while length > 0 && text[index] != bytes[length] { length = fallback[length - 1] }
                if text[index] == bytes[length] { length += 1 }
                index += 1
                if length == bytes.count { return index }
            }
            return nil
        }
    }
}
