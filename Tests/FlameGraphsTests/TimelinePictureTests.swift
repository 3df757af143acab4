import Analysis
import FlameGraphs
import Formats
import Foundation
import Profiles
import SampleBuilder
import Testing

private let second: Int64 = 1_000_000_000

private func svg(
    _ samples: SampleSet, by dimension: Analysis.Dimension? = nil, limit: Int = 10, remarks: [String?] = [],
    title: String = "t"
) -> [UInt8] {
    let timeline = NamedProfile(samples, symbolizer: NamesByAddress()).timeline(
        by: dimension, limit: limit, stepNanoseconds: 10 * second, delivered: samples)
    return TimelinePicture(timeline, type: .cpu, remarks: remarks, clock: TimeText.toSecond)
        .svg(title: title, subtitle: "hosts & samples")
}

/// What an XML parser finds, by the id of a group: the paths' data, the titles and the texts in it.
private struct DrawnTimeline {
    var paths: [String: [String]] = [:]
    var titles: [String: [String]] = [:]
    var texts: [String: [String]] = [:]
    var rectangles: [String: [[Double]]] = [:]
    var root: [String: String] = [:]
    var description = ""
}

private func drawnTimeline(_ svg: [UInt8]) throws -> DrawnTimeline {
    let program = """
        import json, sys, xml.etree.ElementTree as tree
        S = '{http://www.w3.org/2000/svg}'
        root = tree.parse(sys.argv[1]).getroot()
        out = {'paths': {}, 'titles': {}, 'texts': {}, 'rectangles': {}, 'root': dict(root.attrib)}
        out['description'] = root.find(S + 'desc').text
        for g in [e for e in root if e.get('id')]:
            if g.tag != S + 'g': continue
            n = g.get('id')
            out['paths'][n] = [e.get('d') for e in g.iter(S + 'path')]
            out['titles'][n] = [e.text for e in g.iter(S + 'title')]
            out['texts'][n] = [e.text for e in g.iter(S + 'text')]
            out['rectangles'][n] = [[float(e.get(k)) for k in ('x', 'y', 'width', 'height')] for e in g.iter(S + 'rect')]
        json.dump(out, sys.stdout)
        """
    let folder = try TemporaryFolder()
    let file = try folder.write(svg, as: "picture.svg")
    let result = try Command.run("/usr/bin/python3", ["-c", program, file])
    #expect(result.status == 0, "the picture is no XML")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(result.output)) as? [String: Any])
    return DrawnTimeline(
        paths: object["paths"] as? [String: [String]] ?? [:], titles: object["titles"] as? [String: [String]] ?? [:],
        texts: object["texts"] as? [String: [String]] ?? [:],
        rectangles: object["rectangles"] as? [String: [[Double]]] ?? [:],
        root: object["root"] as? [String: String] ?? [:], description: object["description"] as? String ?? "")
}

@Suite(.enabled(if: hasPython, "needs python3 at /usr/bin/python3"))
struct TimelinePictureTests {
    @Test func `a line goes through its values at their times`() throws {
        var builder = SampleBuilder()
        // Half a core, a whole one, a quarter: of an axis up to 1 that is 320 px high from y = 62 to 382.
        for (window, samples) in [500, 1000, 250, 250].enumerated() {
            builder.add(window: window, ["p/t;main;f": UInt64(samples)])
        }
        let picture = try drawnTimeline(svg(builder.samples))
        #expect(picture.paths["series"] == ["M76 222H351V62H626V302H1176"])
        #expect(picture.titles["series"] == ["all: mean 0.5, most 1"])
        #expect(picture.texts["axes"]?.contains("cores") == true)
        #expect(picture.texts["axes"]?.contains("00:00:20") == true && picture.texts["axes"]?.contains("0.6") == true)
        #expect(picture.paths["gaps"] == [])
        #expect(picture.root["role"] == "img" && picture.root["aria-labelledby"] == "title description")
        #expect(picture.description.contains("over 4 steps of 10 s") && picture.description.contains("All steps"))
    }

