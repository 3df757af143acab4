public import Analysis
import Formats
import Patterns
import Profiles

/// A flame graph in a terminal: what is shown of the tree, and what a key changes of that. `grid(_:_:)` draws it.
public struct TerminalFlameGraph: Sendable {
    enum Mode: Equatable {
        case graph
        /// What was typed of a search so far.
        case asking(String)
        case help
    }

    let tree: PlacedTree
    /// Of the values: `nanoseconds`, `bytes`, …
    let unit: String
    let title: String
    let subtitle: String

    /// The node that fills the width, and the one that keys lead away from.
    private(set) var focus = 0
    private(set) var selected = 0
    /// Where zooming began, for the way back.
    private var focusesBefore: [Int] = []
    private(set) var isIcicle = false
    private(set) var mode = Mode.graph
    /// The expression searched for, and by frame whether its name matches.
    private(set) var search: (expression: String, found: [Bool])?
    /// What the last key led to, where that is not seen.
    private(set) var message = ""
    /// The depth of the shown frames that is nearest to the root.
    private var firstDepth = 0

    private static let longestSearch = 200

    /// - Parameters:
    ///   - unit: the unit of the tree's values; nanoseconds are shown as seconds.
    ///   - subtitle: range, samples, losses.
    public init(_ tree: CallTree, unit: String, title: String, subtitle: String = "") {
        self.tree = PlacedTree(tree)
        self.unit = unit
        self.title = title
        self.subtitle = subtitle
    }

    /// Does what a key says.
    ///
    /// - Parameter size: of the terminal at that moment.
    /// - Returns: false where the key ends it.
    public mutating func handle(_ key: TerminalKey, in size: TerminalSize) -> Bool {
        message = ""
        switch mode {
        case .help: mode = .graph
        case .asking(let text): type(key, after: text)
        case .graph: return act(on: key, in: size)
        }
        return true
    }

    private mutating func act(on key: TerminalKey, in size: TerminalSize) -> Bool {
        let layout = CellLayout(tree, focus: focus, columns: size.columns)
        selected = layout.visible(selected, in: tree)
        switch key {
        case .character("q"): return false
        case .character("?"): mode = .help
        case .character("/"): mode = .asking("")
        case .character("i"): isIcicle.toggle()
        case .up, .character("k"): step(isIcicle ? -1 : 1, layout)
        case .down, .character("j"): step(isIcicle ? 1 : -1, layout)
        case .left, .character("h"): stepAside(-1, layout)
        case .right, .character("l"): stepAside(1, layout)
        case .pageUp: step((isIcicle ? -1 : 1) * max(1, graphRows(size) - 1), layout)
        case .pageDown: step((isIcicle ? 1 : -1) * max(1, graphRows(size) - 1), layout)
        case .home: selected = 0
        case .end: step(Int.max, layout)
        case .enter: zoom(to: selected)
        case .escape, .backspace: goBack()
        case .character("n"): goToMatch(1, size)
        case .character("N"): goToMatch(-1, size)
        case .redraw, .character: break
        }
        firstDepth = depths(size, CellLayout(tree, focus: focus, columns: size.columns)).lowerBound
        return true
    }

    // MARK: Moving

    /// So many levels away from the root, along the heaviest callees that are seen, or towards it.
    private mutating func step(_ levels: Int, _ layout: CellLayout) {
        for _ in 0..<levels.magnitude {
            if levels < 0 {
                guard selected != 0 else { return }
                selected = tree.nodes[selected].parent
            } else {
                let depth = tree.nodes[selected].depth + 1
                guard layout.rows.indices.contains(depth),
                    let next = layout.rows[depth].filter({ tree.isWithin($0.node, selected) })
                        .max(by: { tree.nodes[$0.node].total < tree.nodes[$1.node].total })
                else { return }
                selected = next.node
            }
        }
    }

    /// To the neighbour in the same row.
    private mutating func stepAside(_ direction: Int, _ layout: CellLayout) {
        guard let place = layout.place(of: selected, in: tree) else { return }
        let row = layout.rows[tree.nodes[selected].depth]
        if row.indices.contains(place + direction) { selected = row[place + direction].node }
    }

    private mutating func zoom(to node: Int) {
        guard node != focus else { return }
        focusesBefore.append(focus)
        focus = node
    }

    /// Out of the zoom, and then out of the search.
    private mutating func goBack() {
        if let before = focusesBefore.popLast() {
            focus = before
        } else {
            search = nil
        }
    }

    // MARK: Search

    private mutating func type(_ key: TerminalKey, after text: String) {
        switch key {
        case .enter:
            mode = .graph
            look(for: text)
        case .escape: mode = .graph
        case .backspace: mode = text.isEmpty ? .graph : .asking(String(text.unicodeScalars.dropLast()))
        case .character(let scalar) where text.unicodeScalars.count < Self.longestSearch:
            mode = .asking(text + String(scalar))
        default: break
        }
    }

    private mutating func look(for text: String) {
        guard !text.isEmpty else {
            search = nil
            return
        }
        do throws(PatternError) {
            let expression = try RegularExpression(text)
            search = (text, tree.frames.map { expression.matches($0.name) })
        } catch {
            message = "/\(text): \(error.description)"
        }
    }

    /// To the next frame that was found, from left to right and from the root on, and from the end to the start again.
    private mutating func goToMatch(_ direction: Int, _ size: TerminalSize) {
        guard let search else {
            message = "nothing was searched for; / begins"
            return
        }
        let count = tree.nodes.count
        for step in 1...count {
            let node = (selected + direction * step + count) % count
            guard search.found[Int(tree.nodes[node].frame)] else { continue }
            if direction > 0 ? node <= selected : node >= selected {
                message = direction > 0 ? "from the start again" : "from the end again"
            }
            selected = node
            show(node, size)
            return
        }
        message = "no frame matches /\(search.expression)/"
    }

    /// Zooms as little as is needed for a frame to be seen.
    private mutating func show(_ node: Int, _ size: TerminalSize) {
        for focus in [focus, tree.nodes[node].parent, node] {
            if CellLayout(tree, focus: focus, columns: size.columns).place(of: node, in: tree) != nil {
                return zoom(to: focus)
            }
        }
    }

    // MARK: Rows

    /// Rows of the terminal for the title, for frames, and for what is told of them.
    func parts(_ size: TerminalSize) -> (head: Int, foot: Int) {
        let foot = size.rows >= 9 ? 3 : size.rows >= 5 ? 2 : size.rows >= 2 ? 1 : 0
        return (size.rows >= 6 ? 1 : 0, foot)
    }

    func graphRows(_ size: TerminalSize) -> Int {
        let (head, foot) = parts(size)
        return size.rows - head - foot
    }

    /// The depths that are shown: those of before, moved as little as is needed for the selected frame to be seen.
    func depths(_ size: TerminalSize, _ layout: CellLayout) -> Range<Int> {
        let rows = graphRows(size)
        let depth = tree.nodes[layout.visible(selected, in: tree)].depth
        var first = max(0, min(firstDepth, layout.rows.count - rows))
        if depth < first { first = depth }
        if depth >= first + rows { first = depth - rows + 1 }
        return first..<min(layout.rows.count, first + rows)
    }
}

extension PlacedTree {
    /// Whether a node is another one or stands above it.
    func isWithin(_ node: Int, _ other: Int) -> Bool { node >= other && node < nodes[other].end }
}
