internal import Patterns

/// Which processes a one-host profile is about. Their descendants, from when they are seen on, always are too.
enum TargetFilter: Sendable {
    case wholeHost
    case process(Int32)
    /// A program that is being started in this process: from its exec on.
    case started(Int32)
    /// Globs of the main thread's name or the program's file name.
    case named(Glob)

    var isWholeHost: Bool {
        if case .wholeHost = self { true } else { false }
    }

    /// `path` is the program's path, where it is known.
    func selects(process: Int32, name: String, path: String?) -> Bool {
        switch self {
        case .wholeHost: true
        case .process(let asked): process == asked
        case .started: false
        case .named(let glob):
            glob.matches(name) || path.map { glob.matches(String($0.split(separator: "/").last ?? "")) } ?? false
        }
    }
}