    @Test func `what was not measured is a gap with its name, and never a line at 0`() throws {
        var builder = SampleBuilder()
        for window in [0, 1, 2, 6, 7] { builder.add(window: window, ["p/t;main;f": 500]) }
        let picture = try drawnTimeline(svg(builder.samples))
        #expect(picture.paths["series"] == ["M76 62H488.5M901 62H1176"])
        #expect(picture.rectangles["gaps"] == [[488.5, 62, 412.5, 320]])
        #expect(picture.texts["gaps"] == ["not measured"])
        #expect(picture.titles["gaps"]?.first?.hasPrefix("not measured: 20") == true)
        #expect(picture.description.contains("3 steps were not measured"))
        // An idle host was measured.
        var idle = SampleBuilder()
        for window in 0..<8 { idle.add(service: window < 3 ? "web" : "db", window: window, ["p/t;main;f": 500]) }
        let services = try drawnTimeline(svg(idle.samples, by: .service))
        #expect(services.paths["series"]?.contains("M76 62H488.5V382H1176") == true)
        #expect(services.rectangles["gaps"] == [])
    }

    @Test func `a single step is a line as wide as the picture`() throws {
        var builder = SampleBuilder()
        builder.add(["p/t;main;f": 500])
        let picture = try drawnTimeline(svg(builder.samples))
        #expect(picture.paths["series"] == ["M76 62H1176"])
        var nothing = SampleBuilder()
        nothing.add([:])
        #expect(try drawnTimeline(svg(nothing.samples)).paths["series"] == ["M76 382H1176"])
    }

    @Test func `changes are marked where they are and say what changed`() throws {
        var builder = SampleBuilder()
        for window in 0..<40 {
            builder.add(window: window, ["p/t;main;f": (window < 20 ? 300 : 500) + UInt64(window % 3)])
        }
        let picture = try drawnTimeline(svg(builder.samples, remarks: ["f <grew>"]))
        #expect(picture.paths["changes"]?.first == "M626.0 62V382")
        let title: String = try #require(picture.titles["changes"]?.first)
        #expect(title.hasSuffix("0.301 → 0.501 cores  f <grew>"), "\(title)")
        #expect(picture.texts["list"]?.count == 2 && picture.texts["list"]?.last == title)
    }

    @Test func `names of any kind leave the picture well-formed`() throws {
        var builder = SampleBuilder()
        let names = [
            "<script>alert(1)</script>", "a&amp;b & c \"q\" 'r'", "]]><g>", "\u{0}\u{1}\u{1F}\u{7F}\u{85}",
            "\u{FFFE}\u{FFFF}",
            "line\nbreak\ttab\r", "-->", "\u{202E}x", String(repeating: "long ", count: 20_000),
        ]
        for (index, name) in names.enumerated() {
            builder.add(service: name, stacks: [("p/t;main;f", UInt64(1000 - index))])
        }
        let bytes = svg(builder.samples, by: .service, title: "<&>\u{0}")
        let picture = try drawnTimeline(bytes)
        #expect(picture.titles["series"]?.count == names.count)
        #expect(picture.titles["series"]?.first == "<script>alert(1)</script>: mean 1, most 1")
        // What stands in the legend is cut.
        #expect(picture.texts["legend"]?.allSatisfy { $0.count < 80 } == true)
        #expect(!String(decoding: bytes, as: UTF8.self).contains("<script"))
    }

    @Test func `twenty lines over a thousand steps are drawn, and beyond forty the rest is told`() throws {
        var builder = SampleBuilder()
        for window in 0..<1000 {
            for series in 0..<60 {
                builder.add(
                    service: "service-\(series)", window: window,
                    stacks: [("p/t;main;f", UInt64(600 - series * 9 + (window * 7 + series * 13) % 50))])
            }
        }
        let clock = ContinuousClock()
        let start = clock.now
        let bytes = svg(builder.samples, by: .service, limit: 20)
        let took = clock.now - start
        let picture = try drawnTimeline(bytes)
        #expect(picture.paths["series"]?.count == 20 && bytes.count < 500_000, "\(bytes.count) bytes, \(took)")
        #expect(picture.paths["series"]?.allSatisfy { $0.filter { $0 == "V" }.count > 900 } == true)
        #expect(picture.texts["legend"]?.last == "40 more, lighter ones are not drawn")
        let many = try drawnTimeline(svg(builder.samples, by: .service, limit: 60))
        #expect(many.paths["series"]?.count == TimelinePicture.mostSeries)
        #expect(many.texts["legend"]?.last == "20 more, lighter ones are not drawn")
    }

    @Test func `it is dark where the reader is, and has no script`() {
        var builder = SampleBuilder()
        builder.add(["p/t;main;f": 500])
        let text = String(decoding: svg(builder.samples), as: UTF8.self)
        #expect(text.contains("@media (prefers-color-scheme:dark)") && !text.contains("<script"))
        #expect(!text.contains("href"))
    }
}
