// fuzz: Formats, Analysis, Profiles
import Analysis
import Formats
import Profiles

/// A flame graph's JSON from a server: what is read is a tree, whole and in its order.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let (_, tree) = try? FlameGraphAnswer.read(bytes) else { return 0 }
    precondition(!tree.nodes.isEmpty && tree.nodes[0].depth == 0, "no root")
    for (index, node) in tree.nodes.enumerated() {
        precondition(Int(node.frame) < tree.frames.count, "a frame that isn't there")
        precondition(Int(node.end) > index && Int(node.end) <= tree.nodes.count, "an end out of order")
        let parent = tree.nodes[Int(node.parent)]
        precondition(index == 0 || Int(node.parent) < index && parent.depth + 1 == node.depth && parent.end >= node.end)
    }
    return 0
}
