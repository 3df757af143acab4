import Glibc
import Testing

@testable import LinuxSystem

private let id = "3f2a9c1be07d4f5566778899aabbccddeeff00112233445566778899aabbccdd"
private let inner = "b7e1c0ffee00112233445566778899aabbccddeeff00112233445566778899aa"
private let uid = "6fb1b8a4-33c7-4d1e-9d5b-0c3e1a2b4c5d"
private let uidOfSystemd = "6fb1b8a4_33c7_4d1e_9d5b_0c3e1a2b4c5d"
private let staticUID = "5d7ae5c1ee1c8f8b0d6f0f4fd2cfd2a4"

/// Paths as the runtimes and their documents write them.
@Suite struct ContainerTests {
    struct Example: CustomTestStringConvertible, Sendable {
        var path: String
        var id: String?
        var runtime: Container.Runtime?
        var pod: String?

        init(_ path: String, _ id: String? = nil, _ runtime: Container.Runtime? = nil, pod: String? = nil) {
            self.path = path
            self.id = id
            self.runtime = runtime
            self.pod = pod
        }

        var testDescription: String { path }
    }

    @Test(arguments: [
        // Docker: by cgroupfs, by systemd, below a parent of one's own (--cgroup-parent), with groups of its own inside.
        Example("/docker/\(id)", id, .docker),
        Example("/system.slice/docker-\(id).scope", id, .docker),
        Example("/batch.slice/docker-\(id).scope", id, .docker),
        Example("/batch/\(id)", id, .unknown),
        Example("/system.slice/docker-\(id).scope/init.scope", id, .docker),
        Example("/docker/\(id)/system.slice/nginx.service", id, .docker),
        // Rootless.
        Example("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-\(id).scope", id, .docker),
        // Docker in Docker.
        Example("/docker/\(id)/docker/\(inner)", inner, .docker),
        Example("/system.slice/docker-\(id).scope/docker/\(inner)", inner, .docker),
        // containerd: by its own tools, nerdctl.
        Example("/default/\(id)", id, .containerd),
        Example("/system.slice/nerdctl-\(id).scope", id, .containerd),
        Example("/k8s.io/\(id)", id, .containerd),
        // Kubernetes: cgroupfs; quality of service guaranteed, burstable and best effort; static pods.
        Example("/kubepods/burstable/pod\(uid)/\(id)", id, .unknown, pod: uid),
        Example("/kubepods/pod\(uid)/\(id)", id, .unknown, pod: uid),
        Example("/kubelet/kubepods/besteffort/pod\(staticUID)/\(id)", id, .unknown, pod: staticUID),
        // By systemd.
        Example(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod\(uidOfSystemd).slice/cri-containerd-\(id).scope",
            id, .containerd, pod: uid),
        Example(
            "/kubepods.slice/kubepods-pod\(uidOfSystemd).slice/cri-containerd-\(id).scope", id, .containerd, pod: uid),
        Example(
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod\(staticUID).slice/docker-\(id).scope",
            id,
            .docker, pod: staticUID),
        Example(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod\(uidOfSystemd).slice/crio-\(id).scope", id,
            .crio, pod: uid),
        Example("/kubepods.slice/kubepods-pod\(uidOfSystemd).slice/crio-\(id).scope/container", id, .crio, pod: uid),
        Example("/kubepods/burstable/pod\(uid)/crio-\(id)", id, .crio, pod: uid),
        Example("/kubepods.slice/kubepods-pod\(uidOfSystemd).slice/crio-conmon-\(id).scope", nil, nil, pod: uid),
        Example("/kubepods/besteffort/pod\(uid)/crio-conmon-\(id)", nil, nil, pod: uid),
        // containerd told to use systemd's names without systemd.
        Example(
            "/system.slice/containerd.service/kubepods-burstable-pod\(uidOfSystemd).slice:cri-containerd:\(id)", id,
            .containerd, pod: uid),
        // A pod's group itself, and a node in a container (kind), whose kubelet has a parent of its own.
        Example("/kubepods/burstable/pod\(uid)", pod: uid),
        Example("/kubepods.slice/kubepods-burstable.slice"),
        Example(
            "/docker/\(id)/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
                + "kubelet-kubepods-burstable-pod\(uidOfSystemd).slice/cri-containerd-\(inner).scope", inner,
            .containerd,
            pod: uid),
        Example("/docker/\(id)/kubelet/kubepods/burstable/pod\(uid)/\(inner)", inner, .unknown, pod: uid),
        // Podman: root's and users', cgroupfs, pods, units (quadlet), monitors.
        Example("/machine.slice/libpod-\(id).scope", id, .podman),
        Example("/machine.slice/libpod-\(id).scope/container", id, .podman),
        Example("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-\(id).scope/container", id, .podman),
        Example("/libpod_parent/libpod-\(id)", id, .podman),
        Example("/machine.slice/machine-libpod_pod_\(inner).slice/libpod-\(id).scope", id, .podman, pod: inner),
        Example("/system.slice/web.service/libpod-payload-\(id)", id, .podman),
        Example("/machine.slice/libpod-conmon-\(id).scope"),
        Example("/libpod_parent/conmon"),
        // LXC and LXD, version 2 and older.
        Example("/lxc.payload.web-1", "web-1", .lxc),
        Example("/lxc.payload.web-1/system.slice/nginx.service", "web-1", .lxc),
        Example("/lxc.payload/web-1/init.scope", "web-1", .lxc),
        Example("/lxc/web-1", "web-1", .lxc),
        Example("/user.slice/user-1000.slice/session-4.scope/lxc/web-1", "web-1", .lxc),
        Example("/lxc.monitor.web-1"),
        Example("/lxc.monitor/web-1"),
        // systemd-nspawn: by hand, as a unit; virtual machines of libvirt are registered likewise and are none.
        Example("/machine.slice/machine-build\\x2dbox.scope/payload", "build-box", .nspawn),
        Example("/machine.slice/machine-box.scope/system.slice/ssh.service", "box", .nspawn),
        Example("/machine.slice/systemd-nspawn@box.service/payload/init.scope", "box", .nspawn),
        Example("/machine.slice/systemd-nspawn@box.service/supervisor"),
        Example("/machine.slice/machine-qemu\\x2d1\\x2ddb.scope/libvirt/emulator"),
        Example("/machine.slice"),
        // Amazon ECS.
        Example("/ecs/\(staticUID)/\(id)", id, .unknown),
        Example("/ecs/\(staticUID)/\(staticUID)-1234567890", "\(staticUID)-1234567890", .unknown),
        // Seen from a container's own namespace: as far as the common ancestor is known.
        Example("/../docker-\(inner).scope", inner, .docker),
        Example(
            "/../../kubepods-besteffort-pod\(uidOfSystemd).slice/cri-containerd-\(id).scope", id, .containerd, pod: uid),
        Example("/../../../burstable/pod\(uid)/\(id)", id, .unknown, pod: uid),
        Example("/"), Example("/.."), Example("/../.."),
        // No containers.
        Example("/system.slice/nginx.service"),
        Example("/user.slice/user-1000.slice/session-3.scope"),
        Example("/process_api/fa56e4ab6a7fa1efcfa7bf402ae4bf0c"),
        Example("/docker/\(id.dropLast())"), Example("/docker/\(id)0"), Example("/docker/\(id.uppercased())"),
        Example("/docker/buildkit/6m9ulw2pvdtvsv8tjghk9hvjz"),
        Example("/kubepods/burstable/pod\(uid.dropLast())"), Example("/elsewhere/pod\(uid)"),
        Example("/podUID"), Example("/kubepods/pod"), Example("/lxc"), Example("/lxc.payload."),
        Example("/machine.slice/machine-.scope"), Example("/\(staticUID)-"), Example("/\(staticUID)-12x"),
        Example("/libpod-\(id).scope-"), Example("/::"), Example("/-:-:"),
    ])
    func `the path of a control group names container, runtime and pod`(example: Example) {
        let group = ControlGroup(path: example.path)
        #expect(group.containerID == example.id)
        #expect(group.container?.runtime == example.runtime)
        #expect(group.podUID == example.pod)
    }

