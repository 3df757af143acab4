internal import LinuxSystem

/// The containers that have processes on this host.
struct RunningContainers: Sendable {
    enum Found: Hashable, Sendable {
        case found(String)
        /// Whole IDs.
        case ambiguous([String])
        case unknown
    }

    /// Fewer digits than this are no shortened ID.
    static let fewestDigits = 8

    private struct Seen {
        var runtime: Container.Runtime
        /// Of the process with the lowest PID, mostly the first one.
        var name: String
    }

    private var containers: [String: Seen] = [:]

    init() {}

    static func read() -> RunningContainers {
        var running = RunningContainers()
        for process in ProcFile.processes() {
            guard let membership = ControlGroupMembership.read(process) else { continue }
            let name = ProcessStatus.read(process)?.command ?? "?"
            for entry in membership.entries {
                for container in ControlGroup(path: entry.path).containers { running.add(container, process: name) }
            }
        }
        return running
    }

    mutating func add(_ container: Container, process name: String) {
        if let seen = containers[container.id] {
            // One hierarchy's path may say more than another's.
            if seen.runtime == .unknown { containers[container.id]?.runtime = container.runtime }
        } else {
            containers[container.id] = Seen(runtime: container.runtime, name: name)
        }
    }

    /// By its whole ID or name, or by the first digits of an ID.
    func find(_ asked: String) -> Found {
        if containers[asked] != nil { return .found(asked) }
        let digits = asked.lowercased()
        guard digits.utf8.count >= Self.fewestDigits,
            digits.utf8.allSatisfy({ ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) || $0 == 45 })
        else { return .unknown }
        let candidates = containers.keys.filter { id in
            id.hasPrefix(digits) && Container(id: id, runtime: .unknown).hasDrawnID
        }
        if candidates.count > 1 { return .ambiguous(candidates.sorted()) }
        return candidates.first.map { .found($0) } ?? .unknown
    }

    /// For people: `0123456789ab (docker, nginx)`.
    var descriptions: [String] {
        containers.map { id, seen in
            let short = Container(id: id, runtime: seen.runtime).hasDrawnID ? String(id.prefix(12)) : id
            return seen.runtime == .unknown
                ? "\(short) (\(seen.name))" : "\(short) (\(seen.runtime.rawValue), \(seen.name))"
        }.sorted()
    }

    /// How many of each runtime.
    var countByRuntime: [Container.Runtime: Int] {
        containers.values.reduce(into: [:]) { $0[$1.runtime, default: 0] += 1 }
    }
}
