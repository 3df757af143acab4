internal import Compression

/// Formats of other tools that are read.
public enum ImportFormat: String, CaseIterable, Sendable {
    case pprof, folded, speedscope, cpuprofile, pstats
    case perfScript = "perf-script"
    /// Read by way of `perf script`, which makes the text of it.
    case perfData = "perf.data"

    /// What bytes are, by how they begin; a text that is nothing else is taken for folded stacks.
    public static func of(_ bytes: [UInt8]) -> ImportFormat {
        let head = Array(bytes.prefix(4096))
        if head.starts(with: Array("PERFILE2".utf8)) || head.starts(with: Array("2ELIFREP".utf8)) { return .perfData }
        // Marshal's dictionary begins as JSON's objects do; what follows is a tuple.
        if let first = head.first, first & 0x7F == 0x7B, head.count > 1, [0x28, 0x29].contains(head[1] & 0x7F) {
            return .pstats
        }
        let text = head.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
        if text.first == 0x7B {
            return String(decoding: bytes.prefix(1 << 16), as: UTF8.self).contains("speedscope.app")
                ? .speedscope : .cpuprofile
        }
        // A protobuf message holds bytes that no text has.
        if head.contains(where: { $0 < 0x09 || ($0 > 0x0D && $0 < 0x1B) }) { return .pprof }
        if text.first == 0x23 { return .perfScript }
        let first = String(decoding: text.prefix { $0 != 0x0A }, as: UTF8.self)
        return ForeignSamples.isPerfScriptHeader(first) ? .perfScript : .folded
    }

    /// Expands a gzip file; anything else stays.
    public static func expanded(_ bytes: [UInt8]) throws(FormatError) -> [UInt8] {
        guard Gzip.isGzip(bytes) else { return bytes }
        do { return try Gzip.decompress(bytes, limit: ForeignSamples.Limits.bytes) } catch {
            throw FormatError(.whole, "\(error)")
        }
    }

    /// - Parameter bytes: expanded.
    public func read(_ bytes: [UInt8], facts: ImportFacts) throws(FormatError) -> ForeignSamples {
        switch self {
        case .pprof: try ForeignSamples(Pprof(file: bytes), facts: facts)
        case .folded: try ForeignSamples(folded: bytes, facts: facts)
        case .perfScript: try ForeignSamples(perfScript: bytes, facts: facts)
        case .speedscope: try ForeignSamples(speedscope: bytes, facts: facts)
        case .cpuprofile: try ForeignSamples(v8Profile: bytes, facts: facts)
        case .pstats: try ForeignSamples(pythonStats: bytes, facts: facts)
        case .perfData: throw FormatError(.whole, "perf.data is read by way of 'perf script'")
        }
    }
}
