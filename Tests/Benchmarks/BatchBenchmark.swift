import Compression
import Profiles
import WireProtocol

/// A window of samples as a batch: what it costs to make, and what it weighs on the wire.
func batchBenchmark(_ report: inout Report) throws {
    let services = SyntheticLoad.services()
    let compilers = SyntheticLoad.compilers(samples: report.size(2000, smoke: 200))
    try tell("services, 500 samples in 150 stacks", services.windowProfile(), limit: 20, &report)
    try tell(
        "compilers, \(compilers.samples.count) samples, mean depth \(text(compilers.meanDepth, ""))",
        compilers.windowProfile(), limit: 35, &report)
}

/// Cost and bytes of one window's batch, and of the levels of compression it might have.
func tell(_ name: String, _ profile: WindowProfile, limit: Double, _ report: inout Report) throws {
    let agent = Identifier(high: 1, low: 2)
    func encode() throws -> Batch {
        try Batch(encoding: profile, agent: agent, epoch: agent, sequence: 1)
    }
    let batch = try encode()
    let samples = Double(batch.samples)
    let repetitions = report.size(20, smoke: 1)
    let encoding = try leastThreadSeconds(of: repetitions) { _ = try encode() }
    let decoding = try leastThreadSeconds(of: repetitions) { _ = try batch.windowProfile() }
    // What stands around the body on the wire, the frame's length among it.
    let onWire = Double(try Message.batch(batch).encoded().count)
    report.keep(batch.body)
    report.line(
        "\(name): encode", text(encoding / samples * 1e9, "ns a sample"), text(encoding * 1e6, "µs a batch"))
    report.line("\(name): decode and check", text(decoding * 1e6, "µs a batch"))
    report.line(
        "\(name): on the wire", text(onWire / samples, "bytes a sample"), ofLimit(onWire / samples, limit, "bytes"))
    let content = try Zstandard.decompress(batch.body, limit: WireLimits.expandedBytes)
    for level: Int32 in [1, 3, 6, 9, 12, 15, 19] {
        var size = 0
        let spent = try leastThreadSeconds(of: max(1, repetitions / 2)) {
            size = try Zstandard.compress(content, level: level).count
        }
        report.line(
            "\(name): zstd \(level)\(level == Batch.compressionLevel ? ", in use" : "")",
            text(Double(size) / samples, "bytes a sample"), text(spent * 1e6, "µs a batch"))
    }
}
