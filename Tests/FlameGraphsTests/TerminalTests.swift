import Analysis
import FlameGraphs
import Foundation
import Profiles
import SampleBuilder
import Testing

private let plain = TerminalAbilities(colours: .none, isUnicode: false)
private let colourful = TerminalAbilities(colours: .true24Bit, isUnicode: true)

private func graph(
    _ stacks: [(String, UInt64)], names: NamesByAddress = NamesByAddress()
) -> TerminalFlameGraph {
    var builder = SampleBuilder()
    builder.add(stacks: stacks)
    let profile = NamedProfile(builder.samples, symbolizer: names, depth: 5000)
    return TerminalFlameGraph(profile.callTree(), unit: profile.type.unit, title: "web", subtitle: "range")
}

private let stacks: [(String, UInt64)] = [
    ("p/p;main;f;g", 60), ("p/p;main;f", 10), ("p/p;main;h;g", 20), ("q/q;main", 10),
]

/// A frame's cells without colours.
private func bar(_ name: String, _ width: Int) -> String {
    "|" + name + String(repeating: "-", count: width - 1 - name.count)
}

/// A graph, a terminal of a size, and keys pressed one after the other.
private struct Screen {
    var graph: TerminalFlameGraph
    var size = TerminalSize(columns: 40, rows: 10)
    var abilities = plain
    var isOpen = true

    var rows: [String] {
        let grid = graph.grid(size, abilities)
        return (0..<size.rows).map { grid.text(ofRow: $0) }
    }

    mutating func press(_ keys: TerminalKey...) {
        for key in keys { isOpen = graph.handle(key, in: size) && isOpen }
    }

    mutating func type(_ text: String) {
        for scalar in text.unicodeScalars { press(.character(scalar)) }
    }
}

