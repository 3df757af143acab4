import Analysis
import Formats
import Foundation
import Profiles
import SampleBuilder
import Testing

private func answer(_ stacks: [(String, UInt64)], withKinds: Bool) -> FlameGraphAnswer {
    var builder = SampleBuilder()
    builder.add(stacks: stacks)
    let names = NamesByAddress([
        0x10: [
            NamedFrame(kind: .native, name: "run\u{1B}\"\\", module: "app", file: "/src/run.c", line: 20),
            NamedFrame(kind: .inlined, name: "日本", module: "app", file: "/src/step.h", line: 5),
        ]
    ])
    let profile = NamedProfile(builder.samples, symbolizer: names, depth: 5000)
    let header = AnswerHeader(of: profile, asked: profile.range, coverage: Coverage(of: profile))
    return FlameGraphAnswer(header: header, tree: profile.callTree(withThreads: true), withKinds: withKinds)
}

/// What a reader can know of a node.
private func told(_ tree: CallTree, withKinds: Bool) -> [String] {
    tree.nodes.map { node in
        let frame = tree.frame(of: node)
        let kind = withKinds ? frame.kind : .native
        return "\(frame.name)|\(frame.module)|\(frame.file)|\(kind)|\(node.line)|\(node.parent)|\(node.end)|"
            + "\(node.depth)|\(node.selfValue)|\(node.totalValue)"
    }
}

@Test(arguments: [true, false])
func `a flame graph's JSON is read as it was written`(withKinds: Bool) throws {
    let deep = "p/t;" + (0..<2000).map { "f\($0)" }.joined(separator: ";")
    let written = answer(
        [("p/t;main;0x10@app", 3), ("p/t;main;k:sys", 4), ("q/q;j:jit;i:py@a.py:3;m:[truncated]", 5), (deep, 6)],
        withKinds: withKinds)
    let (header, tree) = try FlameGraphAnswer.read(written.json() + [10])
    #expect(told(tree, withKinds: withKinds) == told(written.tree, withKinds: withKinds))
    #expect(try JSONDecoder().decode(AnswerHeader.self, from: Data(header)) == written.header)
}

@Test func `members may stand in any order, and numbers are exact`() throws {
    let text = """
        {"root" : {"children":[ {"total":18446744073709551615,"x":[1,{"y":null}],"name":"b"} , {} ],"line":null,"total":1,"name":"all"}}
        """
    let (header, tree) = try FlameGraphAnswer.read(Array(text.utf8))
    #expect(String(decoding: header, as: UTF8.self) == "{}")
    #expect(tree.nodes.map { tree.frame(of: $0).name } == ["all", "b", ""])
    #expect(tree.nodes.map(\.totalValue) == [1, .max, 0] && tree.nodes.map(\.end) == [3, 2, 3])
}

@Test(arguments: [
    ("", "offset 0: JSON: an object should stand here"),
    ("{\"samples\":1}", "offset 12: JSON: no root follows"),
    ("{\"root\":{\"name\":3}}", "offset 17: JSON: a string or null should stand before this"),
    ("{\"root\":{\"total\":-1}}", "offset 19: JSON: a whole number should stand before this"),
    ("{\"root\":{\"total\":18446744073709551616}}", "offset 36: JSON: a number above 64 bits"),
    ("{\"root\":{\"children\":[{}", "offset 23: JSON: ',' or ']' should stand here"),
    ("{\"root\":{\"children\":[{},]}}", "offset 24: JSON: a node should stand here"),
    ("{\"root\":{\"name\":\"a\",}}", "offset 20: JSON: a key should stand here"),
    ("{\"root\":{}", "offset 10: JSON: root is not the last member"),
    ("{\"root\":{}} x", "offset 12: JSON: something follows the answer"),
])
func `what is no flame graph is told with its place`(text: String, expected: String) {
    let error = #expect(throws: FormatError.self) { _ = try FlameGraphAnswer.read(Array(text.utf8)) }
    #expect(error?.description == expected)
}

@Test func `no depth of nodes overflows the stack`() {
    let deep = String(repeating: "{\"children\":[", count: 1_000_000)
    let error = #expect(throws: FormatError.self) { _ = try FlameGraphAnswer.read(Array(("{\"root\":" + deep).utf8)) }
    #expect(error?.reason == "JSON: nested deeper than 100000")
}
