// fuzz: FlameGraphs, Analysis, Profiles
import Analysis
import FlameGraphs
import Profiles

/// Keys and names of any bytes: whatever they are, what goes to the terminal has the sequences that place and colour and no
/// others.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard bytes.count > 4 else { return 0 }
    let size = TerminalSize(columns: Int(bytes[0]) % 60, rows: Int(bytes[1]) % 20)
    let half = 3 + (bytes.count - 3) * Int(bytes[2]) / 256
    let names = bytes[3..<half].split(separator: 0x0A).prefix(20).map { String(decoding: $0, as: UTF8.self) }
    // Each name is a frame on the one before it, and a leaf on the root.
    var frames = [NamedFrame(kind: .marker, name: CallTree.rootName)]
    frames += names.map { NamedFrame(kind: .native, name: $0, module: $0, file: $0) }
    let deep = UInt64(names.count)
    var nodes = [node(0, parent: 0, end: 1 + names.count * 2, depth: 0, total: 2 * deep)]
    for index in names.indices {
        nodes.append(
            node(index + 1, parent: index, end: names.count + 1, depth: index + 1, total: deep - UInt64(index)))
    }
    for index in names.indices {
        nodes.append(node(index + 1, parent: 0, end: nodes.count + 1, depth: 1, total: 1))
    }
    var graph = TerminalFlameGraph(
        CallTree(frames: frames, nodes: nodes), unit: "bytes", title: names.first ?? "", subtitle: names.last ?? "")
    var keys = TerminalKeys()
    let abilities = [
        TerminalAbilities(colours: .palette, isUnicode: true), TerminalAbilities(colours: .none, isUnicode: false),
    ]
    for key in keys.take(Array(bytes[half...].prefix(100))) + keys.finish() {
        guard graph.handle(key, in: size) else { break }
        for ability in abilities { check(graph.grid(size, ability), ability) }
    }
    return 0
}

private func node(_ frame: Int, parent: Int, end: Int, depth: Int, total: UInt64) -> CallTree.Node {
    CallTree.Node(
        frame: UInt32(frame), parent: UInt32(parent), end: UInt32(end), depth: UInt32(depth), selfValue: 0,
        totalValue: total, selfSamples: 0, totalSamples: 0)
}

private func check(_ grid: CellGrid, _ abilities: TerminalAbilities) {
    for row in 0..<grid.size.rows {
        let text = String(decoding: grid.bytes(ofRow: row, colours: abilities.colours), as: UTF8.self)
        var isSequence = false
        for scalar in text.unicodeScalars {
            if isSequence {
                precondition("[0123456789;Hm".unicodeScalars.contains(scalar), "another sequence")
                if scalar == "H" || scalar == "m" { isSequence = false }
            } else if scalar == "\u{1B}" {
                isSequence = true
            } else {
                precondition(scalar.value >= 0x20 && !(0x7F..<0xA0).contains(scalar.value), "a control character")
                precondition(abilities.isUnicode || scalar.isASCII, "not for this terminal")
            }
        }
    }
}
