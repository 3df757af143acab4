internal import Formats
internal import Glibc
internal import LinuxSystem

/// Which containers are seen here, and what hides others.
struct ContainerFindings: Hashable, Sendable {
    var countByRuntime: [Container.Runtime: Int] = [:]
    var version = ControlGroupMounts.Version.none
    /// nil where it could not be found out.
    var seesAllProcesses: Bool?
    var seesAllControlGroups: Bool?
    /// Whether /proc tells control groups at all.
    var hasControlGroups = true

    static func look() -> ContainerFindings {
        ContainerFindings(
            countByRuntime: RunningContainers.read().countByRuntime, version: ControlGroupMounts.read().version,
            seesAllProcesses: Namespaces.seesAllProcesses, seesAllControlGroups: Namespaces.seesAllControlGroups,
            hasControlGroups: ControlGroupMembership.read(getpid()) != nil)
    }

    func check() -> DoctorAnswer.Check {
        var remedy: String?
        var detail = seen
        if !hasControlGroups {
            detail = "this kernel has no control groups, by which containers and systemd's units are told apart"
            remedy = "use a kernel with CONFIG_CGROUPS"
        } else if seesAllProcesses == false {
            detail += "; this program runs in a PID namespace of its own, so what runs outside of it is not seen"
            remedy =
                "give the agent's container the host's namespaces: docker run --pid=host --cgroupns=host, in Kubernetes"
                + " hostPID: true"
        } else if seesAllControlGroups == false {
            detail +=
                "; this program has a control group namespace of its own, so units, pods and containers around it may"
                + " stay without names"
            remedy = "give the agent's container the host's control groups: docker run --cgroupns=host"
        }
        return DoctorAnswer.Check(
            name: "containers", state: remedy == nil ? .ok : .limited, detail: detail, remedy: remedy)
    }

    private var seen: String {
        let count = countByRuntime.values.reduce(0, +)
        let groups =
            switch version {
            case .none: "no control groups are mounted here"
            case .v1: "control groups are of version 1"
            case .v2: "control groups are of version 2"
            case .hybrid: "control groups are of versions 1 and 2"
            }
        guard count > 0 else { return "no container is seen to run; \(groups)" }
        let parts = countByRuntime.map { "\($0.key.rawValue): \($0.value)" }.sorted().joined(separator: ", ")
        return
            "\(count) \(count == 1 ? "runs" : "run") (\(parts)), with the ID as the label `container`, a pod's UID as"
            + " `pod`; \(groups)"
    }
}
