public import Analysis
internal import Compression
public import Profiles

/// Formats of other tools in which samples are written.
public enum ToolFormat: String, CaseIterable, Sendable {
    case pprof, speedscope, firefox
    case perfScript = "perf-script"

    /// What a file's name says, by its extension; nil where it says none of these.
    public init?(fileName: String) {
        let name = fileName.lowercased()
        let found = Self.allCases.first { $0.fileExtensions.contains { name.hasSuffix(".\($0)") } }
        guard let found else { return nil }
        self = found
    }

    /// The first is the one that a chosen name gets.
    public var fileExtensions: [String] {
        switch self {
        case .pprof: ["pb.gz", "pb", "pprof"]
        case .speedscope: ["speedscope.json", "speedscope"]
        case .firefox: ["json.gz", "firefox.json"]
        case .perfScript: ["perf", "perf.txt"]
        }
    }

    public var contentType: String {
        switch self {
        case .pprof, .firefox: "application/octet-stream"
        case .speedscope: "application/speedscope+json"
        case .perfScript: "text/plain; charset=utf-8"
        }
    }

    /// Whether a terminal should not see it.
    public var isBinary: Bool { contentType == "application/octet-stream" }

    /// A file of samples of one type.
    ///
    /// - Parameters:
    ///   - profile: what the samples are under their names.
    ///   - depth: frames kept per stack, counted from the leaf, as `profile` keeps them.
    ///   - title: what tools show at the top.
    ///   - remark: a line for people, where the format has a place for it.
    public func file(
        of samples: SampleSet, named profile: NamedProfile, symbolizer: some Symbolizer, depth: Int = .max,
        title: String, remark: String
    ) -> [UInt8] {
        switch self {
        case .pprof:
            Pprof(of: samples, symbolizer: symbolizer, range: profile.range, depth: depth, comments: [remark]).file()
        case .speedscope: Speedscope.file(of: profile, name: title)
        case .firefox: Gzip.compress(FirefoxProfile.file(of: profile, name: title))
        case .perfScript: PerfScript.text(of: samples, symbolizer: symbolizer, depth: depth, remark: remark)
        }
    }
}
