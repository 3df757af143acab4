import Analysis
import FlameGraphs
import Formats
import Foundation
import Profiles
import SampleBuilder
import Testing

private let start = Timestamp(seconds: 1_790_000_000)

/// 2.5 s at 100 Hz: `slow` in the first 100 ms of each half second, `other` at 0.7 s alone, nothing measured from 1.2 to
/// 1.4 s, and losses until 0.2 s.
private struct Material {
    var set = SampleSet()
    var moments = SampleMoments()
    let range = TimeRange(start: start, end: start + 2_500_000_000)

    init() {
        var builder = SampleBuilder()
        let slow = builder.intern("app/t;main;slow"), other = builder.intern("app/t;main;other")
        func add(_ milliseconds: Int64, _ node: UInt32) {
            moments.moments.append(
                SampleMoments.Moment(time: start + milliseconds * 1_000_000, key: 0, node: node, weight: 10_000_000))
        }
        for half in 0..<5 { for tick in 0..<10 { add(Int64(half * 500 + tick * 10), slow) } }
        add(700, other)
        builder.add(["app/t;main;slow": 50, "app/t;main;other": 1])
        set = builder.samples
        moments.windows = [(0, 200, 4), (200, 1200, 0), (1400, 2500, 0)].map { from, to, dropped in
            SampleMoments.Window(
                range: TimeRange(start: start + Int64(from) * 1_000_000, end: start + Int64(to) * 1_000_000),
                dropped: dropped)
        }
    }

    var scope: FlameScope { FlameScope(moments, range: range, samplesPerSecond: 100) }
}

private func parsed(_ svg: [UInt8], _ expression: String) throws -> [String] {
    let program = """
        import json, sys, xml.etree.ElementTree as tree
        S = '{http://www.w3.org/2000/svg}'
        root = tree.parse(sys.argv[1]).getroot()
        def group(name): return [e for e in root if e.get('id') == name][0]
        json.dump(\(expression), sys.stdout)
        """
    let folder = try TemporaryFolder()
    let file = try folder.write(svg, as: "scope.svg")
    let result = try Command.run("/usr/bin/python3", ["-c", program, file])
    #expect(result.status == 0, "the picture is no XML")
    return try JSONSerialization.jsonObject(with: Data(result.output)) as? [String] ?? []
}

@Suite(.enabled(if: hasPython, "needs python3 at /usr/bin/python3"))
struct FlameScopePictureTests {
    @Test func `heat is where the samples were taken`() throws {
        let svg = FlameScopePicture(Material().scope).svg(title: "app", subtitle: "100 Hz")
        let paths = try parsed(svg, "[e.get('class') + ' ' + e.get('d') for e in group('cells').iter(S + 'path')]")
        // Columns of 28 px from 64 on, rows of 8 px from 74 on; a burst is five rows, and the second one begins at 500 ms.
        let hottest = try #require(paths.first { $0.hasPrefix("h12 ") })
        for place in ["M64 74h28v40h-28z", "M64 274h28v40h-28z", "M92 74h28v40h-28z", "M120 74h28v40h-28z"] {
            #expect(hottest.contains(place), "\(place) in \(hottest)")
        }
        let other = try #require(paths.first { $0.contains("M64 354h28v8h-28z") })
        #expect(other.hasPrefix("h6 "), "half of the brightest: \(other)")
    }

    @Test func `what was not measured is hatched and named, and losses are edged`() throws {
        let svg = FlameScopePicture(Material().scope).svg(title: "app")
        let gaps = try parsed(svg, "[e.get('d') for e in group('gaps').iter(S + 'path')]")
        // 1.2 to 1.4 s, and the second half of the third second.
        #expect(gaps == ["M92 154h28v80h-28zM120 274h28v200h-28z"])
        let titles = try parsed(svg, "[e.text for e in group('gaps').iter(S + 'title')]")
        #expect(titles == ["not measured"])
        #expect(try parsed(svg, "[e.get('d') for e in group('losses').iter(S + 'path')]") == ["M64 74h28v80h-28z"])
        let seconds = try parsed(svg, "[e.text for e in group('seconds').iter(S + 'title')]")
        #expect(seconds.count == 3 && seconds[0] == "second 0: 0.21 cores on average, most 1 at 0 ms")
        let legend = try parsed(svg, "[e.text for e in group('legend').iter(S + 'text')]")
        #expect(legend == ["idle", "0.25", "0.5", "0.75", "1 cores and more", "not measured", "samples lost"])
        let description = try parsed(svg, "[root.find(S + 'desc').text]")
        #expect(description[0].contains("35 of 150 cells were not measured"))
    }

    @Test func `a hostile title and an empty profile leave it well-formed`() throws {
        let hostile = "<script>&\"'\u{0}]]>\u{FFFF}"
        for scope in [
            Material().scope,
            FlameScope(SampleMoments(), range: TimeRange(start: start, end: start), samplesPerSecond: 100),
        ] {
            let svg = FlameScopePicture(scope).svg(title: hostile, subtitle: hostile)
            #expect(try parsed(svg, "[root.find(S + 'title').text]")[0].hasPrefix("<script>&"))
            #expect(!String(decoding: svg, as: UTF8.self).contains("<script"))
        }
        let long = FlameScope(
            Material().moments, range: TimeRange(start: start, end: start + 3_000_000_000_000), samplesPerSecond: 100)
        #expect(FlameScopePicture(long).svg(title: "t").count < 1_000_000)
    }

