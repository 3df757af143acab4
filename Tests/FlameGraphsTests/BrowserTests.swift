import Foundation
import Testing

private let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].first {
    Command.exists($0)
}

@Suite(.enabled(if: browser != nil, "needs chromium"), .serialized)
struct BrowserTests {
    private static let stacks: [(String, UInt64)] = [
        ("p/p;main;f;g", 60), ("p/p;main;f", 10), ("p/p;main;h;g", 20), ("q/q;main", 10),
    ]

    /// What each step leaves on the screen, as the browser itself sees it.
    private static let driver = #"""
        window.addEventListener("load", function () {
            var out = { steps: {} };
            try {
                var frames = document.getElementById("frames"), answer = "";
                window.prompt = function () { return answer; };
                function frame(name, parent) {
                    return Array.from(frames.children).find(function (g) {
                        return g.querySelector("title").textContent.startsWith(name + " (" + (parent || ""));
                    });
                }
                function click(node) { node.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true })); }
                function key(k, control) {
                    window.dispatchEvent(new KeyboardEvent("keydown", { key: k, ctrlKey: control, cancelable: true }));
                }
                function look(step) {
                    var shown = Array.from(frames.children).filter(function (g) { return getComputedStyle(g).display !== "none"; });
                    out.steps[step] = {
                        shown: shown.map(function (g) {
                            var rect = g.querySelector("rect");
                            return g.querySelector("title").textContent.split(" (")[0] + " " + parseFloat(rect.getAttribute("x")).toFixed(1)
                                + " " + parseFloat(rect.getAttribute("width")).toFixed(1)
                                + (g.classList.contains("ancestor") ? " faded" : "")
                                + (rect.getAttribute("fill") === "rgb(230,0,230)" ? " found" : "");
                        }).sort(),
                        matched: document.getElementById("matched").textContent.trim(),
                        unzoom: getComputedStyle(document.getElementById("unzoom")).display !== "none",
                        query: location.search
                    };
                }
                look("start");
                click(frame("f").querySelector("rect")); look("zoomed");
                answer = "^g$"; key("f", true); look("searched while zoomed");
                click(document.getElementById("unzoom")); look("reset");
                click(document.getElementById("search")); look("search reset");
                answer = "f|g"; key("F3", false); look("columns count once");
                click(document.getElementById("search"));
                answer = "MAIN"; click(document.getElementById("search")); look("case matters");
                key("i", true); look("case ignored");
                click(frame("h")); click(frame("p")); look("out to an ancestor");
                answer = "(["; key("f", true);
                out.details = document.getElementById("details").textContent;
                frame("p").dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
                out.hover = document.getElementById("details").textContent;
                out.wide = document.documentElement.getBoundingClientRect().width;
                out.inner = Number(frames.getAttribute("width"));
            } catch (error) { out.error = String(error); }
            var verdict = document.createElementNS("http://www.w3.org/2000/svg", "text");
            verdict.setAttribute("id", "verdict");
            verdict.textContent = encodeURIComponent(JSON.stringify(out));
            document.documentElement.appendChild(verdict);
        });
        """#

    struct Step: Decodable {
        var shown: [String]
        var matched: String
        var unzoom: Bool
        var query: String
    }

    struct Verdict: Decodable {
        var steps: [String: Step]
        var error: String?
        var details: String?
        var hover: String?
        var wide: Double?
        var inner: Double?
        var scrolled: Double?
        var below: Double?
    }

    private static func drive(
        _ stacks: [(String, UInt64)] = BrowserTests.stacks, query: String = "", width: Int = 900, driver: String
    ) throws -> Verdict {
        let folder = try TemporaryFolder()
        var svg = String(decoding: picture(stacks), as: UTF8.self)
        let end = try #require(svg.range(of: "</svg>", options: .backwards))
        svg.insert(contentsOf: "<script><![CDATA[\n\(driver)\n]]></script>\n", at: end.lowerBound)
        let file = try folder.write(Array(svg.utf8), as: "picture.svg")
        let result = try Command.run(
            try #require(browser),
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--user-data-dir=\(folder.path("profile"))", "--window-size=\(width),600",
                "--virtual-time-budget=3000", "--dump-dom", "file://\(file)\(query)",
            ], seconds: 60)
        let dom = String(decoding: result.output, as: UTF8.self)
        let start = try #require(dom.range(of: "id=\"verdict\">"), "the browser ran no script: \(dom.prefix(300))")
        let text = dom[start.upperBound...].prefix { $0 != "<" }
        let json = try #require(String(text).removingPercentEncoding)
        return try JSONDecoder().decode(Verdict.self, from: Data(json.utf8))
    }

    @Test func `a browser zooms, searches and resets`() throws {
        let verdict = try Self.drive(driver: Self.driver)
        #expect(verdict.error == nil)
        let steps = verdict.steps
        let everything = [
            "all 0.0 100.0", "f 0.0 70.0", "g 10.0 60.0", "g 70.0 20.0", "h 70.0 20.0", "main 0.0 90.0",
            "main 90.0 10.0",
            "p 0.0 90.0", "q 90.0 10.0",
        ]
        #expect(steps["start"]?.shown == everything)
        #expect(steps["start"]?.unzoom == false)
        #expect(steps["start"]?.matched == "")
        let zoomed = ["all 0.0 100.0 faded", "f 0.0 100.0", "g 14.3 85.7", "main 0.0 100.0 faded", "p 0.0 100.0 faded"]
        #expect(steps["zoomed"]?.shown == zoomed)
        #expect(steps["zoomed"]?.unzoom == true)
        #expect(steps["zoomed"]?.query.contains("x=0&y=") == true)
        #expect(steps["searched while zoomed"]?.matched == "Matched: 85.7%")
        #expect(steps["searched while zoomed"]?.shown.contains("g 14.3 85.7 found") == true)
        #expect(steps["reset"]?.shown == everything.map { $0.hasPrefix("g") ? $0 + " found" : $0 })
        #expect(steps["reset"]?.matched == "Matched: 80.0%")
        #expect(steps["reset"]?.query == "?s=%5Eg%24")
        #expect(steps["search reset"]?.shown == everything)
        #expect(steps["search reset"]?.matched == "")
        #expect(steps["search reset"]?.query == "")
        #expect(steps["columns count once"]?.matched == "Matched: 90.0%")
        #expect(steps["case matters"]?.matched == "Matched: 0.0%")
        #expect(steps["case ignored"]?.matched == "Matched: 100.0%")
        #expect(steps["out to an ancestor"]?.shown.contains("h 77.8 22.2") == true)
        #expect(verdict.details?.contains("([") == true)
        #expect(verdict.hover == "Function: p (90 samples, 90.00%)")
        let (wide, inner) = (try #require(verdict.wide), try #require(verdict.inner))
        #expect(abs(wide - 900) < 30 && abs(wide - inner - 20) < 1, "as wide as the window")
    }

    @Test func `a picture higher than the window opens at its root`() throws {
        let look = Self.driver.replacingOccurrences(
            of: #"look("start");"#,
            with: #"""
                out.scrolled = window.scrollY;
                out.below = document.documentElement.getBoundingClientRect().bottom - window.innerHeight;
                throw 'done';
                """#)
        let deep = "p/p;main" + String(repeating: ";f", count: 100)
        let opened = try Self.drive([(deep, 10)], driver: look)
        #expect(opened.error == "done")
        let (scrolled, below) = (try #require(opened.scrolled), try #require(opened.below))
        #expect(scrolled > 500 && below < 2)
        let y = try #require(try drawnFrames(picture([(deep, 10)])).first { $0.title.hasPrefix("f (") }).y
        let zoomed = try Self.drive([(deep, 10)], query: "?x=0&y=\(Int(y))", driver: look)
        #expect(zoomed.scrolled == 0, "an address that names a frame is left where it is")
    }

    @Test func `a picture's address brings its zoom and search back`() throws {
        let look = Self.driver.replacingOccurrences(of: #"look("start");"#, with: #"look("start"); return;"#)
            .replacingOccurrences(of: "return;\n", with: "throw 'done';\n")
        let y = try #require(try drawnFrames(picture(Self.stacks)).first { $0.title.hasPrefix("h (") }).y
        let verdict = try Self.drive(query: "?x=70&y=\(Int(y))&s=G&ic=1", driver: look)
        #expect(verdict.error == "done")
        #expect(
            verdict.steps["start"]?.shown == [
                "all 0.0 100.0 faded", "g 0.0 100.0 found", "h 0.0 100.0", "main 0.0 100.0 faded", "p 0.0 100.0 faded",
            ])
        #expect(verdict.steps["start"]?.matched == "Matched: 100.0%")
    }
}
