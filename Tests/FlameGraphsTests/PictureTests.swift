import Analysis
import FlameGraphs
import Formats
import Foundation
import Profiles
import SampleBuilder
import Testing

func picture(_ stacks: [(String, UInt64)], names: NamesByAddress = NamesByAddress(), title: String = "t") -> [UInt8] {
    var builder = SampleBuilder()
    builder.add(stacks: stacks)
    let profile = NamedProfile(builder.samples, symbolizer: names, depth: 5000)
    return FlameGraph(profile.callTree()).svg(title: title, subtitle: "range · samples & losses")
}

/// What an XML parser finds: for each frame its title, its place and width in per cent, and the text in it.
struct DrawnFrame: Equatable {
    var title: String
    var x: Double
    var width: Double
    var y: Double
    var text: String
}

/// Reads a picture as any consumer would: with an XML parser (Python's, which is expat).
func drawnFrames(_ svg: [UInt8]) throws -> [DrawnFrame] {
    let program = """
        import json, sys, xml.etree.ElementTree as tree
        S = '{http://www.w3.org/2000/svg}'
        root = tree.parse(sys.argv[1]).getroot()
        group = [e for e in root.iter() if e.get('id') == 'frames'][0]
        def number(text): return float(text.rstrip('%'))
        rows = []
        for g in [e for e in group if e.tag == S + 'g']:
            r = g.find(S + 'rect'); w = r.get('width'); t = g.find(S + 'text')
            rows.append([g.find(S + 'title').text, number(r.get('x')), number(w), float(r.get('y')), t.text if t is not None else ''])
        json.dump(rows, sys.stdout)
        """
    let folder = try TemporaryFolder()
    let file = try folder.write(svg, as: "picture.svg")
    let result = try Command.run("/usr/bin/python3", ["-c", program, file])
    #expect(result.status == 0, "the picture is no XML")
    let rows = try JSONSerialization.jsonObject(with: Data(result.output)) as? [[Any]] ?? []
    return rows.map { row in
        DrawnFrame(
            title: row[0] as? String ?? "", x: row[1] as? Double ?? -1, width: row[2] as? Double ?? -1,
            y: row[3] as? Double ?? -1, text: row[4] as? String ?? "")
    }
}

let hasPython = Command.exists("/usr/bin/python3")