    @Test func `every container along a path is known, the outermost first`() {
        let group = ControlGroup(path: "/docker/\(id)/system.slice/docker-\(inner).scope")
        #expect(group.containers.map(\.id) == [id, inner])
    }

    @Test func `a path of any bytes is read without a trap`() {
        let seed = ReadersSeed.value
        var random = SeededGenerator(seed: seed)
        let words = [
            id, uid, "pod", "kubepods", "-", ":", "/", "..", "docker", "crio-", "lxc.payload.", "machine-", "\\x2d",
            "\\x",
            ".scope", ".slice", ".service", "machine.slice/", "\u{FF}", "é", "\0", " (deleted)", "systemd-nspawn@",
        ]
        for _ in 0..<5000 {
            var path = "/"
            for _ in 0..<Int.random(in: 0...9, using: &random) { path += words.randomElement(using: &random) ?? "" }
            let group = ControlGroup(path: path)
            for container in group.containers { #expect(!container.id.isEmpty, "\(path) of seed \(seed)") }
            _ = group.podUID
            _ = group.systemdService
        }
    }
}

@Suite struct ControlGroupMembershipTests {
    private func group(_ text: String) -> ControlGroup? { ControlGroup.parse(Array(text.utf8)) }

    @Test func `version 2 is one line`() {
        #expect(group("0::/system.slice/nginx.service\n")?.path == "/system.slice/nginx.service")
    }

