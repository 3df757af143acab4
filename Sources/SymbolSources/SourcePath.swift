/// Paths of source files as DWARF gives them.
enum SourcePath {
    /// A path joined to the unit's directory where it is relative to that, without `.` and `..`, in UTF-8.
    ///
    /// Of DWARF 5 libdw joins the file to its entry of directories alone, of which the first is the unit's own; the others
    /// may be relative to that, and that one relative itself, as in reproducible builds (`./misc`). `..` is taken back by its letters: where a directory on the way
    /// was a link, that is another one; for grouping by file it is the better of the two.
    static func resolved(_ path: [UInt8], directory: [UInt8]) -> [UInt8] {
        let slash = UInt8(ascii: "/")
        var whole = path
        if path.first != slash, !directory.isEmpty, !path.starts(with: directory + [slash]) {
            whole = directory + [slash] + path
        }
        if !whole.allSatisfy({ $0 < 0x80 }) { whole = Array(String(decoding: whole, as: UTF8.self).utf8) }
        guard whole.contains(slash) else { return whole }
        let isAbsolute = whole.first == slash
        var parts: [ArraySlice<UInt8>] = []
        for part in whole.split(separator: slash) {
            if part.elementsEqual(".".utf8) { continue }
            if part.elementsEqual("..".utf8) {
                if let last = parts.last, !last.elementsEqual("..".utf8) {
                    parts.removeLast()
                    continue
                }
                if isAbsolute { continue }
            }
            parts.append(part)
        }
        var result: [UInt8] = isAbsolute ? [slash] : []
        for (index, part) in parts.enumerated() {
            if index > 0 { result.append(slash) }
            result += part
        }
        return result
    }
}
