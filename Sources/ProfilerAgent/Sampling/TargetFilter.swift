internal import LinuxSystem
internal import Patterns

/// Which processes a one-host profile is about.
///
/// Descendants of what is named by process or name always are too. A group's processes are those that are in it:
/// children are born into it, and one that is moved elsewhere, as a container's runtime moves what it starts, has left.
enum TargetFilter: Sendable {
    case wholeHost
    case process(Int32)
    /// A program that is being started in this process: from its exec on.
    case started(Int32)
    /// Globs of the main thread's name or the program's file name.
    case named(Glob)
    case group(ProcessGroup)

    var isWholeHost: Bool {
        if case .wholeHost = self { true } else { false }
    }

    var group: ProcessGroup? {
        if case .group(let group) = self { group } else { nil }
    }

    /// `path` is the program's path, where it is known.
    func selects(process: Int32, name: String, path: String?) -> Bool {
        switch self {
        case .wholeHost: true
        case .process(let asked): process == asked
        case .started: false
        case .named(let glob):
            glob.matches(name) || path.map { glob.matches(String($0.split(separator: "/").last ?? "")) } ?? false
        case .group(let group): group.holds(process) ?? false
        }
    }
}

/// Processes that the kernel itself keeps together.
enum ProcessGroup: Hashable, Sendable {
    /// By its whole ID; containers inside it belong to it.
    case container(String)
    case controlGroup(ControlGroupPlace)

    func holds(_ membership: ControlGroupMembership) -> Bool {
        switch self {
        case .container(let id):
            membership.entries.contains { ControlGroup(path: $0.path).containers.contains { $0.id == id } }
        case .controlGroup(let place): place.holds(membership)
        }
    }

    /// Whether a process is in it now; nil where it has gone.
    func holds(_ process: Int32) -> Bool? {
        process > 0 ? ControlGroupMembership.read(process).map { holds($0) } : nil
    }
}

/// Asks for the control group of processes as a sampling thread may: seldom.
///
/// A process is asked about at each exec, and when it has a sample and the last answer is a second old; it inherits its
/// parent's answer until then. An answer is a short text of the kernel's own (18 microseconds, measured); there is a limit on
/// how many are asked for in a second, beyond which what is known holds on.
struct GroupQuestions: Sendable {
    let group: ProcessGroup
    /// At 18 microseconds each, 0.7 % of one core.
    private static let maximumPerSecond = 400
    private static let second: UInt64 = 1_000_000_000

    private var asked: Set<UInt64> = []
    private var asking = 0
    private var secondStart: UInt64 = 0
    /// Questions that the limit forbade.
    private(set) var notAsked: UInt64 = 0

    init?(_ filter: TargetFilter) {
        guard let group = filter.group else { return nil }
        self.group = group
    }

    /// Whether the process of an entry is in the group; nil: as before.
    ///
    /// - Parameters:
    ///   - time: nanoseconds of CLOCK_MONOTONIC.
    ///   - isExec: it has begun another program, so that an answer of this second may be wrong.
    mutating func answer(for entry: ProcessEntry, time: UInt64, isExec: Bool) -> Bool? {
        if time > secondStart &+ Self.second {
            asked.removeAll(keepingCapacity: true)
            asking = 0
            secondStart = time
        }
        guard isExec || !asked.contains(entry.serial) else { return nil }
        guard asking < Self.maximumPerSecond else {
            notAsked &+= 1
            return nil
        }
        asking += 1
        asked.insert(entry.serial)
        guard let isIn = group.holds(entry.process), isIn != entry.isTarget else { return nil }
        // The PID may be another process's by now, whose group is no matter of this entry.
        guard let status = ProcessStatus.read(entry.process) else { return nil }
        let start = HostClock.now().monotonic(ofBootTicks: status.startTicks)
        let distance = start > entry.startTime ? start - entry.startTime : entry.startTime - start
        return distance <= ProcessTable.startTolerance ? isIn : nil
    }
}