    @Test func `version 1 is a line for each hierarchy, and systemd's own says most`() {
        let text = """
            12:pids:/system.slice/nginx.service
            4:cpu,cpuacct:/system.slice
            1:name=systemd:/system.slice/nginx.service

            """
        #expect(group(text)?.systemdService == "nginx.service")
    }

    @Test func `on a hybrid host a container is found in version 1 though version 2 names its runtime`() {
        // Debian 10, Docker with cgroupfs: runc moves the container in the hierarchies of version 1 alone.
        let text = """
            12:pids:/docker/\(id)
            11:memory:/docker/\(id)
            2:freezer:/docker/\(id)
            1:name=systemd:/docker/\(id)
            0::/system.slice/containerd.service

            """
        #expect(group(text)?.containerID == id)
        #expect(group(text)?.systemdService == nil)
    }

    @Test func `a removed group's mark is no part of its name`() {
        #expect(group("0::/docker/\(id) (deleted)\n")?.containerID == id)
    }

    @Test func `a colon in a group's name is part of it, and lines of another form are left out`() {
        let text = "0::/a:b:c\nnonsense\n1:cpu\n2:memory:relative\n::\n\n"
        #expect(ControlGroupMembership(Array(text.utf8)).entries == [.init(controllers: "", path: "/a:b:c")])
        #expect(group("") == nil && group("0::") == nil)
    }

    @Test func `lines without end are taken up to a limit`() {
        let text = String(repeating: "1:cpu:/a\n", count: 100_000)
        #expect(ControlGroupMembership(Array(text.utf8)).entries.count == 64)
    }

    @Test func `systemd's units are found past steps out of the namespace`() {
        #expect(group("0::/../../system.slice/nginx.service")?.systemdService == "nginx.service")
        #expect(group("0::/../nginx.service")?.systemdService == nil)
    }
}

@Suite struct ControlGroupPlaceTests {
    private static let unified = """
        25 30 0:23 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
        """
    private static let hybrid = """
        31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:1 shared:2 - cgroup cgroup rw,cpu,cpuacct
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
        40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
        """
    /// In a container of Docker without a namespace of its own, a blank in the mount's place.
    private static let inside = """
        700 699 0:29 /docker/\(id) /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory
        701 699 0:30 /docker/\(id) /mnt/a\\040b rw - cgroup cgroup rw,pids
        """

    private func mounts(_ text: String) -> ControlGroupMounts { ControlGroupMounts(Array(text.utf8)) }

