import Analysis
import FlameGraphs
import Foundation
import Profiles
import SampleBuilder
import Testing

private func page(
    _ pair: ProfilePair, widths: DifferentialFlameGraph.Widths = .against, measure: Measure = .samples
) -> [UInt8] {
    let tree = DifferenceTree(pair)
    let rows = Difference(pair, options: DifferenceOptions(limit: Int.max)).rows
    return FlameGraphPage(
        tree, movements: tree.movements(of: pair), functions: rows, widths: widths, measure: measure,
        unitName: pair.base.unitName(measure), title: "Difference", subtitle: "base; against"
    ).html()
}

/// The colour in the middle of a frame, by the browser's own pixels.
private let pixel = #"""
    const pixel = (name) => {
        const frame = flameGraph.drawn().find((f) => f.name === name), ratio = devicePixelRatio;
        const at = [(frame.x + frame.width - 6) * ratio, (frame.y + 4) * ratio, 1, 1];
        return Array.from(canvas.getContext("2d").getImageData(...at).data);
    };
    """#

@Suite(.enabled(if: pageBrowser != nil, "needs chromium"), .serialized)
struct DifferencePageTests {
    @Test func `frames are red and blue where a change is proved, and as wide as either side`() throws {
        let verdict = try drive(
            page(differingPair()),
            script: pixel + #"""
                look("against");
                out.table = ["slow", "deep", "main", "steady", "old"].map((name) => pixel(name).map(String));
                over("mousemove", "slow"); look("slow");
                over("mousemove", "old"); look("old");
                over("mousemove", "main"); look("main");
                type("slow|old"); look("searched"); type("");
                const select = document.getElementById("widths");
                select.value = "base"; select.dispatchEvent(new Event("change")); look("base");
                out.pixel = pixel("old");
                """#)
        #expect(verdict.error == nil)
        let against = try #require(verdict.looks["against"])
        // 9,028 samples; `old`, gone by now, comes on top, as wide as it was: 1,000 of 9,020.
        let slow = try #require(against.drawn.first { $0.name == "slow" })
        let old = try #require(against.drawn.first { $0.name == "old" })
        let all = try #require(against.drawn.first { $0.name == "all" })
        #expect(abs(slow.width / against.width - 3000 / (9028 * (1 + 1000.0 / 9020))) < 0.001)
        #expect(abs(old.width / slow.width - (1000.0 / 9020) / (3000.0 / 9028)) < 0.001)
        #expect(old.isElided && !slow.isElided && !all.isElided && all.width == against.width)
        let colours = try #require(verdict.table).map { $0.compactMap { Int($0) } }
        #expect(colours[0][0] == 255 && colours[0][1] < 120 && colours[0][1] == colours[0][2], "\(colours)")
        #expect(colours[1] == colours[0])
        #expect(colours[2] == [215, 215, 215, 255])
        #expect(colours[4] == [255, 255, 255, 255], "elided frames have a white ground")
        let words = try #require(verdict.looks["slow"]).details
        #expect(words.hasPrefix("slow (3,000 samples): base 22.17%, against 33.23%, +11.06 points, grew"), "\(words)")
        #expect(
            verdict.looks["old"]?.details.hasPrefix(
                "old (0 samples): base 11.09%, against 0.00%, -11.09 points, shrank") == true)
        #expect(verdict.looks["main"]?.details.contains("+0.00 points, within noise") == true)
        #expect(verdict.looks["searched"]?.matched == "Matched: base 33.26%, against 33.23%")
        // In the base's widths nothing is elided, and `old` is blue.
        let base = try #require(verdict.looks["base"])
        #expect(base.drawn.allSatisfy { !$0.isElided } && base.hash == "#w=base")
        let before = try #require(base.drawn.first { $0.name == "old" })
        #expect(abs(before.width / base.width - 1000.0 / 9020) < 0.001)
        let blue = try #require(verdict.pixel)
        #expect(blue[2] == 255 && blue[0] < 120)
    }

    @Test func `its address brings the side back, and colours by kind are there too`() throws {
        let verdict = try drive(
            page(differingPair()), hash: "#w=base&c=kind",
            script: pixel + #"""
                look("start");
                out.pixel = pixel("slow");
                out.caption = document.getElementById("legend").textContent;
                out.count = document.querySelectorAll("#colour option").length;
                """#)
        #expect(verdict.error == nil)
        #expect(verdict.looks["start"]?.drawn.allSatisfy { !$0.isElided } == true)
        #expect(verdict.pixel != [215, 215, 215, 255])
        #expect(verdict.caption?.contains("nothing proved") == true && verdict.caption?.contains("only after") == true)
        #expect(verdict.count == 3)
    }

    @Test func `the table has both shares, the change and its verdict, what is proved first`() throws {
        let html = page(differingPair())
        let verdict = try drive(
            html,
            script: #"""
                click("v-table");
                const rows = () => Array.from(document.querySelectorAll("tbody tr"), (row) => Array.from(row.cells, (c) => c.textContent));
                out.table = rows();
                document.querySelector("tbody button").click();
                out.caption = document.querySelector("h2").textContent;
                out.callers = flameGraph.callers();
                out.callees = flameGraph.callees();
                look("sandwich");
                """#)
        #expect(verdict.error == nil)
        let table = try #require(verdict.table)
        #expect(Set(table.prefix(4).map { $0[4] }) == ["slow", "deep", "old", "gone"], "\(table)")
        let rows = Dictionary(uniqueKeysWithValues: table.map { ($0[4], Array($0.prefix(4))) })
        #expect(rows["slow"] == ["22.17%", "33.23%", "+11.06", "grew"])
        #expect(rows["old"] == ["11.09%", "0.00%", "-11.09", "shrank"])
        #expect(rows["main"] == ["100.00%", "100.00%", "+0.00", "within noise"])
        #expect(verdict.caption?.contains("points, ") == true, "\(verdict.caption ?? "")")
        #expect(verdict.callers?.map(\.name).contains("main") == true)
        // Without scripts the same is in the page.
        let text = String(decoding: html, as: UTF8.self)
        #expect(
            text.contains(
                "<tr><td>22.17 %</td><td>33.23 %</td><td>+11.06</td><td>grew</td><th scope=\"row\">slow</th>"))
        #expect(text.contains("<td>100.00 %</td><td>100.00 %</td><td>+0.00</td><td>within noise</td>"))
    }

    @Test func `equal sides are grey all over, and hostile names stay text`() throws {
        var builder = SampleBuilder()
        let hostile = "</script><img src=x onerror=\"out.error='run'\">\u{1B}[31m"
        for host in 0..<5 { builder.add(host: "h\(host)", ["p/p;main;\(hostile)": 50, "p/p;main;f": 50]) }
        let pair = ProfilePair(
            SamplePair(base: builder.samples, against: builder.samples), symbolizer: NamesByAddress())
        let verdict = try drive(
            page(pair, widths: .base, measure: .unit),
            script: pixel + #"""
                look("start");
                out.table = flameGraph.drawn().filter((f) => f.name !== "all").map((f) => pixel(f.name).map(String));
                out.count = document.querySelectorAll("img").length;
                over("mousemove", "f");
                out.caption = details();
                """#)
        #expect(verdict.error == nil)
        #expect(verdict.looks["start"]?.drawn.contains { $0.name == hostile } == true)
        #expect(verdict.table?.allSatisfy { $0 == ["215", "215", "215", "255"] } == true)
        #expect(verdict.count == 0)
        #expect(
            verdict.caption?.hasPrefix("f (2,500,000 microseconds): base 50.00%") == true, "\(verdict.caption ?? "")")
    }
}
