// fuzz: Formats, Profiles
import Formats
import Profiles

/// A file of another tool: whatever is read adds up to the same after it was put into windows.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    var facts = ImportFacts()
    (facts.service, facts.host) = ("s", "h")
    guard let samples = try? ImportFormat.pstats.read(bytes, facts: facts) else { return 0 }
    let set = samples.sampleSet(at: Timestamp(seconds: 1_790_000_000))
    precondition(set.sampleCount == samples.sampleCount, "samples were lost or added")
    for slice in set.slices {
        precondition(slice.window.seconds <= 60.001, "a window of more than a minute")
        precondition(slice.stacks.counts.allSatisfy { $0 > 0 }, "a row without samples")
        precondition(slice.stacks.nodes == slice.stacks.nodes.sorted(), "rows out of order")
        for node in slice.stacks.nodes {
            precondition(set.stacks.stack(of: node).count <= 2_043, "a stack that is too deep")
        }
    }
    return 0
}
