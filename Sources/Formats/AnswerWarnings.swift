/// When an answer is too poor for its question, and what to say then. Each limit stands beside its reason.
public enum AnswerWarnings {
    /// What the rows of an answer are, and so what it suffers from.
    public enum Subject: Sendable {
        /// Functions, lines, stacks: names and whole stacks matter.
        case code
        /// Services, hosts, labels and the like: only how much each used.
        case owners
    }

    /// With fewer samples a share of 10 % is known to 6 points at best (1.96 · sqrt(0.1 · 0.9 / 100)).
    public static let fewSamples: UInt64 = 100
    /// Below five hosts Student's t is 3.2 and more: intervals hold, but are so wide that little is told apart.
    public static let fewHosts = 5
    /// More silent hosts than one in ten may hide the odd one that was asked for.
    public static let silentShare = 0.1
    /// Losses come in bursts, on the busiest hosts, so a twentieth lost is not a random twentieth.
    public static let lossShare = 0.05
    /// Stacks that are not whole miss callers: totals of functions near the root are too small by up to this share.
    public static let incompleteShare = 0.1
    /// What has no name is missing from the rows of functions.
    public static let unsymbolisedShare = 0.2

    /// One clause for each limit that is passed, the gravest first.
    public static func warnings(_ header: AnswerHeader, about subject: Subject) -> [String] {
        var warnings: [String] = []
        let coverage = header.coverage
        let samples = header.shown?.samples ?? header.samples
        if samples < fewSamples {
            warnings.append("only \(samples) \(samples == 1 ? "sample" : "samples"): shares are rough")
        }
        let expected = coverage.hosts + coverage.hostsSilent
        if Double(coverage.hostsSilent) > silentShare * Double(expected) {
            warnings.append("\(coverage.hostsSilent) of \(expected) hosts are silent")
        }
        let dropped = coverage.dropped.values.reduce(UInt64(0), &+)
        if Double(dropped) > lossShare * Double(dropped &+ header.samples) {
            warnings.append("\(Grouped.text(dropped)) samples of these hosts were dropped, of whichever service")
        }
        if header.intervalOver == "hosts", let units = header.intervalUnits, units < fewHosts {
            warnings.append("intervals over \(units) hosts are wide")
        }
        guard subject == .code, header.samples > 0 else { return warnings }
        let incomplete = (coverage.cutStacks ?? 0) &+ (coverage.brokenStacks ?? 0)
        if let share = part(incomplete, of: header.samples, above: incompleteShare) {
            warnings.append("\(share) of stacks are not whole: callers are missing")
        }
        if let unsymbolised = coverage.unsymbolised,
            let share = part(unsymbolised, of: samples, above: unsymbolisedShare)
        {
            warnings.append("\(share) of samples are in functions without a name")
        }
        return warnings
    }

    private static func part(_ count: UInt64, of all: UInt64, above limit: Double) -> String? {
        let share = Double(count) / Double(max(1, all))
        return share > limit ? Percent.text(min(1, share), places: 0) : nil
    }
}
