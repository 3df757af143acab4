import ToolOutput

/// What a symbolizer of others says of an address: innermost first.
struct ReferenceFrame: Equatable, CustomStringConvertible {
    var name: String
    var file: String
    var line: UInt32

    var description: String { "\(name) \(file):\(line)" }
}

/// Frames by address as `addr2line -aifC`, or llvm-symbolizer in that style, prints them.
func reference(_ tool: String, _ addresses: [UInt64], in folder: borrowing Workshop) throws -> [UInt64:
    [ReferenceFrame]]
{
    try folder.write("addresses", addresses.map { "0x" + String($0, radix: 16) + "\n" }.joined())
    var frames: [UInt64: [ReferenceFrame]] = [:]
    var address: UInt64 = 0
    var name: String?
    for line in (folder.run("\(tool) < addresses") ?? "").split(separator: "\n") {
        if line.hasPrefix("0x"), let value = UInt64(line.dropFirst(2), radix: 16) {
            address = value
            frames[address] = []
            name = nil
        } else if let function = name {
            let place = line.split(separator: " (discriminator").first ?? line
            let colon = place.lastIndex(of: ":") ?? place.startIndex
            let file = place[..<colon] == "??" ? "" : String(place[..<colon])
            frames[address]?.append(
                ReferenceFrame(
                    name: function, file: normalised(file), line: UInt32(place[colon...].dropFirst()) ?? 0))
            name = nil
        } else {
            name = String(line)
        }
    }
    return frames
}

/// Paths without `.` and `..`.
private func normalised(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
        if part == "..", let last = parts.last, last != ".." { parts.removeLast() } else { parts.append(part) }
    }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
}

/// A name without what the tools write each in their own way: clones, Rust's hash.
func comparable(_ name: String) -> String {
    var name = name
    while name.hasSuffix("]"), let mark = name.range(of: " [clone ")?.lowerBound { name = String(name[..<mark]) }
    for suffix in [".cold", ".constprop.0", ".isra.0", ".part.0", ".lto_priv.0"] where name.hasSuffix(suffix) {
        name.removeLast(suffix.count)
    }
    if let hash = name.range(of: "::h")?.lowerBound, name[hash...].count == 19 { name = String(name[..<hash]) }
    return name
}

extension String {
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
