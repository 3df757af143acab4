public import Analysis
import Profiles

/// A flame graph as one HTML file that needs nothing else: zoomed, searched, turned over, seen from one function
/// (sandwich) or read as a table, in a browser that runs its script; a table of functions in one that does not.
///
/// The whole call tree is in the file, in columns; the script draws onto a canvas what is wide enough to be seen in the
/// window at hand, so hundreds of thousands of stacks open at once and zooming shows the rest.
public struct FlameGraphPage: Sendable {
    let tree: CallTree
    let measure: Measure
    let unitName: String
    let title: String
    let subtitle: String
    /// Where two sides are compared.
    let difference: PageDifference?
    /// Where samples have their times.
    let scope: PageScope?

    /// - Parameters:
    ///   - measure: what widths count.
    ///   - unitName: the word for it, as `FlameGraph` takes it.
    ///   - subtitle: range, samples, losses.
    ///   - scope: when samples were taken, for a picture of the time that spans can be selected in.
    public init(
        _ tree: CallTree, measure: Measure = .samples, unitName: String = "samples", title: String,
        subtitle: String = "", scope: PageScope? = nil
    ) {
        self.tree = tree
        self.measure = measure
        self.unitName = unitName
        self.title = title
        self.subtitle = subtitle
        self.scope = scope
        difference = nil
    }

    /// Of two sides, coloured by what is proved of their difference.
    ///
    /// - Parameters:
    ///   - movements: by node of the tree, from `DifferenceTree.movements(of:)`.
    ///   - functions: rows of `Difference` by total values; functions that have none are not judged.
    ///   - widths: whose widths are shown first.
    public init(
        _ difference: DifferenceTree, movements: [Movement], functions: [DifferenceRow],
        widths: DifferentialFlameGraph.Widths = .against, measure: Measure = .samples, unitName: String = "samples",
        title: String, subtitle: String = ""
    ) {
        tree = difference.tree
        self.measure = measure
        self.unitName = unitName
        self.title = title
        self.subtitle = subtitle
        self.difference = PageDifference(
            difference, movements: movements, functions: functions, widths: widths, measure: measure)
        scope = nil
    }

    /// Nanoseconds are shown as microseconds.
    private var divisor: UInt64 { measure == .unit && unitName == "microseconds" ? 1000 : 1 }

    private func weight(_ node: CallTree.Node) -> UInt64 {
        measure == .samples ? node.totalSamples : node.totalValue
    }

    public func html() -> [UInt8] {
        let order = FlameGraph.alphabeticalPreorder(of: tree)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(40_960 + tree.frames.count * 64 + order.count * 8)
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        write(
            """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width,initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none';\
             script-src 'unsafe-inline'; style-src 'unsafe-inline'">
            <title>
            """)
        SVGText.append(title, to: &bytes)
        write(
            "</title>\n<style>\(Self.style)\(scope == nil ? "" : PageScope.style)</style>\n</head>\n<body>\n<header><h1>"
        )
        SVGText.append(title, to: &bytes)
        write("</h1><p id=\"subtitle\">")
        SVGText.append(subtitle, to: &bytes)
        write("</p></header>\n\(Self.controls)\n\(scope == nil ? "" : PageScope.view + "\n")<main id=\"views\">\n")
        if let difference {
            DifferenceFunctionTable(tree, difference).write(to: &bytes)
        } else {
            FunctionTable(tree, weight: weight).write(total: weight(tree.nodes[0]), to: &bytes)
        }
        write("</main>\n<footer id=\"details\" role=\"status\" aria-live=\"polite\"></footer>\n")
        write("<script type=\"application/json\" id=\"facts\">")
        writeFacts(nodeCount: order.count, to: &bytes)
        write("</script>\n<script type=\"application/octet-stream\" id=\"nodes\">")
        Base64.append(columns(order), to: &bytes)
        write("</script>\n")
        if let scope {
            var position = [UInt32](repeating: 0, count: tree.nodes.count)
            for (place, node) in order.enumerated() { position[Int(node)] = UInt32(place) }
            scope.write(position: position, to: &bytes)
        }
        write("<script>\n\(Self.treeScript)\n\(Self.graphScript)\n\(Self.pageScript)\n")
        if scope != nil { write("\(PageScope.script)\n") }
        write("</script>\n")
        write("</body>\n</html>\n")
        return bytes
    }

