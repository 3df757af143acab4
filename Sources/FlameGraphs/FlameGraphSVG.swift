import Analysis
import Profiles

extension FlameGraph {
    private static let top = 72
    private static let bottom = 34
    /// Of one character of 12 px Verdana, on average.
    private static let characterWidth = 7.08

    /// The picture as a self-contained SVG document: well-formed XML whatever the names hold, readable without scripts,
    /// and with them zoomed by click, searched (Ctrl-F) and as wide as its window. Its ids are those that
    /// flamegraph.pl's users know; each frame's rectangle says in `fg:x` and `fg:w` what it covers, in what is counted.
    ///
    /// - Parameter subtitle: range, samples, losses.
    public func svg(title: String, subtitle: String = "") -> [UInt8] {
        svg(title: title, subtitle: subtitle, paint: nil)
    }

    /// - Parameter paint: what frames show in place of their kinds and of the widths' counts.
    func svg(title: String, subtitle: String, paint: FlameGraphPaint?) -> [UInt8] {
        let height = levels * Self.frameHeight + Self.top + Self.bottom
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16_384 + boxes.count * 260)
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        func control(_ id: String, x: Int, y: Int, _ rest: String, _ text: String) {
            write("<text id=\"\(id)\" x=\"\(x)\" y=\"\(y)\"\(rest)>")
            SVGText.append(text, to: &bytes)
            write("</text>\n")
        }
        write(
            """
            <?xml version="1.0" encoding="UTF-8" standalone="no"?>
            <svg version="1.1" width="\(Self.width)" height="\(height)" viewBox="0 0 \(Self.width) \(height)" \
            xmlns="http://www.w3.org/2000/svg" xmlns:fg="urn:perf-fleet:flamegraph">
            <defs><linearGradient id="background" x1="0" y1="0" x2="0" y2="1">\
            <stop offset="5%" stop-color="#eeeeee"/><stop offset="95%" stop-color="#eeeeb0"/></linearGradient></defs>
            <style>\(Self.style)</style>
            <rect x="0" y="0" width="100%" height="\(height)" fill="url(#background)"/>

            """)
        let right = Self.width - Self.margin
        write("<text id=\"title\" x=\"50%\" y=\"24\">")
        SVGText.append(title, to: &bytes)
        write("</text>\n<text id=\"subtitle\" x=\"50%\" y=\"44\">")
        SVGText.append(subtitle, to: &bytes)
        write("</text>\n")
        writeLegend(paint, to: &bytes)
        control("details", x: Self.margin, y: height - 12, "", " ")
        control("unzoom", x: Self.margin, y: 24, " class=\"hide\"", "Reset Zoom")
        control("search", x: right - 30, y: 24, " class=\"hide\"", "Search")
        control("ignorecase", x: right, y: 24, " class=\"hide\"", "ic")
        control("matched", x: right, y: height - 12, "", " ")
        write(
            "<svg id=\"frames\" x=\"\(Self.margin)\" width=\"\(Self.width - 2 * Self.margin)\" total_samples=\"\(total)\">\n"
        )
        // What a frame's name looks like is worked out once: the same function stands in many stacks.
        var escaped = [[UInt8]](repeating: [], count: tree.frames.count)
        var colour = escaped
        let base = height - Self.bottom
        for box in boxes {
            let node = tree.nodes[Int(box.node)]
            let frame = Int(node.frame)
            if colour[frame].isEmpty {
                Palette.append(tree.frames[frame], to: &colour[frame])
                SVGText.append(tree.frames[frame].name, to: &escaped[frame])
            }
            write("<g><title>")
            bytes.append(contentsOf: escaped[frame])
            write(" (")
            let painted = paint?.frames[Int(box.node)]
            SVGText.append(grouped: painted?.count ?? box.width, to: &bytes)
            write(" ")
            SVGText.append(unitName, to: &bytes)
            write(", ")
            if let painted {
                write(String(FlameGraphPaint.signed(painted.share).dropFirst().dropLast()))
            } else if box.node == 0 {
                write("100")
            } else {
                SVGText.append(percentOf: box.width, in: total, places: 2, to: &bytes)
            }
            write("%)")
            if let painted { write("; " + FlameGraphPaint.signed(painted.change)) }
            write("</title><rect x=\"")
            SVGText.append(percentOf: box.start, in: total, places: 4, to: &bytes)
            write("%\" y=\"")
            let y = base - (Int(node.depth) + 1) * Self.frameHeight
            SVGText.append(y, to: &bytes)
            write("\" width=\"")
            if total == 0 {
                write("100")
            } else {
                SVGText.append(percentOf: box.width, in: total, places: 4, to: &bytes)
            }
            write("%\" height=\"15\" fill=\"")
            if let painted {
                write(painted.isElided ? "#fff\" stroke-dasharray=\"3,2\" stroke=\"\(painted.fill)" : painted.fill)
            } else {
                bytes.append(contentsOf: colour[frame])
            }
            write("\" fg:x=\"")
            SVGText.append(box.start, to: &bytes)
            write("\" fg:w=\"")
            SVGText.append(box.width, to: &bytes)
            write("\" rx=\"2\" ry=\"2\"/><text x=\"")
            SVGText.append(percentOf: box.start, in: total, places: 4, to: &bytes)
            write("%\" dx=\"3\" y=\"")
            SVGText.append(y + 11, to: &bytes)
            write("\">")
            writeLabel(tree.frames[frame].name, escaped[frame], width: box.width, to: &bytes)
            write("</text></g>\n")
        }
        write("</svg>\n<script><![CDATA[\n")
        write(Self.script)
        write("\n]]></script>\n</svg>\n")
        return bytes
    }

    /// As much of the name as fits, with two dots where it was cut; nothing below three characters.
    private func writeLabel(_ name: String, _ escaped: [UInt8], width: UInt64, to bytes: inout [UInt8]) {
        let share = total == 0 ? 1 : Double(width) / Double(total)
        let room = Int((share * Double(Self.width - 2 * Self.margin) - 6) / Self.characterWidth)
        guard room >= 3 else { return }
        if name.utf8.count <= room {
            bytes.append(contentsOf: escaped)
            return
        }
        let scalars = name.unicodeScalars
        guard scalars.count > room else {
            bytes.append(contentsOf: escaped)
            return
        }
        SVGText.append(String(scalars.prefix(room - 2)) + "..", to: &bytes)
    }

    private func writeLegend(_ paint: FlameGraphPaint?, to bytes: inout [UInt8]) {
        let kinds = Set(boxes.map { Palette.family(tree.frames[Int(tree.nodes[Int($0.node)].frame)].kind) })
        bytes.append(contentsOf: "<text id=\"legend\" x=\"50%\" y=\"62\">".utf8)
        for (colour, word) in paint?.legend ?? [] {
            bytes.append(
                contentsOf: "<tspan fill=\"\(colour)\">\u{25A0}</tspan> \(word)\u{2003}".utf8)
        }
        for (kind, word) in Palette.legend where paint == nil && kinds.contains(kind) {
            bytes.append(contentsOf: "<tspan fill=\"".utf8)
            Palette.append(legend: kind, to: &bytes)
            bytes.append(contentsOf: "\">\u{25A0}</tspan> \(word)\u{2003}".utf8)
        }
        bytes.append(contentsOf: "</text>\n".utf8)
    }

    private static let style = """
        text{font-family:Verdana,"DejaVu Sans",sans-serif;font-size:12px;fill:#000}\
        #title{font-size:17px;text-anchor:middle}#subtitle,#legend{text-anchor:middle;fill:#444}#legend{font-size:11px}\
        #search,#ignorecase,#matched{text-anchor:end}#unzoom,#search,#ignorecase{cursor:pointer}\
        #search,#ignorecase{opacity:.3}#search:hover,#search.on,#ignorecase:hover,#ignorecase.on{opacity:1}\
        #frames text{pointer-events:none}#frames g:hover rect{stroke:#000;stroke-width:.5;cursor:pointer}\
        .hide{display:none}.ancestor{opacity:.5}
        """
}
