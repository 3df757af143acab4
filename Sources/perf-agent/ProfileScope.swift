internal import Analysis
internal import FlameGraphs
internal import Formats
internal import Glibc
internal import ProfilerAgent
internal import Profiles
internal import Settings

/// A profile over its time, below the second: `--format scope`, and the span that `--between` takes of it.
enum ProfileScope {
    static let expectedSpan = "two times since the start with a comma between, as in 12.3s,12.9s"

    /// Seconds since the start; nil where the text is no span.
    static func span(_ text: String) -> Range<Double>? {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            .map { SettingText.duration($0.trimmed)?.seconds }
        guard parts.count == 2, let start = parts[0], let end = parts[1], start < end else { return nil }
        return start..<end
    }

    /// A picture or a page by the file's name, else text.
    static func bytes(_ outcome: ProfileOutcome, output: String?) -> [UInt8] {
        let scope = FlameScope(
            outcome.moments, range: outcome.wholeRange, samplesPerSecond: outcome.request.samplesPerSecond)
        let (title, subtitle) = (outcome.request.targetText, ProfileText.summary(outcome))
        switch output?.split(separator: ".").last?.lowercased() {
        case "svg": return FlameScopePicture(scope).svg(title: title, subtitle: subtitle)
        case "html", "htm":
            let (tree, places) = outcome.profile.timedCallTree(outcome.moments)
            let measure = outcome.profile.naturalMeasure
            return FlameGraphPage(
                tree, measure: measure, unitName: outcome.profile.unitName(measure), title: title, subtitle: subtitle,
                scope: PageScope(scope, moments: outcome.moments, places: places, measure: measure)
            ).html()
        default:
            let text = subtitle + "\n\n" + FlameScopeText.text(scope, columns: terminalColumns())
            return Array(text.utf8)
        }
    }

    /// What could not be shown.
    static func notes(_ outcome: ProfileOutcome) -> [String] {
        let most = FlameScope.mostColumns
        return outcome.wholeRange.seconds > Double(most) ? ["the scope shows the first \(most) seconds"] : []
    }

    private static func terminalColumns() -> Int {
        var size = winsize()
        guard Output.isTerminal, unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else {
            return 120
        }
        return Int(size.ws_col)
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

extension Substring {
    /// Without blanks at either end.
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
