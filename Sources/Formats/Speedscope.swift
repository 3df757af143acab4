public import Analysis
internal import Profiles

/// speedscope's file format (jlfwong/speedscope, src/lib/file-format-spec.ts): one sampled profile, whose stacks begin
/// with process and thread and stand in the order of the tree, so that equal beginnings lie beside each other.
public enum Speedscope {
    static let schema = "https://www.speedscope.app/file-format-schema.json"
    static let exporter = "perf-fleet"
    /// Words that speedscope has for units; every other one is `none`.
    static let units: Set<String> = ["nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"]

    public static func file(of profile: NamedProfile, name: String) -> [UInt8] {
        let tree = profile.callTree(withThreads: true, byLine: true)
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("$schema", schema)
        writer.member("name", name)
        writer.member("exporter", exporter)
        writer.member("activeProfileIndex", 0)
        writer.key("shared")
        writer.beginObject()
        writer.key("frames")
        writer.beginArray()
        // The tree's first frame is its root, which no stack has.
        for frame in tree.frames.dropFirst() {
            writer.beginObject()
            writer.member("name", frame.name)
            if !frame.file.isEmpty { writer.member("file", frame.file) }
            if frame.line > 0 { writer.member("line", frame.line) }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()

        let leaves = tree.nodes.indices.dropFirst().filter { tree.nodes[$0].selfValue > 0 }
        writer.key("profiles")
        writer.beginArray()
        writer.beginObject()
        writer.member("type", "sampled")
        writer.member("name", profile.type.name)
        writer.member("unit", units.contains(profile.type.unit) ? profile.type.unit : "none")
        writer.member("startValue", 0)
        writer.member("endValue", leaves.reduce(UInt64(0)) { $0 &+ tree.nodes[$1].selfValue })
        writer.key("samples")
        writer.beginArray()
        for leaf in leaves {
            writer.beginArray()
            for frame in tree.path(to: leaf) { writer.value(frame - 1) }
            writer.endArray()
        }
        writer.endArray()
        writer.key("weights")
        writer.beginArray()
        for leaf in leaves { writer.value(tree.nodes[leaf].selfValue) }
        writer.endArray()
        writer.endObject()
        writer.endArray()
        writer.endObject()
        return writer.bytes + [0x0A]
    }
}

extension CallTree {
    /// Frames from below the root to a node.
    func path(to node: Int) -> [UInt32] {
        var path: [UInt32] = []
        var node = node
        while node != 0 {
            path.append(nodes[node].frame)
            node = Int(nodes[node].parent)
        }
        return path.reversed()
    }
}
