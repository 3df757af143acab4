/// A container as far as the path of its control group tells of it.
public struct Container: Hashable, Sendable {
    /// Who runs it; where the path doesn't say, `unknown`.
    public enum Runtime: String, Hashable, Sendable {
        case docker, containerd, podman, lxc, unknown
        case crio = "cri-o"
        case nspawn = "systemd-nspawn"
    }

    /// 64 hexadecimal digits; on ECS 32 digits, a dash and a number; the name for LXC and systemd-nspawn.
    public var id: String
    public var runtime: Runtime

    public init(id: String, runtime: Runtime) {
        self.id = id
        self.runtime = runtime
    }

    /// Whether the ID is drawn, not a name that people gave: only such may be shortened.
    public var hasDrawnID: Bool { Self.isIdentifier(id[...]) }
}

extension ControlGroup {
    /// The container that the processes of this group are in. One inside another one counts as itself.
    public var container: Container? { containers.last }

    public var containerID: String? { container?.id }

    /// All containers along the path, the outermost first: Docker in Docker, Kubernetes in Docker.
    ///
    /// As the runtimes write it (each of these may lie below other groups):
    /// `docker/ID`, `docker-ID.scope`; `cri-containerd-ID.scope`, `SLICE:cri-containerd:ID`, `nerdctl-ID.scope`;
    /// `crio-ID.scope`, `crio-ID`; `libpod-ID.scope`, `libpod_parent/libpod-ID`, `UNIT.service/libpod-payload-ID`;
    /// `kubepods/…/podUID/ID`, `ecs/TASK/ID`; `lxc.payload.NAME`, `lxc/NAME`; `machine.slice/machine-NAME.scope`,
    /// `machine.slice/systemd-nspawn@NAME.service/payload`. Monitors of a container (conmon, LXC's, nspawn's own
    /// process) stand in groups of their own beside it and are not in it.
    public var containers: [Container] {
        let elements = elements
        var found: [Container] = []
        for index in elements.indices {
            let above = index > 0 ? elements[index - 1] : ""
            if let container = Self.numbered(elements[index], below: above)
                ?? Self.named(elements[index], below: above, rest: elements[(index + 1)...])
            {
                found.append(container)
            }
        }
        return found
    }

    /// The UID of the Kubernetes pod, with dashes as Kubernetes prints it (static pods: 32 digits without); for a pod
    /// of Podman its 64 digits.
    public var podUID: String? {
        // Out of the reader's namespace the beginning of the path is not known.
        var isBelowKubernetes = path.hasPrefix("/..")
        var pod: String?
        for element in elements {
            // containerd without systemd in a configuration for it: `SLICE:cri-containerd:ID`.
            var name = element.split(separator: ":").first ?? element
            if name.hasSuffix(".slice") { name = name.dropLast(".slice".count) }
            if name.hasPrefix("machine-libpod_pod_") || name.hasPrefix("user-libpod_pod_") {
                let id = name[name.index(after: name.lastIndex(of: "_") ?? name.startIndex)...]
                if Container.isHexadecimal(id, count: 64) { pod = String(id) }
                continue
            }
            // `kubepods-burstable-podUID.slice`, in a node within a container `kubelet-kubepods-…`; `kubepods/…/podUID`.
            if name.contains("kubepods") {
                isBelowKubernetes = true
                if let uid = Self.lastPod(name) { pod = uid }
            } else if isBelowKubernetes, name.hasPrefix("pod"), let uid = Self.podUID(name.dropFirst(3)) {
                pod = uid
            }
        }
        return pod
    }

    // MARK: Inside