@Suite struct TerminalPictureTests {
    @Test func `frames are as wide as what they weigh, the root below`() {
        let screen = Screen(graph: graph(stacks))
        #expect(
            screen.rows == [
                "web  range",
                "",
                "    " + bar("g", 24) + bar("g", 8),
                bar("f", 28) + bar("h", 8),
                bar("main", 36) + "|mai",
                bar("p", 36) + bar("q", 4),
                bar("all", 40),
                "all",
                "1.00 s, 100.00 %, self 0.00 %",
                "? help  / search  Enter zoom  Esc back..",
            ])
    }

    @Test func `keys lead to callees, callers and neighbours, zoom, and lead back`() {
        var screen = Screen(graph: graph(stacks))
        screen.press(.up, .up, .up)
        #expect(screen.rows[7] == "f")
        #expect(screen.rows[8] == "0.70 s, 70.00 %, self 10.00 %  app")
        screen.press(.right)
        #expect(screen.rows[7] == "h")
        screen.press(.enter)
        #expect(Array(screen.rows[2..<7]) == ["g", "h", "main", "p", "all"].map { bar($0, 40) })
        #expect(screen.rows[8] == "0.20 s, 20.00 %, self 0.00 %, 100.00 %..")
        // Callers of what is zoomed to can be reached and zoomed to.
        screen.press(.down, .down, .enter)
        #expect(screen.rows[7] == "p")
        #expect(screen.rows[3] == bar("f", 31) + bar("h", 9))
        screen.press(.escape)
        #expect(screen.rows[2] == bar("g", 40))
        screen.press(.backspace)
        #expect(screen.rows[2] == "    " + bar("g", 24) + bar("g", 8))
        // Letters of vi do the same.
        screen.type("kl")
        #expect(screen.rows[7] == "main" && screen.rows[8].hasPrefix("0.10 s"))
        screen.press(.home)
        #expect(screen.rows[7] == "all")
        screen.press(.end)
        #expect(screen.rows[7] == "g")
        #expect(screen.isOpen)
        screen.press(.character("q"))
        #expect(!screen.isOpen)
    }

    @Test func `the picture is turned over, and the arrows with it`() {
        var screen = Screen(graph: graph(stacks))
        screen.press(.character("i"))
        #expect(
            Array(screen.rows[1..<7]) == [
                bar("all", 40), bar("p", 36) + bar("q", 4), bar("main", 36) + "|mai", bar("f", 28) + bar("h", 8),
                "    " + bar("g", 24) + bar("g", 8), "",
            ])
        screen.press(.down)
        #expect(screen.rows[7] == "p")
        screen.press(.up)
        #expect(screen.rows[7] == "all")
    }

    @Test func `a search says the share that matches, each stack once, and leads from match to match`() {
        var screen = Screen(graph: graph(stacks))
        screen.size.columns = 80
        screen.type("/f|g")
        #expect(screen.rows[9] == "/f|g_")
        screen.press(.enter)
        #expect(screen.rows[9].hasPrefix("matched 90.00 %  /f|g/"))
        screen.press(.character("n"))
        #expect(screen.rows[7] == "f")
        screen.press(.character("n"), .character("n"))
        #expect(screen.rows[7] == "g")
        #expect(screen.rows[8].hasPrefix("0.20 s"))
        screen.press(.character("n"))
        #expect(screen.rows[7] == "f")
        #expect(screen.rows[9] == "from the start again")
        screen.press(.character("N"))
        #expect(screen.rows[7] == "g")
        // Of the zoom, where there is one.
        screen.press(.down, .down, .left, .home, .character("n"), .enter)
        #expect(screen.rows[7] == "f")
        #expect(screen.rows[9].hasPrefix("matched 100.00 % of the zoom"))
        screen.press(.escape, .escape)
        #expect(screen.rows[9].hasPrefix("? help"))
        // What is no expression is told, with its place.
        screen.type("/a(b")
        screen.press(.enter)
        #expect(screen.rows[9].hasPrefix("/a(b: at character 2:"), "\(screen.rows[9])")
        screen.type("/nothing")
        screen.press(.enter, .character("n"))
        #expect(screen.rows[9] == "no frame matches /nothing/")
        screen.type("/x")
        screen.press(.backspace, .backspace)
        #expect(screen.rows[9].hasPrefix("matched 0.00 %"), "an empty search that is left changes nothing")
    }

    @Test func `help shows the keys and any key goes on`() {
        var screen = Screen(graph: graph(stacks))
        screen.press(.character("?"))
        #expect(screen.rows[1] == "Keys" && screen.rows[2].hasPrefix("arrows, h j k l"))
        screen.press(.character("q"))
        #expect(screen.isOpen && screen.rows[6].hasPrefix("|all"))
    }

    @Test func `a match too narrow for a cell is zoomed to`() {
        let many = (0..<500).map { ("p/p;main;f\($0)", UInt64(1)) }
        var screen = Screen(graph: graph(many + [("p/p;main;needle;tip", 1)]))
        #expect(!screen.rows.joined().contains("needle"))
        screen.type("/needle")
        screen.press(.enter, .character("n"))
        #expect(screen.rows[7] == "needle")
        #expect(screen.rows.contains(bar("needle", 40)) && screen.rows.contains(bar("tip", 40)))
    }

    @Test func `every cell of a row shows the frame at its middle`() {
        // A thousand callees of one tenth of a per cent fill the row of their caller all the same.
        let screen = Screen(graph: graph((0..<1000).map { ("p/p;main;f\($0)", UInt64(1)) }))
        #expect(screen.rows[3] == String(repeating: "|", count: 40))
    }

    @Test(arguments: [(1, 1), (10, 5), (10, 24), (3, 2), (2000, 900), (80, 1)])
    func `any size is drawn`(columns: Int, rows: Int) {
        var screen = Screen(graph: graph(stacks), size: TerminalSize(columns: columns, rows: rows))
        #expect(screen.rows.count == min(500, rows))
        #expect(screen.rows.allSatisfy { $0.unicodeScalars.count <= min(1000, columns) })
        screen.press(.up, .enter, .pageUp, .pageDown, .end, .character("/"), .character("g"), .enter, .character("n"))
        #expect(screen.rows.count == min(500, rows))
        if columns == 10, rows == 24 { #expect(screen.rows.contains { $0.hasPrefix("|main") }) }
    }

    @Test func `a stack of 2,000 frames scrolls with the selected frame`() {
        var screen = Screen(graph: graph([("p/p;" + (0..<2000).map { "f\($0)" }.joined(separator: ";"), 3)]))
        #expect(screen.rows[6].hasPrefix("|all") && screen.rows[1].hasPrefix("|f3"))
        #expect(screen.rows[9].hasPrefix("levels 1 to 6 of 2002"))
        screen.press(.end)
        #expect(screen.rows[7] == "f1999" && screen.rows[1].hasPrefix("|f1999"))
        screen.press(.pageDown)
        #expect(screen.rows[7] == "f1994")
        screen.press(.enter)
        #expect(screen.rows[7] == "f1994" && screen.rows.contains { $0.hasPrefix("|f1999") })
        screen.press(.home)
        #expect(screen.rows[6].hasPrefix("|all"))
    }

    @Test func `a picture of nothing is a picture`() {
        var screen = Screen(graph: graph([]))
        #expect(screen.rows[6].hasPrefix("|all") && screen.rows[8] == "0.00 s, 100.00 %, self 100.00 %")
        screen.press(.up, .right, .enter, .character("n"), .end)
        #expect(screen.isOpen)
    }

    @Test func `names are text, in the width that terminals give them`() {
        let hostile = [
            "\u{1B}]0;owned\u{7}\u{1B}[2J", "a\nb\tc\u{9B}31m", "\u{202E}left\u{2066}", "日本語の関数", "e\u{301}te\u{300}",
            "x\u{200D}y\u{FEFF}z", "\u{E000}\u{1F1E9}\u{1F1EA}", "👩‍🔧 fix", String(repeating: "T<", count: 51_200),
            "a;b", "",
        ]
        var names: [UInt64: [NamedFrame]] = [:]
        var stacks: [(String, UInt64)] = []
        for (index, name) in hostile.enumerated() {
            names[UInt64(index + 1)] = [NamedFrame(kind: .native, name: name, module: name, file: name, line: 3)]
            stacks.append(("p/p;0x\(String(index + 1, radix: 16))@m", 100))
        }
        for columns in [10, 40, 333] {
            for abilities in [plain, colourful] {
                var screen = Screen(
                    graph: graph(stacks, names: NamesByAddress(names)),
                    size: TerminalSize(columns: columns, rows: 12), abilities: abilities)
                screen.press(.end, .enter)
                for _ in hostile {
                    screen.press(.escape, .right, .enter)
                    let grid = screen.graph.grid(screen.size, abilities)
                    for row in 0..<12 {
                        let text = grid.text(ofRow: row)
                        let categories = text.unicodeScalars.map(\.properties.generalCategory)
                        #expect(!categories.contains(.control))
                        let bytes = grid.bytes(ofRow: row, colours: abilities.colours)
                        // The only sequences are those that place and colour.
                        let rest = String(decoding: bytes, as: UTF8.self).replacing(#/\u{1B}\[[0-9;]*[Hm]/#, with: "")
                        #expect(!rest.utf8.contains(0x1B))
                        let others = rest.unicodeScalars.map(\.properties.generalCategory)
                        #expect(!others.contains(.control) && !others.contains(.format))
                    }
                }
            }
        }
        var wide = Screen(
            graph: graph([("p/p;0x4@m", 1)], names: NamesByAddress(names)), abilities: colourful)
        wide.size.columns = 9
        // Six letters of two cells beside the edge: three have room, and two dots.
        #expect(wide.rows[4].hasPrefix("\u{258F}日本語.."), "\(wide.rows)")
    }

    @Test func `colours are those that the terminal has`() {
        let grid = Screen(graph: graph([("p/p;main;k:sys", 5)])).graph
            .grid(TerminalSize(columns: 20, rows: 6), colourful)
        func bytes(_ colours: TerminalAbilities.Colours) -> String {
            String(decoding: (0..<6).flatMap { grid.bytes(ofRow: $0, colours: colours) }, as: UTF8.self)
        }
        #expect(bytes(.true24Bit).contains(";48;2;") && !bytes(.true24Bit).contains(";5;"))
        #expect(bytes(.palette).contains(";48;5;") && !bytes(.palette).contains(";2;"))
        #expect(!bytes(.none).contains("48;") && bytes(.none).contains("main"))
        func abilities(_ environment: [String: String]) -> TerminalAbilities.Colours {
            TerminalAbilities(environment: environment).colours
        }
        #expect(abilities(["TERM": "xterm-256color"]) == .palette)
        #expect(abilities(["TERM": "xterm-256color", "COLORTERM": "truecolor"]) == .true24Bit)
        #expect(abilities(["TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"]) == .none)
        #expect(abilities(["TERM": "vt220"]) == .none)
        #expect(TerminalAbilities(environment: ["TERM": "xterm", "LANG": "de_DE.UTF-8"]).isUnicode)
        #expect(!TerminalAbilities(environment: ["TERM": "xterm", "LANG": "C", "LC_CTYPE": ""]).isUnicode)
        #expect(!TerminalAbilities(environment: ["TERM": "dumb"]).movesCursor)
        #expect(!TerminalAbilities(environment: [:]).movesCursor)
    }
}

@Suite struct TerminalKeyTests {
    private func keys(_ text: String) -> [TerminalKey] {
        var keys = TerminalKeys()
        return keys.take(Array(text.utf8)) + keys.finish()
    }

    @Test func `sequences of xterm and VT220 are keys`() {
        #expect(keys("\u{1B}[A\u{1B}OB\u{1B}[1;5C\u{1B}[D") == [.up, .down, .right, .left])
        #expect(keys("\u{1B}[H\u{1B}[4~\u{1B}[5~\u{1B}[6~\u{1B}OF") == [.home, .end, .pageUp, .pageDown, .end])
        #expect(
            keys("\r\n\u{7F}\u{8}q\u{C}/ü日") == [
                .enter, .enter, .backspace, .backspace, .character("q"), .redraw, .character("/"), .character("ü"),
                .character("日"),
            ])
    }

    @Test func `what is no key is left out`() {
        #expect(keys("\u{1B}[200~a\u{1B}[<0;1;2Mb\u{1}\u{1B}[?1;2c") == [.character("a"), .character("b")])
        #expect(keys("\u{1B}[" + String(repeating: "1;", count: 40) + "x").isEmpty)
        #expect(keys("\u{1B}[" + String(repeating: "1;", count: 4000) + "\u{7}y") == [.character("y")])
        var invalid = TerminalKeys()
        #expect(invalid.take([0xFF, 0xC0, 0x80, 0xED, 0xA0, 0x80, 0x61]) == [.character("a")])
        #expect(invalid.take([0xC2, 0x9B]) == [])
    }

    @Test func `keys may come in pieces, and an ESC alone is one`() {
        var keys = TerminalKeys()
        #expect(keys.take([0x1B]).isEmpty && keys.isWaiting)
        #expect(keys.take([0x5B]).isEmpty && keys.isWaiting)
        #expect(keys.take([0x41, 0xE6, 0x97]) == [.up])
        #expect(keys.take([0xA5]) == [.character("日")] && !keys.isWaiting)
        #expect(keys.take([0x1B]).isEmpty && keys.finish() == [.escape] && !keys.isWaiting)
        #expect(keys.take([0x1B, 0x71]) == [.escape, .character("q")])
        #expect(keys.take([0x1B, 0x1B]) == [.escape] && keys.finish() == [.escape])
    }
}