    @Test func `text shows the same, with what a terminal has`() {
        let lines = FlameScopeText.text(Material().scope, columns: 80).split(
            separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "        0s " || lines[0].hasPrefix("        0s"))
        // 25 lines of 40 ms: the first two and a half of each half second are busy; from 1.2 to 1.4 s are dots.
        #expect(lines[1] == "   0 ms ███" && lines[2] == "        ███", "\(lines[1])")
        #expect(lines[6] == " 200 ms  · " || lines[6].hasPrefix(" 200 ms  ·"), "\(lines[6])")
        #expect(lines.contains { $0.hasPrefix("   lost !") })
        #expect(lines.contains { $0.contains("· not measured; a line is 40 ms of each second; ! in that second") })
    }
}

private let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].first {
    Command.exists($0)
}

@Suite(.enabled(if: browser != nil, "needs chromium"), .serialized)
struct FlameScopePageTests {
    private struct Look: Decodable {
        var names: [String]
        var total: Double
        var said: String
        var from: Double
        var to: Double
    }

    private struct Verdict: Decodable {
        var error: String?
        var looks: [String: Look] = [:]
        var label: String?
        var table: [String]?
    }

    private static let driver = #"""
        <script>
        const out = { looks: {} };
        try {
            const look = (step) => {
                const drawn = flameGraph.drawn().filter((f) => f.total > 0);
                out.looks[step] = {
                    names: drawn.map((f) => f.name + " " + f.total).sort(), total: page.tree.total[0],
                    said: document.getElementById("span").textContent, from: flameScope.span.from, to: flameScope.span.to
                };
            };
            look("start");
            const canvas = document.getElementById("scope-canvas"), bounds = canvas.getBoundingClientRect();
            const pointer = (type, second, row) => canvas.dispatchEvent(new PointerEvent(type, {
                bubbles: true, clientX: bounds.left + (second + 0.5) * flameScope.cell, clientY: bounds.top + (row + 0.5) * 3.2
            }));
            // From 0.64 s to 0.76 s, and backwards from 1.02 s to 0.98 s.
            pointer("pointerdown", 0, 32); pointer("pointermove", 0, 34); pointer("pointerup", 0, 37); look("dragged");
            pointer("pointerdown", 1, 1); pointer("pointerup", 0, 49); look("backwards");
            const set = (id, value) => {
                document.getElementById(id).value = value;
                document.getElementById(id).dispatchEvent(new Event("change"));
            };
            set("span-to", "2.5"); set("span-from", "1.9"); look("typed");
            document.getElementById("v-table").click();
            out.table = Array.from(document.querySelectorAll("#table tbody th"), (cell) => cell.textContent);
            document.getElementById("v-flame").click();
            set("span-from", "9"); look("empty");
            document.getElementById("span-all").click(); look("all");
            out.label = canvas.getAttribute("aria-label");
        } catch (error) { out.error = String(error) + error.stack; }
        const verdict = document.createElement("pre");
        verdict.id = "verdict";
        verdict.textContent = encodeURIComponent(JSON.stringify(out));
        document.body.append(verdict);
        </script>
        """#

    @Test func `a span that is selected shows its own flame graph`() throws {
        let material = Material()
        let profile = NamedProfile(material.set, symbolizer: NamesByAddress(), range: material.range)
        let (tree, places) = profile.timedCallTree(material.moments)
        let html = FlameGraphPage(
            tree, title: "app",
            scope: PageScope(
                material.scope, moments: material.moments, places: places, measure: .samples)
        ).html()
        let folder = try TemporaryFolder()
        var text = String(decoding: html, as: UTF8.self)
        let end = try #require(text.range(of: "</body>", options: .backwards))
        text.insert(contentsOf: Self.driver, at: end.lowerBound)
        let file = try folder.write(Array(text.utf8), as: "page.html")
        let result = try Command.run(
            try #require(browser),
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--user-data-dir=\(folder.path("profile"))", "--window-size=900,700", "--virtual-time-budget=3000",
                "--dump-dom", "file://\(file)",
            ], seconds: 90)
        let dom = String(decoding: result.output, as: UTF8.self)
        let place = try #require(dom.range(of: "id=\"verdict\">"), "the browser ran no script: \(dom.prefix(300))")
        let json = try #require(String(dom[place.upperBound...].prefix { $0 != "<" }).removingPercentEncoding)
        let verdict = try JSONDecoder().decode(Verdict.self, from: Data(json.utf8))
        #expect(verdict.error == nil, "\(verdict.error ?? "")")
        let looks = verdict.looks
        let all = ["all 51", "app 51", "main 51", "other 1", "slow 50"]
        #expect(looks["start"]?.names == all && looks["start"]?.said == "all of the time: 51 samples")
        #expect(looks["dragged"]?.names == ["all 1", "app 1", "main 1", "other 1"])
        #expect(looks["dragged"]?.said == "0.64 s to 0.76 s: 1 samples")
        #expect(looks["backwards"]?.said == "0.98 s to 1.04 s: 4 samples")
        #expect(looks["backwards"]?.names == ["all 4", "app 4", "main 4", "slow 4"])
        #expect(looks["typed"]?.total == 10 && looks["typed"]?.from == 1.9e6 && looks["typed"]?.to == 2.5e6)
        #expect(verdict.table == ["main", "slow"] || verdict.table == ["slow", "main"], "\(verdict.table ?? [])")
        // A span that ends before it begins changes nothing.
        #expect(looks["empty"]?.total == 10 && looks["empty"]?.said == "a span ends after it begins")
        #expect(looks["all"]?.names == all)
        #expect(
            verdict.label?.contains("35 of 150 cells not measured, most 1.00 cores") == true, "\(verdict.label ?? "")")
    }

    @Test func `a page without a scope has none of it`() {
        let profile = NamedProfile(Material().set, symbolizer: NamesByAddress())
        let html = String(decoding: FlameGraphPage(profile.callTree(), title: "t").html(), as: UTF8.self)
        #expect(!html.contains("scope-view") && !html.contains("id=\"moments\""))
    }
}