    private static func numbered(_ element: Substring, below above: Substring) -> Container? {
        var name = element
        if name.hasSuffix(".scope") { name = name.dropLast(".scope".count) }
        var maker = Substring()
        if let colon = name.lastIndex(of: ":") {
            maker = name[..<colon].split(separator: ":").last ?? ""
            name = name[name.index(after: colon)...]
        } else if !Container.isIdentifier(name), let dash = name.lastIndex(of: "-") {
            maker = name[..<dash]
            name = name[name.index(after: dash)...]
        }
        guard Container.isIdentifier(name) else { return nil }
        let runtime: Container.Runtime
        switch maker {
        case "crio-conmon", "libpod-conmon": return nil
        case "docker": runtime = .docker
        case "cri-containerd", "nerdctl": runtime = .containerd
        case "crio": runtime = .crio
        case "libpod", "libpod-payload": runtime = .podman
        case "":
            switch above {
            case "docker": runtime = .docker
            case "default", "k8s.io": runtime = .containerd
            default: runtime = .unknown
            }
        default: runtime = .unknown
        }
        return Container(id: String(name), runtime: runtime)
    }

    private static func named(
        _ element: Substring, below above: Substring, rest: ArraySlice<Substring>
    ) -> Container? {
        func container(_ name: Substring, _ runtime: Container.Runtime) -> Container? {
            name.isEmpty ? nil : Container(id: unescaped(name), runtime: runtime)
        }
        if element.hasPrefix("lxc.payload.") { return container(element.dropFirst("lxc.payload.".count), .lxc) }
        if above == "lxc" || above == "lxc.payload" { return container(element, .lxc) }
        if above == "machine.slice", element.hasPrefix("machine-"), element.hasSuffix(".scope") {
            let name = element.dropFirst("machine-".count).dropLast(".scope".count)
            // Virtual machines are registered in the same way, by libvirt.
            return name.hasPrefix("qemu\\x2d") ? nil : container(name, .nspawn)
        }
        if element.hasPrefix("systemd-nspawn@"), element.hasSuffix(".service"), rest.first != "supervisor" {
            return container(element.dropFirst("systemd-nspawn@".count).dropLast(".service".count), .nspawn)
        }
        return nil
    }

    /// systemd writes bytes that a unit's name must not hold as `\x2d` (systemd-escape(1)).
    private static func unescaped(_ name: Substring) -> String {
        guard name.contains("\\") else { return String(name) }
        let bytes = Array(name.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x5C, index + 3 < bytes.count, bytes[index + 1] == 0x78,
                let value = UInt8(String(decoding: bytes[(index + 2)...(index + 3)], as: UTF8.self), radix: 16)
            {
                result.append(value)
                index += 4
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Of `kubepods-besteffort-pod1b2c…`: dashes of the UID are underscores there, so the last `-pod` begins it.
    private static func lastPod(_ name: Substring) -> String? {
        var rest = name
        while let dash = rest.lastIndex(of: "-") {
            let part = rest[rest.index(after: dash)...]
            if part.hasPrefix("pod") { return podUID(name[part.index(part.startIndex, offsetBy: 3)...]) }
            rest = rest[..<dash]
        }
        return nil
    }

    private static func podUID(_ text: Substring) -> String? {
        if Container.isHexadecimal(text, count: 32) { return String(text) }
        let uid = text.map { $0 == "_" ? "-" : $0 }
        let parts = uid.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.count) == [8, 4, 4, 4, 12] else { return nil }
        return parts.allSatisfy({ Container.isHexadecimal(Substring(String($0)), count: $0.count) })
            ? String(uid) : nil
    }
}

extension Container {
    static func isHexadecimal(_ text: Substring, count: Int) -> Bool {
        text.utf8.count == count && text.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) }
    }

    /// 64 hexadecimal digits, or 32, a dash and a number, as ECS draws them.
    static func isIdentifier(_ text: Substring) -> Bool {
        if isHexadecimal(text, count: 64) { return true }
        guard text.utf8.count > 33, text.utf8.count < 48, let dash = text.lastIndex(of: "-") else { return false }
        return isHexadecimal(text[..<dash], count: 32)
            && text[text.index(after: dash)...].utf8.allSatisfy { $0 >= 48 && $0 <= 57 }
    }
}