    /// What frames are: names, and by frame the letter of its kind, the numbers of its module and file.
    private func writeFacts(nodeCount: Int, to bytes: inout [UInt8]) {
        func numbers(_ texts: [String]) -> (distinct: [String], of: [Int]) {
            var number: [String: Int] = [:]
            var distinct: [String] = []
            let of = texts.map { text in
                if let known = number[text] { return known }
                number[text] = distinct.count
                distinct.append(text)
                return distinct.count - 1
            }
            return (distinct, of)
        }
        let modules = numbers(tree.frames.map(\.module))
        let files = numbers(tree.frames.map(\.file))
        func list(_ name: String, _ texts: [String]) {
            bytes.append(contentsOf: ",\"\(name)\":[".utf8)
            for (index, text) in texts.enumerated() {
                if index > 0 { bytes.append(0x2C) }
                ScriptText.append(text, to: &bytes)
            }
            bytes.append(0x5D)
        }
        func list(_ name: String, _ values: [Int]) {
            bytes.append(contentsOf: ",\"\(name)\":[".utf8)
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(0x2C) }
                SVGText.append(value, to: &bytes)
            }
            bytes.append(0x5D)
        }
        bytes.append(contentsOf: "{\"nodeCount\":\(nodeCount),\"divisor\":\(divisor),\"unit\":".utf8)
        ScriptText.append(unitName, to: &bytes)
        bytes.append(contentsOf: ",\"kinds\":\"".utf8)
        for frame in tree.frames { bytes.append(Self.letter(frame.kind)) }
        bytes.append(0x22)
        list("names", tree.frames.map(\.name))
        list("modules", modules.distinct)
        list("moduleOf", modules.of)
        list("files", files.distinct)
        list("fileOf", files.of)
        if let difference {
            bytes.append(contentsOf: ",\"widths\":\"\(difference.widths.rawValue)\"".utf8)
            list("movements", difference.ofFunctions.map { PageDifference.number($0) })
        }
        bytes.append(0x7D)
    }

    private static func letter(_ kind: NamedFrame.Kind) -> UInt8 {
        switch kind {
        case .native: UInt8(ascii: "n")
        case .inlined: UInt8(ascii: "i")
        case .jit: UInt8(ascii: "j")
        case .interpreted: UInt8(ascii: "p")
        case .kernel: UInt8(ascii: "k")
        case .process, .thread, .marker: UInt8(ascii: "-")
        }
    }

    /// Numbers of each node, from the root on, callers before callees: its frame, how many levels up from the node
    /// before it its caller stands, its total weight (of a difference the base's, the other side's, and the number of its
    /// movement), its line. Seven bits a byte, the low ones first, the eighth bit says that more follow.
    private func columns(_ order: [UInt32]) -> [UInt8] {
        var columns: [UInt8] = []
        columns.reserveCapacity(order.count * 6)
        func append(_ number: UInt64) { Self.append(number, to: &columns) }
        var depth: UInt32 = 0
        for index in order {
            let node = tree.nodes[Int(index)]
            append(UInt64(node.frame))
            append(index == 0 ? 0 : UInt64(depth + 1 - node.depth))
            if let difference {
                append(difference.base[Int(index)])
                append(difference.against[Int(index)])
                append(UInt64(PageDifference.number(difference.movements[Int(index)])))
            } else {
                append(weight(node))
            }
            append(UInt64(node.line))
            depth = node.depth
        }
        return columns
    }

    /// Seven bits a byte, the low ones first.
    static func append(_ number: UInt64, to columns: inout [UInt8]) {
        var rest = number
        while rest > 0x7F {
            columns.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        columns.append(UInt8(truncatingIfNeeded: rest))
    }
}

extension FlameGraph {
    /// All nodes of a tree, callers before callees, siblings by name.
    static func alphabeticalPreorder(of tree: CallTree) -> [UInt32] {
        let rank = alphabeticalRanks(tree)
        var order: [UInt32] = []
        order.reserveCapacity(tree.nodes.count)
        var pending: [UInt32] = [0]
        var children: [UInt32] = []
        while let index = pending.popLast() {
            order.append(index)
            children.removeAll(keepingCapacity: true)
            var child = index + 1
            while child < tree.nodes[Int(index)].end {
                children.append(child)
                child = tree.nodes[Int(child)].end
            }
            // Most nodes have one callee.
            if children.count > 1 {
                children.sort { rank[Int(tree.nodes[Int($0)].frame)] > rank[Int(tree.nodes[Int($1)].frame)] }
            }
            pending.append(contentsOf: children)
        }
        return order
    }
}