    @Test func `the mounts tell the version`() {
        #expect(mounts(Self.unified).version == .v2)
        #expect(mounts(Self.hybrid).version == .hybrid)
        #expect(mounts(Self.inside).version == .v1)
        #expect(mounts("").version == .none)
        #expect(mounts("1 2 0:1 / / rw - cgroup2\nshort\n- - - - - - -\n").version == .none)
        #expect(ControlGroupMounts.read().version != .none)
    }

    @Test(
        arguments: [
            (unified, "/a/b", "/a/b", nil), (unified, "a/b/", "/a/b", nil), (unified, "/", "/", nil),
            (unified, "/sys/fs/cgroup/a", "/a", []), (unified, "/sys/fs/cgroup", "/", []),
            (unified, "/sys/fs/cgroup/", "/", []), (unified, "/sys/fs/cgroups/a", "/sys/fs/cgroups/a", nil),
            (unified, "/../x/./y/../z", "/../x/z", nil),
            (hybrid, "/sys/fs/cgroup/memory/a", "/a", ["rw", "memory"]),
            (hybrid, "/sys/fs/cgroup/unified/a/b", "/a/b", []),
            (hybrid, "/sys/fs/cgroup/memory2", "/memory2", nil),
            (inside, "/sys/fs/cgroup/memory/a", "/docker/\(id)/a", ["rw", "memory"]),
            (inside, "/mnt/a b", "/docker/\(id)", ["rw", "pids"]),
            ("", "/sys/fs/cgroup/a", "/a", nil),
        ] as [(String, String, String, Set<String>?)])
    func `a place is named as the kernel or the file system has it`(
        text: String, asked: String, path: String, controllers: Set<String>?
    ) {
        let place = ControlGroupPlace(asked, mounts: mounts(text))
        #expect(place.path == path)
        #expect(place.controllers == controllers)
    }

    @Test(arguments: [
        ("/a", "0::/a", true), ("/a", "0::/a/b", true), ("/a", "0::/ab", false), ("/a", "0::/", false),
        ("/a", "4:memory:/a\n0::/", true), ("/", "0::/a", true), ("/", "0::/", true), ("/", "0::/../a", false),
        ("/", "0::/..", false), ("/..a", "0::/..a/b", true), ("/..", "0::/../a", true),
        ("/sys/fs/cgroup/memory/a", "4:memory:/a\n0::/", true), ("/sys/fs/cgroup/memory/a", "4:pids:/a\n0::/a", false),
        ("/sys/fs/cgroup/cpu,cpuacct/a", "4:cpu,cpuacct:/a/b", true),
        ("/sys/fs/cgroup/unified/a", "4:memory:/a\n0::/", false), ("/sys/fs/cgroup/unified/a", "0::/a", true),
        ("/sys/fs/cgroup/systemd/a", "1:name=systemd:/a", true),
    ])
    func `a group holds what is in it and below it, in the hierarchy that was meant`(
        asked: String, text: String, isHeld: Bool
    ) {
        let place = ControlGroupPlace(asked, mounts: mounts(Self.hybrid))
        #expect(place.holds(ControlGroupMembership(Array(text.utf8))) == isHeld)
    }

    @Test func `our own groups exist and others don't`() throws {
        let mounts = ControlGroupMounts.read()
        let own = try #require(ControlGroupMembership.read(getpid()))
        let isThere = own.entries.contains { ControlGroupPlace($0.path, mounts: mounts).exists(in: mounts) }
        #expect(isThere)
        #expect(!ControlGroupPlace("/no/such/group", mounts: mounts).exists(in: mounts))
        // A file of a group is none.
        #expect(!ControlGroupPlace("/cgroup.procs", mounts: mounts).exists(in: mounts))
    }
}

/// From SEED, else drawn.
private enum ReadersSeed {
    static let value: UInt64 = {
        if let text = unsafe getenv("SEED"), let seed = unsafe UInt64(String(cString: text)) { return seed }
        return .random(in: .min ... .max)
    }()
}

private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
