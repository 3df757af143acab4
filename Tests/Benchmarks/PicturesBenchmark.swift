import Analysis
import FlameGraphs
import Formats
import Foundation
import Profiles

/// Pictures of many distinct stacks: from samples in memory to SVG and HTML, beside flamegraph.pl on the folded lines of the
/// same samples, and how long Chromium takes to open a page.
func picturesBenchmark(_ report: inout Report) throws {
    for (count, repetitions) in report.isSmoke ? [(300, 1)] : [(10_000, 5), (100_000, 3), (1_000_000, 2)] {
        try draw(count, repetitions: repetitions, &report)
    }
    try open(report.size(100_000, smoke: 1000), &report)
}

private func draw(_ count: Int, repetitions: Int, _ report: inout Report) throws {
    let samples = distinctStacks(count)
    let symbolizer = NoNames()
    var profile = NamedProfile(SampleSet(), symbolizer: symbolizer)
    let naming = leastThreadSeconds(of: repetitions) { profile = NamedProfile(samples, symbolizer: symbolizer) }
    var tree = CallTree(frames: [], nodes: [])
    let folding = leastThreadSeconds(of: repetitions) { tree = profile.callTree() }
    var graph = FlameGraph(tree)
    let layout = leastThreadSeconds(of: repetitions) { graph = FlameGraph(tree) }
    var svg: [UInt8] = []
    let writing = leastThreadSeconds(of: repetitions) { svg = graph.svg(title: "benchmark") }
    var html: [UInt8] = []
    let page = leastThreadSeconds(of: repetitions) { html = FlameGraphPage(tree, title: "benchmark").html() }
    report.keep(svg)
    report.keep(html)
    let name = "\(count) distinct stacks"
    report.line("\(name): name, in \(tree.nodes.count) nodes", text(naming * 1e3, "ms"))
    report.line("\(name): call tree", text(folding * 1e3, "ms"))
    report.line("\(name): layout", text(layout * 1e3, "ms"))
    report.line("\(name): write SVG", text(writing * 1e3, "ms"), "\(svg.count >> 10) KiB")
    report.line("\(name): write HTML, all of the tree", text(page * 1e3, "ms"), "\(html.count >> 10) KiB")
    let whole = naming + folding + layout + writing
    report.line("\(name): samples to SVG", text(whole * 1e3, "ms"))
    report.line("\(name): samples to HTML", text((naming + folding + page) * 1e3, "ms"))
    guard let rivals = report.rivals, FileManager.default.fileExists(atPath: rivals + "/flamegraph.pl") else {
        return report.absent("\(name): flamegraph.pl", because: "RIVALS=DIR says where it is")
    }
    let folder = try TemporaryFolder()
    let lines = folder.path("folded"), drawn = folder.path("svg")
    try Data(Folded(of: profile, measure: .samples).bytes).write(to: URL(filePath: lines))
    let result = try Command("/usr/bin/perl", [rivals + "/flamegraph.pl", lines], output: drawn).waitForResult()
    guard result.code == 0 else {
        return report.absent("\(name): flamegraph.pl", because: "it ended with \(result.code)")
    }
    report.line(
        "\(name): flamegraph.pl", text(result.cpuSeconds * 1e3, "ms"),
        "\(text(result.cpuSeconds / whole, "")) times ours from samples to SVG, "
            + "\(text(result.cpuSeconds / (layout + writing), "")) times layout and writing")
    try compareFrames(svg, drawn, name, &report)
}

/// Both draw frames of a tenth of a pixel and more, which need not be the same to the last one.
private func compareFrames(_ svg: [UInt8], _ theirs: String, _ name: String, _ report: inout Report) throws {
    func count(_ bytes: some Sequence<UInt8>) -> Int {
        String(decoding: Array(bytes), as: UTF8.self).split(separator: "<title>").count - 1
    }
    let (ours, other) = (count(svg), count(try Data(contentsOf: URL(filePath: theirs))))
    report.line("\(name): frames drawn", "\(ours)", "\(other) by flamegraph.pl")
}

