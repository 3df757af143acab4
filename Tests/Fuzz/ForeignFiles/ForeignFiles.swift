// fuzz: Formats, Profiles
import Formats
import Profiles

private let formats: [ImportFormat] = [.pprof, .folded, .perfScript, .speedscope, .cpuprofile, .pstats]

/// The first byte chooses the format that the rest is read as: whatever is read adds up to the same after it was put into
/// windows.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let first = bytes.first else { return 0 }
    var facts = ImportFacts()
    (facts.service, facts.host) = ("s", "h")
    let format = formats[Int(first) % formats.count]
    guard let samples = try? format.read(Array(bytes.dropFirst()), facts: facts) else { return 0 }
    let set = samples.sampleSet(at: Timestamp(seconds: 1_790_000_000))
    precondition(set.sampleCount == samples.sampleCount, "samples were lost or added")
    var depths = [Int](repeating: 0, count: set.stacks.nodes.count)
    for index in depths.indices.dropFirst() { depths[index] = depths[Int(set.stacks.nodes[index].parent)] + 1 }
    precondition(depths.allSatisfy { $0 <= 2_043 }, "a stack that is too deep")
    for slice in set.slices {
        precondition(slice.window.seconds <= 60.001, "a window of more than a minute")
        precondition(slice.stacks.counts.allSatisfy { $0 > 0 }, "a row without samples")
        let nodes = slice.stacks.nodes
        precondition(zip(nodes, nodes.dropFirst()).allSatisfy { $0 < $1 }, "rows out of order")
    }
    return 0
}
