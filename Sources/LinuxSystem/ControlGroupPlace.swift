internal import Glibc

/// The hierarchies of control groups that are mounted, as /proc/self/mountinfo has them (proc_pid_mountinfo(5)).
public struct ControlGroupMounts: Hashable, Sendable {
    public struct Mount: Hashable, Sendable {
        /// Where it is mounted: `/sys/fs/cgroup/memory`.
        public var place: String
        /// The group that lies at that place; seen from this process's own namespace.
        public var root: String
        /// Empty for the unified hierarchy; else the options of the mount, controllers or `name=systemd` among them.
        public var controllers: Set<String>
    }

    public enum Version: String, Hashable, Sendable {
        case none, v1, v2, hybrid
    }

    public private(set) var mounts: [Mount] = []

    /// More mounts than this of one hierarchy kind serve nobody.
    private static let maximumMounts = 256

    public static func read() -> ControlGroupMounts {
        ControlGroupMounts(ProcFile.read("/proc/self/mountinfo", limit: 4 << 20) ?? [])
    }

    /// From a text of the form of /proc/PID/mountinfo.
    public init(_ text: [UInt8]) {
        for line in text.split(separator: 10) where mounts.count < Self.maximumMounts {
            let fields = line.split(separator: 32, omittingEmptySubsequences: false)
            guard let dash = fields.firstIndex(where: { $0.elementsEqual("-".utf8) }), dash >= 6,
                fields.count >= dash + 4
            else { continue }
            let isUnified = fields[dash + 1].elementsEqual("cgroup2".utf8)
            guard isUnified || fields[dash + 1].elementsEqual("cgroup".utf8) else { continue }
            let options = String(decoding: fields[dash + 3], as: UTF8.self).split(separator: ",").map(String.init)
            mounts.append(
                Mount(
                    place: Self.unescaped(fields[4]), root: Self.unescaped(fields[3]),
                    controllers: isUnified ? [] : Set(options)))
        }
    }

    public var version: Version {
        switch (mounts.contains { $0.controllers.isEmpty }, mounts.contains { !$0.controllers.isEmpty }) {
        case (false, false): .none
        case (true, false): .v2
        case (false, true): .v1
        case (true, true): .hybrid
        }
    }

    /// Blanks, tabs, newlines and backslashes are three octal digits behind a backslash.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> String {
        var result: [UInt8] = []
        var index = field.startIndex
        while index < field.endIndex {
            if field[index] == 0x5C, index + 3 < field.endIndex,
                let value = UInt8(String(decoding: field[(index + 1)...(index + 3)], as: UTF8.self), radix: 8)
            {
                result.append(value)
                index += 4
            } else {
                result.append(field[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// A control group that someone asks for, and everything below it.
public struct ControlGroupPlace: Hashable, Sendable {
    /// As in /proc/PID/cgroup, without a slash at the end; `/` is the root of all.
    public let path: String
    /// The hierarchy that was meant: empty is the unified one; nil is any that has this path.
    public let controllers: Set<String>?

    /// - Parameter text: a path as in /proc/PID/cgroup (a leading slash may be left out), or where a mounted hierarchy
    ///   has it (`/sys/fs/cgroup/system.slice`, `/sys/fs/cgroup/memory/docker`).
    public init(_ text: String, mounts: ControlGroupMounts) {
        let asked = Self.normal(text)
        var best: ControlGroupMounts.Mount?
        for mount in mounts.mounts {
            let place = Self.normal(mount.place)
            if place != "/", Self.isAtOrBelow(asked, place), place.utf8.count >= best?.place.utf8.count ?? 0 {
                best = mount
            }
        }
        if let best {
            path = Self.normal(best.root + "/" + asked.dropFirst(Self.normal(best.place).count))
            controllers = best.controllers
        } else {
            // Nothing is mounted there in this mount namespace: the part below is the same all the same.
            let usual = "/sys/fs/cgroup"
            path = Self.isAtOrBelow(asked, usual) ? Self.normal("/" + asked.dropFirst(usual.count)) : asked
            controllers = nil
        }
    }

    /// Whether a process is in this group or below it.
    public func holds(_ membership: ControlGroupMembership) -> Bool {
        membership.entries.contains { entry in
            if let controllers {
                let isSame =
                    controllers.isEmpty
                    ? entry.controllers.isEmpty
                    : !entry.controllers.isEmpty
                        && entry.controllers.split(separator: ",").allSatisfy { controllers.contains(String($0)) }
                guard isSame else { return false }
            }
            return Self.isAtOrBelow(entry.path, path)
        }
    }

    /// Whether such a group exists in a mounted hierarchy, with processes or without.
    public func exists(in mounts: ControlGroupMounts) -> Bool {
        mounts.mounts.contains { mount in
            guard controllers == nil || controllers == mount.controllers, Self.isAtOrBelow(path, mount.root) else {
                return false
            }
            let below = mount.root == "/" ? path : String(path.dropFirst(mount.root.count))
            // A group, not one of its files.
            return unsafe access("\(mount.place)/\(below)/cgroup.procs", F_OK) == 0
        }
    }

    /// A group that lies outside of the reader's namespace (`/..`) is not below its root.
    private static func isAtOrBelow(_ path: String, _ ancestor: String) -> Bool {
        if ancestor == "/" { return path != "/.." && !path.hasPrefix("/../") }
        return path == ancestor || path.hasPrefix(ancestor + "/")
    }

    /// One slash in front of each name, none at the end; `.` and `..` are followed, those in front of the first name kept.
    private static func normal(_ text: String) -> String {
        var names: [Substring] = []
        for name in text.split(separator: "/") where name != "." {
            if name == "..", let last = names.last, last != ".." {
                names.removeLast()
            } else {
                names.append(name)
            }
        }
        return "/" + names.joined(separator: "/")
    }
}