@Suite(.enabled(if: hasPython, "needs python3 at /usr/bin/python3"))
struct PictureTests {
    @Test func `a frame says its name, its samples and its share`() throws {
        let frames = try drawnFrames(picture([("p/p;main;f", 1200), ("p/p;main;a", 34), ("q/q;main", 766)]))
        #expect(
            frames.map(\.title) == [
                "all (2,000 samples, 100%)", "q (766 samples, 38.30%)", "main (766 samples, 38.30%)",
                "p (1,234 samples, 61.70%)", "main (1,234 samples, 61.70%)", "f (1,200 samples, 60.00%)",
                "a (34 samples, 1.70%)",
            ])
        let f = try #require(frames.first { $0.title.hasPrefix("f ") })
        #expect(f.x == 1.7 && f.width == 60)
        let heights = Set(frames.map(\.y)).sorted(by: >)
        #expect(heights.count == 4)
        #expect(zip(heights, heights.dropFirst()).allSatisfy { $0 - $1 == 16 })
    }

    @Test func `names of any kind leave the picture well-formed`() throws {
        let hostile = [
            "<script>alert(1)</script>", "a&amp;b & c \"q\" 'r'", "]]><g>", "\u{0}\u{1}\u{B}\u{1F}\u{7F}\u{85}",
            "line\nbreak\ttab\r", "\u{FFFE}\u{FFFF}\u{FFFD}", "ünïcode 😀 \u{202E}", "%s%n$HOME`id`", "-->", "<!--", " ",
            "operator<< <char, std::less<>>(int&&)",
        ]
        var names: [UInt64: [NamedFrame]] = [:]
        var stacks: [(String, UInt64)] = []
        for (index, name) in hostile.enumerated() {
            names[UInt64(index + 1)] = [NamedFrame(kind: .native, name: name)]
            stacks.append(("p/p;0x\(String(index + 1, radix: 16))@m", 100))
        }
        let frames = try drawnFrames(picture(stacks, names: NamesByAddress(names), title: "<&>\u{1}"))
        let found = frames.dropFirst(2).map { String($0.title.prefix(while: { $0 != "\u{0}" })) }
        for name in hostile {
            let shown = String(
                String.UnicodeScalarView(
                    name.unicodeScalars.map {
                        $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) || $0.value == 0xFFFE || $0.value == 0xFFFF
                            ? "\u{FFFD}" : $0
                    }))
            #expect(found.contains("\(shown) (100 samples, 8.33%)"), "\(name.debugDescription)")
        }
    }

    @Test func `frames below a tenth of a pixel are left out, with what stands on them`() throws {
        // 1,180 pixels: one sample of 11,801 is just under 0.1 pixel, one of 11,799 just over.
        #expect(try drawnFrames(picture([("p/p;big", 11_800), ("p/p;small;smaller", 1)])).count == 3)
        #expect(try drawnFrames(picture([("p/p;big", 11_798), ("p/p;small;smaller", 1)])).count == 5)
    }

    @Test func `a stack of 2,000 frames is drawn`() throws {
        let frames = try drawnFrames(picture([("p/p" + String(repeating: ";f", count: 2000), 3)]))
        #expect(frames.count == 2002)
    }

    @Test func `a picture of nothing is still a picture`() throws {
        let frames = try drawnFrames(picture([]))
        #expect(frames.map(\.title) == ["all (0 samples, 100%)"])
    }

    @Test func `names are cut to what fits`() throws {
        let long = String(repeating: "långt", count: 60)
        let frames = try drawnFrames(picture([("p/p;" + long, 50), ("p/p;x", 949), ("p/p;y", 1)]))
        let cut = try #require(frames.first { $0.title.hasPrefix("l") }).text
        #expect(cut.hasSuffix("..") && cut.unicodeScalars.count == 7)
        #expect(frames.first { $0.title.hasPrefix("y") }?.text == "")
        #expect(frames.first { $0.title.hasPrefix("x") }?.text == "x")
    }

    @Test func `the ids that people and scripts know are there`() {
        let text = String(decoding: picture([("p/p;main", 1)]), as: UTF8.self)
        for id in ["title", "subtitle", "details", "unzoom", "search", "ignorecase", "matched", "frames"] {
            #expect(text.contains("id=\"\(id)\""))
        }
        #expect(text.contains("total_samples=\"1\""))
    }

    @Test func `a name keeps its colour and kinds differ in theirs`() throws {
        func fills(_ svg: [UInt8]) -> [String: String] {
            var fills: [String: String] = [:]
            for line in String(decoding: svg, as: UTF8.self).split(separator: "\n") where line.hasPrefix("<g><title>") {
                let name = line.dropFirst(10).prefix { $0 != " " }
                if let start = line.range(of: "fill=\"")?.upperBound {
                    fills[String(name)] = String(line[start...].prefix { $0 != "\"" })
                }
            }
            return fills
        }
        let one = fills(picture([("p/p;main;f", 3), ("p/p;main;k:f2", 4), ("p/p;main;j:f3", 4)]))
        let other = fills(picture([("q/q;f", 1), ("q/q;g;k:f2", 9)]))
        #expect(one["f"] != nil && one["f"] == other["f"])
        #expect(one["f2"] == other["f2"])
        func channels(_ fill: String?) -> [Int] {
            (fill ?? "").dropFirst(4).dropLast().split(separator: ",").compactMap { Int($0) }
        }
        let (native, kernel, jit) = (channels(one["f"]), channels(one["f2"]), channels(one["f3"]))
        #expect(native[0] > native[2] + 100 && kernel[2] > kernel[0] + 50 && jit[1] > jit[0] && jit[1] > jit[2])
    }
}
