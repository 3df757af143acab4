/// What compilers append to the name of a function that they copied or split: `.constprop.0`, `.isra.0`, `.part.0`,
/// `.cold`, `.llvm.123`, `.lto_priv.0`.
public enum CloneSuffix {
    /// Those that may end a name as they are, and those that a number follows.
    private static let bare = ["cold", "localalias", "unlikely", "hot", "warm", "split", "cfi"].map { Array($0.utf8) }
    private static let numbered = [
        "constprop", "isra", "part", "llvm", "lto_priv", "cold", "localalias", "clone", "ipa_sra", "__uniq",
    ].map { Array($0.utf8) }

    /// Where the suffixes of a name begin, in order; empty where it has none. A name is never all suffix.
    public static func starts(in name: ArraySlice<UInt8>) -> [Int] {
        var starts: [Int] = []
        var end = name.endIndex
        while let start = start(in: name[..<end]) {
            starts.append(start)
            end = start
        }
        return starts.reversed()
    }

    private static func start(in name: ArraySlice<UInt8>) -> Int? {
        let dot = UInt8(ascii: ".")
        var end = name.endIndex
        var numbers = 0
        while let mark = name[..<end].lastIndex(of: dot), mark > name.startIndex {
            let word = name[(mark + 1)..<end]
            // No suffix is longer; so the search for dots stays short.
            guard !word.isEmpty, word.count <= 40 else { return nil }
            if word.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) {
                numbers += 1
                guard numbers <= 2 else { return nil }
                end = mark
                continue
            }
            let known = numbers == 0 ? bare : numbered
            return known.contains { word.elementsEqual($0) } ? mark : nil
        }
        return nil
    }
}
