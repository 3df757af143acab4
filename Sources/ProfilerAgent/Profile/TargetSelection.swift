internal import Glibc
internal import LinuxSystem
internal import Patterns

/// What the target of a one-host profile is on this host, now.
struct TargetSelection: Sendable {
    /// What the sampling thread keeps.
    var filter: TargetFilter
    /// What is kept of that at a window's end, when the services of its processes are known.
    var service: Glob?
    /// The target's processes at the start, with their names.
    var processes: [(process: Int32, name: String)] = []
    /// Further ones may come while none is there, so that the end of these is not the end of the target.
    var isOpen = false

    init(_ target: ProfileRequest.Target, command: Int32?) throws(ProfileError) {
        switch target {
        case .host: filter = .wholeHost
        case .command: filter = .started(command ?? -1)
        case .process(let process):
            guard let status = ProcessStatus.read(process) else { throw .noSuchProcess(process) }
            filter = .process(process)
            processes = [(process, status.command)]
        case .named(let text): self = try Self.named(text)
        case .container(let text): self = try Self.container(text)
        case .controlGroup(let text): self = try Self.controlGroup(text)
        case .service(let text): self = try Self.service(text)
        }
    }

    private init(filter: TargetFilter) { self.filter = filter }

    // MARK: Kinds of targets

    private static func named(_ text: String) throws(ProfileError) -> TargetSelection {
        var selection = TargetSelection(filter: .named(Glob(text)))
        let own = getpid()
        var others: Set<String> = []
        for process in ProcFile.processes() where process != own {
            guard let status = ProcessStatus.read(process), !status.isKernelThread else { continue }
            let path = ProcFile.executable(of: process)
            if selection.filter.selects(process: process, name: status.command, path: path) {
                selection.processes.append((process, status.command))
            } else {
                others.insert(status.command)
            }
        }
        guard !selection.processes.isEmpty else {
            throw .nothingMatches(glob: text, nearby: nearest(text, among: others))
        }
        return selection
    }

    private static func container(_ text: String) throws(ProfileError) -> TargetSelection {
        // As Kubernetes prints it: `containerd://ID`.
        let asked = text.firstRange(of: "://").map { String(text[$0.upperBound...]) } ?? text
        let running = RunningContainers.read()
        let id: String
        switch running.find(asked) {
        case .found(let found): id = found
        case .ambiguous(let candidates): throw .ambiguousContainer(asked, candidates: candidates)
        case .unknown: throw .noSuchContainer(asked, running: running.descriptions)
        }
        return inGroup(.container(id))
    }

    private static func controlGroup(_ text: String) throws(ProfileError) -> TargetSelection {
        let mounts = ControlGroupMounts.read()
        let place = ControlGroupPlace(text, mounts: mounts)
        let selection = inGroup(.controlGroup(place))
        // An empty group may be waited at: something may start in it.
        guard selection.processes.isEmpty, !place.exists(in: mounts) else { return selection }
        let others = ProcFile.processes().compactMap { ControlGroupMembership.read($0) }
            .flatMap { $0.entries.map(\.path) }
        throw .noSuchControlGroup(place.path, nearby: nearest(place.path, among: Set(others)))
    }

    private static func inGroup(_ group: ProcessGroup) -> TargetSelection {
        var selection = TargetSelection(filter: .group(group))
        selection.isOpen = true
        let own = getpid()
        for process in ProcFile.processes() where process != own && group.holds(process) == true {
            if let status = ProcessStatus.read(process) { selection.processes.append((process, status.command)) }
        }
        return selection
    }

    /// Named by the rules of the fleet. Which service a process belongs to is looked up apart from sampling, so all of the
    /// host is sampled and what is another service's is left out at each window's end.
    private static func service(_ text: String) throws(ProfileError) -> TargetSelection {
        let glob = Glob(text)
        var selection = TargetSelection(filter: .wholeHost)
        selection.service = glob
        selection.isOpen = true
        let names = ServiceNames()
        let own = getpid()
        var others: Set<String> = []
        for process in ProcFile.processes() where process != own {
            guard let status = ProcessStatus.read(process) else { continue }
            let facts = status.isKernelThread ? ProcessFacts() : ProcessInspector.read(process)
            let answer = names.answer(for: facts, name: status.command, isKernelThread: status.isKernelThread)
            if glob.matches(answer.service) {
                selection.processes.append((process, status.command))
            } else {
                others.insert(answer.service)
            }
        }
        guard !selection.processes.isEmpty else {
            throw .noSuchService(glob: text, nearby: nearest(text, among: others))
        }
        return selection
    }

    /// Names that hold the asked letters or begin like them come first.
    private static func nearest(_ text: String, among names: Set<String>) -> [String] {
        let wanted = text.filter { $0 != "*" }.lowercased()
        let prefix = wanted.prefix(3)
        let similar = names.filter { name in
            let name = name.lowercased()
            return name.contains(wanted) || wanted.contains(name) || (prefix.count == 3 && name.hasPrefix(prefix))
        }
        return Array((similar.isEmpty ? Array(names) : Array(similar)).sorted().prefix(8))
    }
}
