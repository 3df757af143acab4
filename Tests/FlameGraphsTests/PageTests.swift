import Analysis
import FlameGraphs
import Foundation
import Profiles
import SampleBuilder
import Testing

let pageBrowser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].first {
    Command.exists($0)
}

private func page(_ stacks: [(String, UInt64)], title: String = "t") -> [UInt8] {
    var builder = SampleBuilder()
    builder.add(stacks: stacks)
    let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress(), depth: 5000)
    return FlameGraphPage(profile.callTree(), title: title, subtitle: "range · samples & losses").html()
}

/// A frame as the page says that it has drawn it.
struct Drawn: Decodable {
    var name: String
    var depth: Int
    var x: Double
    var width: Double
    var y: Double
    var total: Double
    var faded: Bool
    var isElided: Bool

    /// Name, place and width in per cent of the window's.
    func text(_ whole: Double) -> String {
        let place = [x, width].map { String(format: "%.1f", 100 * $0 / whole) }
        return "\(name) \(place[0]) \(place[1])\(faded ? " faded" : "")\(isElided ? " elided" : "")"
    }
}

struct Look: Decodable {
    var drawn: [Drawn]
    var width: Double
    var details: String
    var matched: String
    var hash: String

    var texts: [String] { drawn.map { $0.text(width) }.sorted() }
}

struct PageVerdict: Decodable {
    var error: String?
    var looks: [String: Look] = [:]
    var callers: [Drawn]?
    var callees: [Drawn]?
    var table: [[String]]?
    var caption: String?
    var pixel: [Int]?
    var ready: Double?
    var count: Int?
    var dark: [String]?
}

