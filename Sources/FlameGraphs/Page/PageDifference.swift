import Analysis
import Profiles

/// What a page of two sides has beside their tree.
struct PageDifference: Sendable {
    let widths: DifferentialFlameGraph.Widths
    /// By node of the tree, total weights in what is counted.
    let base: [UInt64]
    let against: [UInt64]
    let movements: [Movement]
    /// By frame of the tree, of its function; nil where that was not judged.
    let ofFunctions: [Movement?]

    init(
        _ difference: DifferenceTree, movements: [Movement], functions: [DifferenceRow],
        widths: DifferentialFlameGraph.Widths, measure: Measure
    ) {
        func counted(_ values: DifferenceTree.Values) -> UInt64 {
            measure == .samples ? values.totalSamples : values.totalValue
        }
        self.widths = widths
        base = difference.base.map(counted)
        against = difference.against.map(counted)
        self.movements = movements
        var judged: [Function: Movement] = [:]
        for row in functions { judged[Function(name: row.name, module: row.module, file: row.file)] = row.movement }
        ofFunctions = difference.tree.frames.map { Function.isOne($0) ? judged[Function($0)] : nil }
    }

    /// As the page's script numbers them; 4 stands for what was not judged.
    static func number(_ movement: Movement?) -> Int {
        switch movement {
        case .grew: 0
        case .shrank: 1
        case .shareOnly: 2
        case .withinNoise: 3
        case nil: 4
        }
    }

    static func word(_ movement: Movement?) -> String {
        switch movement {
        case .grew: "grew"
        case .shrank: "shrank"
        case .shareOnly: "share only"
        case .withinNoise: "within noise"
        case nil: "not judged"
        }
    }

    /// What makes frames one function: inlined copies are of the same.
    struct Function: Hashable {
        var name: String
        var module: String
        var file: String
        /// Processes, threads and markers are none, whatever their names.
        var isCode = true

        init(name: String, module: String, file: String) {
            (self.name, self.module, self.file) = (name, module, file)
        }

        init(_ frame: NamedFrame) {
            self.init(name: frame.name, module: frame.module, file: frame.file)
            isCode = Self.isOne(frame)
        }

        static func isOne(_ frame: NamedFrame) -> Bool { ![.process, .thread, .marker].contains(frame.kind) }
    }
}

/// The functions of two sides as an HTML table: what is proved first, and then by the size of the change.
struct DifferenceFunctionTable {
    private struct Row {
        var frame: Int
        var base: Double
        var against: Double
        var movement: Movement?

        var isProved: Bool { movement == .grew || movement == .shrank }
        var size: Double { abs(against - base) }
    }

    private static let mostRows = 200
    private let tree: CallTree
    private let rows: [Row]

    init(_ tree: CallTree, _ difference: PageDifference) {
        self.tree = tree
        var first: [PageDifference.Function: Int] = [:]
        let functionOf = tree.frames.enumerated().map { index, frame in
            let function = PageDifference.Function(frame)
            if let known = first[function] { return known }
            first[function] = index
            return index
        }
        var sums = [(base: UInt64, against: UInt64)](repeating: (0, 0), count: tree.frames.count)
        var onPath = [UInt32](repeating: 0, count: tree.frames.count)
        var path: [Int] = []
        for (index, node) in tree.nodes.enumerated() {
            while path.count > Int(node.depth) { onPath[path.removeLast()] -= 1 }
            let function = functionOf[Int(node.frame)]
            // Recursion counts once.
            if onPath[function] == 0 {
                sums[function].base &+= difference.base[index]
                sums[function].against &+= difference.against[index]
            }
            onPath[function] += 1
            path.append(function)
        }
        let wholes = (Double(max(1, difference.base[0])), Double(max(1, difference.against[0])))
        rows = Array(
            tree.frames.indices.compactMap { frame in
                guard sums[frame].base > 0 || sums[frame].against > 0,
                    PageDifference.Function.isOne(tree.frames[frame])
                else { return nil }
                return Row(
                    frame: frame, base: Double(sums[frame].base) / wholes.0,
                    against: Double(sums[frame].against) / wholes.1, movement: difference.ofFunctions[frame])
            }.sorted { (left: Row, right: Row) in
                if left.isProved != right.isProved { return left.isProved }
                return left.size != right.size ? left.size > right.size : left.frame < right.frame
            }.prefix(Self.mostRows))
    }

    func write(to bytes: inout [UInt8]) {
        bytes.append(
            contentsOf: """
                <table id="functions"><caption>What changed</caption>
                <thead><tr><th scope="col">base</th><th scope="col">against</th><th scope="col">change</th>\
                <th scope="col">verdict</th><th scope="col">function</th><th scope="col">module</th></tr></thead>
                <tbody>

                """.utf8)
        func share(_ share: Double) -> String { String(FlameGraphPaint.signed(share).dropFirst().dropLast()) + " %" }
        for row in rows {
            let change = FlameGraphPaint.signed(row.against - row.base).dropLast()
            bytes.append(
                contentsOf: """
                    <tr><td>\(share(row.base))</td><td>\(share(row.against))</td><td>\(change)</td>\
                    <td>\(PageDifference.word(row.movement))</td><th scope="row">
                    """.utf8)
            SVGText.append(tree.frames[row.frame].name, to: &bytes)
            bytes.append(contentsOf: "</th><td>".utf8)
            SVGText.append(tree.frames[row.frame].module, to: &bytes)
            bytes.append(contentsOf: "</td></tr>\n".utf8)
        }
        bytes.append(contentsOf: "</tbody></table>\n".utf8)
    }
}