/// The page as a browser opens it: from the start of its navigation until it is drawn, and each drawing after that.
private func open(_ count: Int, _ report: inout Report) throws {
    let browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
    let name = "page of \(count) distinct stacks"
    guard let browser = browsers.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
        return report.absent("\(name) in Chromium", because: "no browser is installed")
    }
    let tree = NamedProfile(distinctStacks(count), symbolizer: NoNames()).callTree()
    var html = String(decoding: FlameGraphPage(tree, title: "benchmark").html(), as: UTF8.self)
    guard let end = html.range(of: "</body>", options: .backwards) else { throw PictureProblem.noVerdict }
    // Pixels that are read have been drawn. What is measured starts where the browser does.
    html.insert(
        contentsOf: """
            <script>
            const canvas = document.querySelector("canvas"), context = canvas.getContext("2d");
            const drawn = () => context.getImageData(0, 0, 1, 1).data[3];
            drawn();
            const opened = performance.now(), times = [];
            for (let i = 0; i < 7; i++) {
                const start = performance.now();
                dispatchEvent(new Event("resize"));
                drawn();
                times.push(performance.now() - start);
            }
            const verdict = document.createElement("pre");
            verdict.id = "verdict";
            verdict.textContent = [opened, Math.min(...times), flameGraph.drawn().length, page.tree.count].join(" ");
            document.body.append(verdict);
            </script>

            """, at: end.lowerBound)
    let folder = try TemporaryFolder()
    let file = folder.path("page.html")
    try Data(html.utf8).write(to: URL(filePath: file))
    var best: [Double] = []
    for _ in 0..<report.size(3, smoke: 1) {
        let output = folder.path("dom")
        let code = try Command(
            browser,
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--user-data-dir=\(folder.path("profile"))", "--window-size=1600,900", "--dump-dom", "file://\(file)",
            ], output: output
        ).exitCode()
        let dom = String(decoding: try Data(contentsOf: URL(filePath: output)), as: UTF8.self)
        guard code == 0, let start = dom.range(of: "id=\"verdict\">") else { throw PictureProblem.noVerdict }
        let numbers = dom[start.upperBound...].prefix { $0 != "<" }.split(separator: " ").compactMap { Double($0) }
        guard numbers.count == 4 else { throw PictureProblem.noVerdict }
        if best.isEmpty || numbers[0] < best[0] { best = numbers }
    }
    report.keep(UInt64(best[3]))
    report.line("\(name): Chromium opens it (by the clock)", text(best[0], "ms"), ofLimit(best[0] / 1e3, 1, "s"))
    report.line(
        "\(name): draws it", text(best[1], "ms"),
        "\(Int(best[2])) frames of \(Int(best[3])), " + ofLimit(best[1], 100, "ms"))
}

private enum PictureProblem: Error, CustomStringConvertible {
    case noVerdict

    var description: String { "Chromium did not open the page" }
}

private struct NoNames: Symbolizer {
    func frames(at address: UInt64, in module: Module) -> [NamedFrame] { [] }
}

/// So many stacks of which none comes twice, 9 to 24 frames deep: walks down a tree whose nodes have one to six callees,
/// of which the first are taken more often. Each was hit once to twenty times.
private func distinctStacks(_ count: Int) -> SampleSet {
    var table = StackTable()
    let process = table.intern(Frame(kind: .process, name: table.intern("server")))
    let thread = table.intern(Frame(kind: .thread, name: table.intern("worker-#")))
    let head = table.intern(parent: table.intern(parent: StackTable.root, frame: process), frame: thread)
    let module = table.intern(Module(identity: .name, name: "/usr/bin/server"))
    let functions = (0..<5000).map { number in
        let words = ["Cache", "Parser", "Session", "Index", "Buffer", "Query"]
        let name = "app::\(words[number % 6])<std::string>::method_\(number)"
        return table.intern(Frame(kind: .native, name: table.intern(name), module: module))
    }
    var dice = Dice(state: 11)
    var weights: [UInt32: UInt64] = [:]
    while weights.count < count {
        var node = head
        var place: UInt64 = 1
        for _ in 0..<(9 + dice.below(16)) {
            let callees = 1 + Int(place >> 32 % 6)
            let callee = min(dice.below(callees), dice.below(callees))
            var next = Dice(state: place &* 8 &+ UInt64(callee) &+ 1)
            place = next.next()
            node = table.intern(parent: node, frame: functions[Int(place % 5000)])
        }
        if weights[node] == nil { weights[node] = 1 + UInt64(min(dice.below(20), dice.below(20))) }
    }
    let nodes = weights.keys.sorted()
    let start = Timestamp(seconds: 1_795_514_400)
    let slice = SampleSlice(
        host: 0, key: 0, window: TimeRange(start: start, end: start + 10_000_000_000), samplesPerSecond: 100,
        stacks: StackCounts(
            nodes: nodes, counts: nodes.map { weights[$0] ?? 0 }, weights: nodes.map { (weights[$0] ?? 0) * 10_000_000 }
        ),
        quality: StackQuality(whole: nil, cut: 0, broken: nil))
    return SampleSet(
        stacks: table, hosts: [Host(name: "host-1", agent: Identifier(high: 1, low: 1))],
        keys: [SeriesKey(service: "server", version: "", labels: [], type: .cpu)], slices: [slice])
}
