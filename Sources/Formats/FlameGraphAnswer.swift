public import Analysis
import Profiles

/// The answer of `flamegraph --format json`: the opening keys and the tree. A tree may be deeper than a decoder allows;
/// `read(_:)` takes it.
public struct FlameGraphAnswer: JSONAnswer {
    public var header: AnswerHeader
    public var tree: CallTree
    /// Whether each node says its kind.
    public var withKinds: Bool

    public init(header: AnswerHeader, tree: CallTree, withKinds: Bool = false) {
        self.header = header
        self.tree = tree
        self.withKinds = withKinds
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        header.writeMembers(to: &writer)
        writer.key("root")
        writer.tree(tree, withKinds: withKinds)
        writer.endObject()
    }
}

extension JSONWriter {
    /// `{"name","module","file","line","self","total","children":[…]}` from the root down; `file` is the function's, `line`
    /// that of it which most of the node's total fell on. `kind` stands before `children` where it is asked for.
    mutating func tree(_ tree: CallTree, withKinds: Bool = false) {
        var ends: [UInt32] = []
        for (index, node) in tree.nodes.enumerated() {
            while let end = ends.last, Int(end) <= index {
                endArray()
                endObject()
                ends.removeLast()
            }
            let frame = tree.frame(of: node)
            beginObject()
            member("name", frame.name)
            member("module", frame.module.isEmpty ? nil : frame.module)
            member("file", frame.file.isEmpty ? nil : frame.file)
            member("line", node.line == 0 ? nil : node.line)
            member("self", node.selfValue)
            member("total", node.totalValue)
            if withKinds { member("kind", frame.kind.word) }
            key("children")
            beginArray()
            ends.append(node.end)
        }
        for _ in ends {
            endArray()
            endObject()
        }
    }
}
