import Formats
import Profiles

extension TerminalFlameGraph {
    private static let found = RGB(230, 0, 230)
    private static let chosen = RGB(25, 50, 190)
    private static let white = RGB(255, 255, 255)
    private static let black = RGB(0, 0, 0)

    private static let help = [
        "arrows, h j k l   to the next frame in that direction",
        "PgUp PgDn         a screen of levels; Home, End: the root, the deepest",
        "Enter             zoom: the frame fills the width",
        "Esc, Backspace    back out of the zoom, then out of the search",
        "/                 search: a regular expression, (?i) ignores case",
        "n, N              the next and the previous frame that was found",
        "i                 flame or icicle: the root below or above",
        "Ctrl-L            draw anew",
        "q                 quit",
    ]

    /// The picture: frames as wide as what they weigh, and what is known of the selected one.
    public func grid(_ size: TerminalSize, _ abilities: TerminalAbilities) -> CellGrid {
        var grid = CellGrid(size)
        func write(_ text: String, row: Int, _ style: CellGrid.Style = CellGrid.Style()) {
            let letters = TerminalText.letters(text, room: size.columns, isUnicode: abilities.isUnicode)
            grid.put(letters, row: row, from: 0, to: size.columns, style: style)
        }
        let (head, foot) = parts(size)
        let layout = CellLayout(tree, focus: focus, columns: size.columns)
        if head > 0 { write(title + "  " + subtitle, row: 0, CellGrid.Style(isBold: true)) }
        if mode == .help {
            write("Keys", row: head, CellGrid.Style(isBold: true))
            for (row, line) in Self.help.enumerated() where head + 1 + row < size.rows - min(1, foot) {
                write(line, row: head + 1 + row)
            }
            if foot > 0 { write("any key goes on", row: size.rows - 1) }
            return grid
        }
        let shown = layout.visible(selected, in: tree)
        let depths = depths(size, layout)
        for depth in depths {
            let level = depth - depths.lowerBound
            let row = head + (isIcicle ? level : graphRows(size) - 1 - level)
            for box in layout.rows[depth] {
                draw(box, row: row, isChosen: box.node == shown, abilities, into: &grid)
            }
        }
        let lines = footLines(of: shown, count: foot, levels: depths, of: layout.rows.count)
        for (index, line) in lines.enumerated() {
            write(line, row: size.rows - foot + index, CellGrid.Style(isBold: index == 0 && foot > 1))
        }
        return grid
    }

    private func draw(
        _ box: CellLayout.Box, row: Int, isChosen: Bool, _ abilities: TerminalAbilities, into grid: inout CellGrid
    ) {
        let node = tree.nodes[box.node]
        let isAncestor = node.depth < tree.nodes[focus].depth
        let isFound = search?.found[Int(node.frame)] ?? false
        var style = CellGrid.Style()
        let hasColour = abilities.colours != .none
        if hasColour {
            let colour = Palette.colour(tree.frames[Int(node.frame)])
            style.background = isChosen ? Self.chosen : isFound ? Self.found : isAncestor ? colour.faded : colour
            style.text = isChosen || isFound ? Self.white : Self.black
        } else {
            style.isReversed = isChosen
            style.isUnderlined = isFound
            style.isFaint = isAncestor
        }
        style.isBold = isChosen || isFound
        let edge: Unicode.Scalar =
            hasColour ? (abilities.isUnicode ? "\u{258F}" : " ") : (abilities.isUnicode ? "\u{2502}" : "|")
        let fill: Unicode.Scalar = hasColour ? " " : abilities.isUnicode ? "\u{2500}" : "-"
        let room = box.right - box.left - 1
        // A name cut to less than three letters says nothing.
        let name =
            room < 3 ? [] : TerminalText.letters(tree.name(of: box.node), room: room, isUnicode: abilities.isUnicode)
        grid.put(
            [TerminalText.Letter(scalar: edge, width: 1)] + name, row: row, from: box.left, to: box.right, fill: fill,
            style: style)
    }

    /// What is told: the selected frame, what it weighs, and the search.
    private func footLines(of node: Int, count: Int, levels: Range<Int>, of levelCount: Int) -> [String] {
        let name = tree.name(of: node)
        let weight = weight(of: node)
        let isBusy = mode != .graph || !message.isEmpty || search != nil
        switch count {
        case 0: return []
        case 1: return [isBusy ? status(levels, of: levelCount) : "\(name)  \(weight)"]
        case 2: return ["\(weight)  \(name)", status(levels, of: levelCount)]
        default:
            let frame = tree.frames[Int(tree.nodes[node].frame)]
            let line = tree.nodes[node].line
            let file = frame.file.isEmpty ? "" : frame.file + (line > 0 ? ":\(line)" : "")
            let place = [frame.module, file].filter { !$0.isEmpty }.joined(separator: "  ")
            return [name, weight + (place.isEmpty ? "" : "  " + place), status(levels, of: levelCount)]
        }
    }

    private func weight(of node: Int) -> String {
        let values = tree.nodes[node]
        var text =
            "\(amount(values.total)), \(share(values.total, tree.nodes[0].total)), self "
            + share(values.own, tree.nodes[0].total)
        if focus != 0, tree.isWithin(node, focus) {
            text += ", \(share(values.total, tree.nodes[focus].total)) of the zoom"
        }
        return text
    }

    private func status(_ levels: Range<Int>, of levelCount: Int) -> String {
        if case .asking(let text) = mode { return "/" + text + "_" }
        if !message.isEmpty { return message }
        let scrolled =
            levels.count < levelCount
            ? "levels \(levels.lowerBound + 1) to \(levels.upperBound) of \(levelCount)  " : ""
        guard let search else { return scrolled + "? help  / search  Enter zoom  Esc back  q quit" }
        let matched = share(tree.matched(within: focus, found: search.found), tree.nodes[focus].total)
        return "matched \(matched)\(focus == 0 ? "" : " of the zoom")  /\(search.expression)/  " + scrolled
            + "n N next  Esc back"
    }

    private func share(_ part: UInt64, _ whole: UInt64) -> String {
        Decimal.text(whole == 0 ? 100 : 100 * Double(part) / Double(whole), places: 2) + " %"
    }

    private func amount(_ value: UInt64) -> String {
        guard unit == "nanoseconds" else { return "\(Grouped.text(value)) \(unit)" }
        return Decimal.text(Double(value) / 1e9, places: 2) + " s"
    }
}