/// Runs `script` in a browser that has opened the page.
func drive(
    _ html: [UInt8], hash: String = "", width: Int = 900, flags: [String] = [], script: String
) throws -> PageVerdict {
    let driver = #"""
        <script>
        const out = { looks: {} };
        try {
            const canvas = document.querySelector("canvas");
            const details = () => document.getElementById("details").textContent;
            const look = (step) => {
                out.looks[step] = {
                    drawn: flameGraph.drawn(), width: canvas.clientWidth, details: details(),
                    matched: document.getElementById("matched").textContent, hash: decodeURIComponent(location.hash)
                };
            };
            const over = (type, name, depth) => {
                const frame = flameGraph.drawn().find((f) => f.name === name && (depth === undefined || f.depth === depth));
                const bounds = canvas.getBoundingClientRect();
                canvas.dispatchEvent(new MouseEvent(type, {
                    bubbles: true, clientX: bounds.left + frame.x + frame.width / 2, clientY: bounds.top + frame.y + 5
                }));
            };
            const press = (key, target, control) => (target || window).dispatchEvent(
                new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ctrlKey: !!control }));
            const type = (text) => {
                const field = document.getElementById("search");
                field.value = text;
                field.dispatchEvent(new Event("input"));
            };
            const click = (id) => document.getElementById(id).click();
            SCRIPT
        } catch (error) { out.error = String(error) + error.stack; }
        const verdict = document.createElement("pre");
        verdict.id = "verdict";
        verdict.textContent = encodeURIComponent(JSON.stringify(out));
        document.body.append(verdict);
        </script>
        """#.replacingOccurrences(of: "SCRIPT", with: script)
    let folder = try TemporaryFolder()
    var text = String(decoding: html, as: UTF8.self)
    let end = try #require(text.range(of: "</body>", options: .backwards))
    text.insert(contentsOf: driver, at: end.lowerBound)
    let file = try folder.write(Array(text.utf8), as: "page.html")
    let result = try Command.run(
        try #require(pageBrowser),
        [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--user-data-dir=\(folder.path("profile"))", "--window-size=\(width),600", "--virtual-time-budget=3000",
        ] + flags + ["--dump-dom", "file://\(file)\(hash)"], seconds: 90)
    let dom = String(decoding: result.output, as: UTF8.self)
    let start = try #require(dom.range(of: "id=\"verdict\">"), "the browser ran no script: \(dom.prefix(300))")
    let json = try #require(String(dom[start.upperBound...].prefix { $0 != "<" }).removingPercentEncoding)
    return try JSONDecoder().decode(PageVerdict.self, from: Data(json.utf8))
}

@Suite(.enabled(if: pageBrowser != nil, "needs chromium"), .serialized)
struct PageTests {
    private static let stacks: [(String, UInt64)] = [
        ("p/p;main;f;g", 60), ("p/p;main;f", 10), ("p/p;main;h;g", 20), ("q/q;main", 10),
    ]
    private static let everything = [
        "all 0.0 100.0", "f 0.0 70.0", "g 10.0 60.0", "g 70.0 20.0", "h 70.0 20.0", "main 0.0 90.0", "main 90.0 10.0",
        "p 0.0 90.0", "q 90.0 10.0",
    ]

    @Test func `a browser zooms, searches, turns over and keeps all that in its address`() throws {
        let verdict = try drive(
            page(Self.stacks),
            script: #"""
                look("start");
                over("mousemove", "f"); look("hover");
                over("click", "f"); look("zoomed");
                type("^g$"); look("searched while zoomed");
                click("reset"); look("reset");
                type("f|g"); look("stacks count once");
                type("MAIN"); look("case matters");
                click("ignorecase"); look("case ignored");
                type("(["); look("bad pattern");
                type(""); click("ignorecase"); click("turn"); look("icicle");
                press("i"); look("flame again");
                """#)
        #expect(verdict.error == nil)
        let looks = verdict.looks
        #expect(looks["start"]?.texts == Self.everything)
        #expect(looks["start"]?.hash == "")
        #expect(looks["hover"]?.details.hasPrefix("f (70 samples, 70.00%), self 10.00%") == true)
        #expect(
            looks["zoomed"]?.texts == [
                "all 0.0 100.0 faded", "f 0.0 100.0", "g 14.3 85.7", "main 0.0 100.0 faded", "p 0.0 100.0 faded",
            ])
        #expect(looks["zoomed"]?.hash == "#n=3")
        #expect(looks["searched while zoomed"]?.matched == "Matched: 85.71%")
        #expect(looks["reset"]?.texts == Self.everything)
        #expect(looks["reset"]?.matched == "Matched: 80.00%")
        #expect(looks["reset"]?.hash == "#q=^g$")
        #expect(looks["stacks count once"]?.matched == "Matched: 90.00%")
        #expect(looks["case matters"]?.matched == "Matched: 0.00%")
        #expect(looks["case ignored"]?.matched == "Matched: 100.00%")
        #expect(looks["bad pattern"]?.matched.hasPrefix("not a regular expression") == true)
        let (flame, icicle) = (try #require(looks["flame again"]), try #require(looks["icicle"]))
        #expect(icicle.texts == Self.everything && flame.texts == Self.everything)
        let root = { (look: Look) in look.drawn.first { $0.name == "all" }?.y ?? .nan }
        let leaf = { (look: Look) in look.drawn.filter { $0.name == "g" }.map(\.y).max() ?? .nan }
        #expect(root(icicle) == 0 && leaf(icicle) == 4 * 18)
        #expect(root(flame) - leaf(flame) == 4 * 18)
        #expect(icicle.hash == "#o=icicle" && flame.hash == "")
    }

    @Test func `an address opens what it says`() throws {
        let verdict = try drive(
            page(Self.stacks), hash: "#n=3&q=G&ic=1&o=icicle&t=dark",
            script: #"""
                look("opened");
                out.dark = [getComputedStyle(document.body).backgroundColor, document.getElementById("theme").textContent];
                """#)
        #expect(verdict.error == nil)
        let opened = try #require(verdict.looks["opened"])
        #expect(opened.texts.contains("f 0.0 100.0") && opened.texts.contains("p 0.0 100.0 faded"))
        #expect(opened.matched == "Matched: 85.71%")
        #expect(opened.drawn.first { $0.name == "all" }?.y == 0)
        #expect(verdict.dark == ["rgb(22, 24, 29)", "Light"])
    }

    @Test func `the sandwich shows all callers and callees of a function, recursion once`() throws {
        let stacks: [(String, UInt64)] = [
            ("p/p;main;a;f;x", 30), ("p/p;main;b;f;y", 20), ("p/p;main;b;f;f;x", 40), ("p/p;main;c", 10),
        ]
        let verdict = try drive(
            page(stacks),
            script: #"""
                over("dblclick", "f");
                out.callers = flameGraph.callers();
                out.callees = flameGraph.callees();
                look("sandwich");
                click("v-flame"); look("back");
                """#)
        #expect(verdict.error == nil)
        let callers = try #require(verdict.callers).map { "\($0.depth) \($0.name) \(Int($0.total))" }
        #expect(
            callers == ["0 f 90", "1 a 30", "2 main 30", "3 p 30", "1 b 60", "2 main 60", "3 p 60"])
        let callees = try #require(verdict.callees).map { "\($0.depth) \($0.name) \(Int($0.total))" }
        #expect(callees == ["0 f 90", "1 f 40", "2 x 40", "1 x 30", "1 y 20"])
        #expect(verdict.looks["sandwich"]?.hash.hasPrefix("#v=sandwich&f=") == true)
        #expect(verdict.looks["back"]?.drawn.count == 12)
    }

    @Test func `keys walk the graph and the table says what the picture says`() throws {
        let verdict = try drive(
            page(Self.stacks),
            script: #"""
                canvas.focus();
                press("ArrowUp", canvas); press("ArrowUp", canvas); press("ArrowUp", canvas); look("heaviest callee");
                press("ArrowRight", canvas); look("neighbour");
                press("Enter", canvas); look("entered");
                press("Escape"); look("out");
                click("v-table");
                const rows = () => Array.from(document.querySelectorAll("tbody tr"), (row) => Array.from(row.cells, (c) => c.textContent));
                out.table = rows();
                out.caption = document.querySelector("caption").textContent;
                press("f", window, true);
                if (document.activeElement.id !== "search") throw new Error("Ctrl-F does not search");
                type("^h$");
                out.table.push(...rows());
                """#)
        #expect(verdict.error == nil)
        #expect(verdict.looks["heaviest callee"]?.details.hasPrefix("f (70 samples") == true)
        #expect(verdict.looks["neighbour"]?.details.hasPrefix("h (20 samples") == true)
        #expect(verdict.looks["entered"]?.texts.contains("h 0.0 100.0") == true)
        #expect(verdict.looks["out"]?.texts == Self.everything)
        #expect(
            verdict.table?.map { $0.prefix(3).joined(separator: " ") } == [
                "80.00% 80.00% g", "10.00% 100.00% main", "10.00% 70.00% f", "0.00% 20.00% h", "0.00% 20.00% h",
            ])
        #expect(verdict.caption == "4 functions")
    }

    @Test func `names are text, whatever they hold, and what was found is painted so`() throws {
        let hostile = "</script><img src=x onerror=\"out.error='run'\">&amp\u{1B}[31m\u{2028}\\u0041\"'"
        let html = page([("p/p;\(hostile)", 3), ("p/p;\(String(repeating: "T<", count: 51_200))", 1)], title: hostile)
        let verdict = try drive(
            html,
            script: #"""
                look("start");
                type("onerror");
                const frame = flameGraph.drawn().find((f) => f.name.includes("onerror"));
                const ratio = devicePixelRatio;
                const data = canvas.getContext("2d").getImageData((frame.x + frame.width - 5) * ratio, (frame.y + 3) * ratio, 1, 1).data;
                out.pixel = Array.from(data);
                out.caption = document.querySelector("h1").textContent;
                out.count = document.querySelectorAll("img").length;
                """#)
        #expect(verdict.error == nil)
        #expect(verdict.looks["start"]?.drawn.contains { $0.name == hostile } == true)
        #expect(verdict.looks["start"]?.drawn.contains { $0.name.utf8.count == 102_400 } == true)
        #expect(verdict.pixel == [230, 0, 230, 255])
        #expect(verdict.caption?.contains("<img src=x") == true)
        #expect(verdict.count == 0)
        // Without scripts there is the table.
        let text = String(decoding: html, as: UTF8.self)
        #expect(text.contains("<td>75.00 %</td><td>75.00 %</td><th scope=\"row\">&lt;/script&gt;&lt;img"))
    }

    @Test func `deep stacks scroll, and a hundred thousand stacks open whole`() throws {
        let deep = (0..<2000).map { "f\($0)" }.joined(separator: ";")
        let verdict = try drive(
            page([("p/p;\(deep)", 5)]),
            script: #"""
                look("start");
                const box = canvas.parentElement;
                out.count = flameGraph.drawn().length;
                out.ready = box.scrollHeight;
                """#)
        #expect(verdict.error == nil)
        #expect(verdict.count == 2002 && verdict.ready == 2002 * 18)
        // It opens at its root.
        let start = try #require(verdict.looks["start"])
        #expect((start.drawn.first { $0.name == "all" }?.y ?? -1) > 100)

        let many = (0..<100_000).map { number -> (String, UInt64) in
            let callers = (0..<6).map { "function_\((number >> ($0 * 3)) & 7)_\($0)" }
            return ("p/p;\(callers.joined(separator: ";"));leaf_\(number)", UInt64(1))
        }
        let large = try drive(
            page(many),
            script: #"""
                look("start");
                out.count = page.tree.count;
                type("leaf_99999");
                look("found");
                """#)
        #expect(large.error == nil)
        #expect(large.looks["start"]?.drawn.first { $0.name == "all" }?.total == 100_000)
        #expect((large.count ?? 0) > 100_000)
        #expect(large.looks["found"]?.matched == "Matched: 0.00%")
    }
}
