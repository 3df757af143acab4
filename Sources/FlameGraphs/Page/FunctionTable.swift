import Analysis
import Profiles

/// The heaviest functions as an HTML table: what a reader without scripts, or one who listens, has of the picture.
struct FunctionTable {
    private struct Row {
        var frame: Int
        var own: UInt64
        var total: UInt64
    }

    private static let mostRows = 200
    private let tree: CallTree
    private let rows: [Row]

    init(_ tree: CallTree, weight: (CallTree.Node) -> UInt64) {
        self.tree = tree
        var rows = tree.frames.indices.map { Row(frame: $0, own: 0, total: 0) }
        var onPath = [UInt32](repeating: 0, count: tree.frames.count)
        var path: [Int] = []
        var below = [UInt64](repeating: 0, count: tree.nodes.count)
        for index in tree.nodes.indices.dropFirst().reversed() {
            below[Int(tree.nodes[index].parent)] &+= weight(tree.nodes[index])
        }
        for (index, node) in tree.nodes.enumerated() {
            while path.count > Int(node.depth) { onPath[path.removeLast()] -= 1 }
            let frame = Int(node.frame)
            // Recursion counts once.
            if onPath[frame] == 0 { rows[frame].total &+= weight(node) }
            rows[frame].own &+= weight(node) &- min(weight(node), below[index])
            onPath[frame] += 1
            path.append(frame)
        }
        let isCode = tree.frames.map { ![.process, .thread, .marker].contains($0.kind) }
        self.rows = Array(
            rows.filter { isCode[$0.frame] && $0.total > 0 }
                .sorted { ($0.own, $0.total, $1.frame) > ($1.own, $1.total, $0.frame) }.prefix(Self.mostRows))
    }

    func write(total: UInt64, to bytes: inout [UInt8]) {
        bytes.append(
            contentsOf: """
                <table id="functions"><caption>The heaviest functions</caption>
                <thead><tr><th scope="col">self</th><th scope="col">total</th><th scope="col">function</th>\
                <th scope="col">module</th></tr></thead>
                <tbody>

                """.utf8)
        for row in rows {
            bytes.append(contentsOf: "<tr><td>".utf8)
            SVGText.append(percentOf: row.own, in: total, places: 2, to: &bytes)
            bytes.append(contentsOf: " %</td><td>".utf8)
            SVGText.append(percentOf: row.total, in: total, places: 2, to: &bytes)
            bytes.append(contentsOf: " %</td><th scope=\"row\">".utf8)
            SVGText.append(tree.frames[row.frame].name, to: &bytes)
            bytes.append(contentsOf: "</th><td>".utf8)
            SVGText.append(tree.frames[row.frame].module, to: &bytes)
            bytes.append(contentsOf: "</td></tr>\n".utf8)
        }
        bytes.append(contentsOf: "</tbody></table>\n".utf8)
    }
}
