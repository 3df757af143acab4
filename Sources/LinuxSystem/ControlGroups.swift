/// What the path of a control group tells of the processes in it.
///
/// Paths are seen from the control group namespace of whoever reads them: what lies outside of the reader's own one
/// begins with as many `/..` as there are levels up to a common ancestor, whose name stays unknown. Such steps are
/// skipped when names are looked for.
public struct ControlGroup: Hashable, Sendable {
    /// As in /proc/PID/cgroup: `/system.slice/nginx.service`.
    public var path: String

    public init(path: String) {
        self.path = path
    }

    /// The control group of a process; nil where it can't be read.
    public static func read(_ process: Int32) -> ControlGroup? {
        ControlGroupMembership.read(process)?.group
    }

    /// From a text of the form of /proc/PID/cgroup; see `ControlGroupMembership.group`.
    public static func parse(_ text: [UInt8]) -> ControlGroup? {
        ControlGroupMembership(text).group
    }

    /// The names along the path, steps out of the reader's namespace left out.
    var elements: [Substring] { path.split(separator: "/").filter { $0 != ".." } }

    /// The systemd unit of a system service: the last `*.service` below system.slice. Sessions (`session-3.scope`), users'
    /// managers (`user@1000.service`) and containers' scopes are none.
    public var systemdService: String? {
        let elements = elements
        guard elements.first == "system.slice" else { return nil }
        for element in elements.dropFirst().reversed() {
            if element.hasSuffix(".service"), !element.hasPrefix("user@"), element.utf8.count > ".service".utf8.count {
                return String(element)
            }
            // What runs in a scope, or in a pod below its runtime's unit, was not started by the service above it.
            if element.hasSuffix(".scope") || element.contains("kubepods") { return nil }
        }
        return nil
    }
}

/// The control groups that one process is in: one in each hierarchy that is mounted (cgroups(7)).
///
/// Version 2 knows one hierarchy, version 1 one for each controller or pair of them, and a hybrid host has both.
public struct ControlGroupMembership: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        /// `memory`, `cpu,cpuacct`, `name=systemd`; empty for the unified hierarchy of version 2.
        public var controllers: String
        /// Begins with a slash; the kernel's mark of a removed group is taken off.
        public var path: String

        public init(controllers: String, path: String) {
            self.controllers = controllers
            self.path = path
        }
    }

    public private(set) var entries: [Entry] = []

    /// There are 14 controllers, and named hierarchies are made by hand.
    private static let maximumEntries = 64

    /// From a text of the form of /proc/PID/cgroup: lines of `ID:CONTROLLERS:PATH`. What isn't one is left out.
    public init(_ text: [UInt8]) {
        for line in text.split(separator: 10) {
            let parts = line.split(separator: 0x3A, maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, parts[2].first == 0x2F, entries.count < Self.maximumEntries else { continue }
            var path = parts[2]
            let removed = Array(" (deleted)".utf8)
            if path.count > removed.count, path.suffix(removed.count) == removed[...] { path.removeLast(removed.count) }
            entries.append(
                Entry(
                    controllers: String(decoding: parts[1], as: UTF8.self), path: String(decoding: path, as: UTF8.self))
            )
        }
    }

    /// Reads only what the kernel itself knows: no memory and no file of the process is touched.
    public static func read(_ process: Int32) -> ControlGroupMembership? {
        ProcFile.read("/proc/\(process)/cgroup", limit: 65_536).map { ControlGroupMembership($0) }
    }

    /// The one path that says most. A container's comes first: on a hybrid host its runtime moves it in the hierarchies
    /// of version 1 alone and leaves it beside itself in the unified one. Then the unified hierarchy where it says
    /// anything, else systemd's own, else the longest path.
    public var group: ControlGroup? {
        var best: (rank: Int, path: String)?
        for entry in entries {
            var rank: Int
            if entry.path == "/" {
                rank = 0
            } else if entry.controllers.isEmpty {
                rank = 3_000_000
            } else if entry.controllers == "name=systemd" {
                rank = 2_000_000
            } else {
                rank = 1 + min(entry.path.utf8.count, 1_000_000)
            }
            if ControlGroup(path: entry.path).container != nil { rank += 10_000_000 }
            if rank > best?.rank ?? -1 { best = (rank, entry.path) }
        }
        return best.map { ControlGroup(path: $0.path) }
    }
}
