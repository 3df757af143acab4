/// What the path of a control group tells of the processes in it.
public struct ControlGroup: Hashable, Sendable {
    /// As in /proc/PID/cgroup: `/system.slice/nginx.service`.
    public var path: String

    public init(path: String) {
        self.path = path
    }

    /// The control group of a process; nil where it can't be read.
    public static func read(_ process: Int32) -> ControlGroup? {
        ProcFile.read("/proc/\(process)/cgroup", limit: 65_536).flatMap(parse)
    }

    /// From a text of the form of /proc/PID/cgroup (cgroups(7)): lines of `ID:CONTROLLERS:PATH`. The unified hierarchy
    /// (ID 0) is taken where it says anything, else systemd's own, else the longest path of the others.
    public static func parse(_ text: [UInt8]) -> ControlGroup? {
        var best: (rank: Int, path: String)?
        for line in text.split(separator: 10) {
            let parts = line.split(separator: 0x3A, maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let path = String(decoding: parts[2], as: UTF8.self)
            let rank: Int
            if path == "/" {
                rank = 0
            } else if parts[0].elementsEqual("0".utf8) {
                rank = 3_000_000
            } else if parts[1].elementsEqual("name=systemd".utf8) {
                rank = 2_000_000
            } else {
                rank = 1 + min(path.utf8.count, 1_000_000)
            }
            if rank > best?.rank ?? -1 { best = (rank, path) }
        }
        return best.map { ControlGroup(path: $0.path) }
    }

    private var elements: [Substring] { path.split(separator: "/") }

    /// The systemd unit of a system service: the last `*.service` below system.slice. Sessions (`session-3.scope`), users'
    /// managers (`user@1000.service`) and containers' scopes are none.
    public var systemdService: String? {
        let elements = elements
        guard elements.first == "system.slice" else { return nil }
        for element in elements.dropFirst().reversed() {
            if element.hasSuffix(".service"), !element.hasPrefix("user@"), element.utf8.count > ".service".utf8.count {
                return String(element)
            }
            // What runs in a scope was not started by the service above it.
            if element.hasSuffix(".scope") { return nil }
        }
        return nil
    }

    /// The ID of the container, 64 hexadecimal digits, as Docker, containerd, CRI-O and Podman write it into the path:
    /// `/docker/ID`, `docker-ID.scope`, `/kubepods/…/ID`, `cri-containerd-ID.scope`, `crio-ID.scope`,
    /// `libpod-ID.scope`, `/libpod_parent/libpod-ID`. A container inside another one counts as itself.
    public var containerID: String? {
        for element in elements.reversed() {
            var name = element
            if name.hasSuffix(".scope") { name = name.dropLast(".scope".count) }
            // Monitors stand beside the container, in a group of their own with the same ID.
            if name.hasPrefix("crio-conmon-") || name.hasPrefix("libpod-conmon-") { continue }
            if let dash = name.lastIndex(of: "-") { name = name[name.index(after: dash)...] }
            // containerd's plugin for cgroups of systemd: `SLICE:cri-containerd:ID`.
            if let colon = name.lastIndex(of: ":") { name = name[name.index(after: colon)...] }
            let isDigits = name.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) }
            if name.utf8.count == 64, isDigits { return String(name) }
        }
        return nil
    }
}
