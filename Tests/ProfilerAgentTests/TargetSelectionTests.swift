import Formats
import Glibc
import LinuxSystem
import Patterns
import Profiles
import Testing
import ToolOutput

@testable import ProfilerAgent

@Suite struct RunningContainersTests {
    private static let one = String(repeating: "0123456789abcdef", count: 4)
    private static let other = "0123456789ff" + String(repeating: "7", count: 52)
    private static let task = String(repeating: "ab", count: 16) + "-1234567890"

    private func running() -> RunningContainers {
        var running = RunningContainers()
        running.add(Container(id: Self.one, runtime: .unknown), process: "nginx")
        running.add(Container(id: Self.one, runtime: .docker), process: "sh")
        running.add(Container(id: Self.other, runtime: .podman), process: "redis")
        running.add(Container(id: Self.task, runtime: .unknown), process: "task")
        running.add(Container(id: "deadbeefcafe", runtime: .lxc), process: "init")
        return running
    }

    @Test(arguments: [
        (one, RunningContainers.Found.found(one)), ("0123456789ab", .found(one)), ("0123456789AB", .found(one)),
        ("0123456789f", .found(other)), ("01234567", .ambiguous([one, other])),
        ("0123456789", .ambiguous([one, other])),
        ("0123456", .unknown), ("", .unknown), ("99999999", .unknown), ("0123456*", .unknown),
        (task, .found(task)), ("abababab", .found(task)),
        // Names are not shortened.
        ("deadbeefcafe", .found("deadbeefcafe")), ("deadbeef", .unknown),
    ])
    func `a container is found by its ID or eight and more digits of it`(
        asked: String, found: RunningContainers.Found
    ) {
        #expect(running().find(asked) == found)
    }

    @Test func `what runs is told with runtime and first process`() {
        #expect(
            running().descriptions == [
                "0123456789ab (docker, nginx)", "0123456789ff (podman, redis)", "abababababab (task)",
                "deadbeefcafe (lxc, init)",
            ])
        #expect(running().countByRuntime == [.docker: 1, .podman: 1, .unknown: 1, .lxc: 1])
    }

    @Test func `an unknown container's message lists those that run, an ambiguous prefix's the candidates`() {
        let unknown = ProfileError.noSuchContainer("ffffffff", running: running().descriptions)
        #expect(unknown.isNoMatch && "\(unknown)".contains("0123456789ab (docker, nginx)"))
        let many = ProfileError.noSuchContainer("ffffffff", running: (0..<40).map { "c\($0)" })
        #expect("\(many)".contains("c15 and 24 more"))
        let ambiguous = ProfileError.ambiguousContainer("01234567", candidates: [Self.one, Self.other])
        #expect(!ambiguous.isNoMatch && "\(ambiguous)".contains(Self.one) && "\(ambiguous)".contains(Self.other))
    }
}

@Suite struct ServiceSelectionTests {
    @Test func `only the service's series and their stacks are kept, with the same counts`() {
        var stacks = StackTable()
        let module = stacks.intern(Module(identity: .name, name: "/bin/x"))
        let other = stacks.intern(Module(identity: .name, name: "/bin/y"))
        func node(_ parent: UInt32, _ name: String) -> UInt32 {
            let name = stacks.intern(name)
            return stacks.intern(parent: parent, frame: stacks.intern(Frame(kind: .process, name: name)))
        }
        let p1 = node(StackTable.root, "other")
        let f1 = stacks.intern(parent: p1, frame: stacks.intern(Frame(kind: .native, module: other, address: 1)))
        let p2 = node(StackTable.root, "web")
        let f2 = stacks.intern(parent: p2, frame: stacks.intern(Frame(kind: .native, module: module, address: 2)))
        let f3 = stacks.intern(parent: f2, frame: stacks.intern(Frame(kind: .native, module: module, address: 3)))
        func series(_ service: String, _ nodes: [UInt32]) -> Series {
            Series(
                key: SeriesKey(service: service, version: "", labels: [], type: .cpu), samplesPerSecond: 100,
                stacks: StackCounts(
                    nodes: nodes, counts: nodes.map { UInt64($0) }, weights: nodes.map { UInt64($0) * 10 }),
                quality: StackQuality(whole: nil, cut: nil, broken: nil))
        }
        var window = NamedWindow(stacks: stacks, series: [series("other", [f1]), series("web-1", [f2, f3])])
        for (number, node) in [(0, f1), (1, f3)] {
            window.moments.append(
                SampleMoments.Moment(
                    time: Timestamp(seconds: Int64(node)), key: UInt32(number), node: node, weight: 7))
        }
        let kept = ServiceSelection(service: Glob("web*")).keep(of: window)
        #expect(kept.series.map(\.key.service) == ["web-1"])
        #expect(kept.stacks.modules.map(\.name) == ["/bin/x"])
        #expect(kept.stacks.nodes.count == 4)
        let columns = kept.series[0].stacks
        #expect(columns.counts == [UInt64(f2), UInt64(f3)] && columns.weights == [UInt64(f2) * 10, UInt64(f3) * 10])
        #expect(columns.nodes == columns.nodes.sorted())
        let stack = kept.stacks.stack(of: columns.nodes[1])
        #expect(stack.map(\.address).suffix(2) == [2, 3])
        #expect(kept.stacks.strings[Int(stack[0].name)] == "web")
        #expect(kept.moments.map(\.time) == [Timestamp(seconds: Int64(f3))])
        #expect(kept.moments.map(\.key) == [0] && kept.moments.map(\.node) == [columns.nodes[1]])
        #expect(ServiceSelection(service: Glob("*")).keep(of: window).stacks.nodes.count == stacks.nodes.count)
        #expect(ServiceSelection(service: Glob("none")).keep(of: window).series.isEmpty)
    }
}

@Suite struct GroupQuestionsTests {
    private func entry(_ process: Int32, serial: UInt64, isTarget: Bool = false) -> ProcessEntry {
        let start = ProcessStatus.read(process).map { HostClock.now().monotonic(ofBootTicks: $0.startTicks) }
        var entry = ProcessEntry(
            process: process, serial: serial, parent: 1, origin: 0, startTime: start ?? 0, name: 0)
        entry.isTarget = isTarget
        return entry
    }

    private func questions(_ path: String) throws -> GroupQuestions {
        let place = ControlGroupPlace(path, mounts: ControlGroupMounts([]))
        return try #require(GroupQuestions(.group(.controlGroup(place))))
    }

    @Test func `only a change is an answer, and a process is asked about once a second or at an exec`() throws {
        var all = try questions("/")
        let time: UInt64 = 1 << 40
        #expect(all.answer(for: entry(getpid(), serial: 1), time: time, isExec: false) == true)
        #expect(all.answer(for: entry(getpid(), serial: 1), time: time + 1, isExec: false) == nil)
        #expect(all.answer(for: entry(getpid(), serial: 1), time: time + 2, isExec: true) == true)
        #expect(all.answer(for: entry(getpid(), serial: 1), time: time + 1_000_000_001, isExec: false) == true)
        #expect(all.answer(for: entry(getpid(), serial: 2, isTarget: true), time: time, isExec: false) == nil)
        var none = try questions("/no/such/group")
        #expect(none.answer(for: entry(getpid(), serial: 1), time: time, isExec: false) == nil)
        #expect(none.answer(for: entry(getpid(), serial: 2, isTarget: true), time: time, isExec: false) == false)
    }

    @Test func `a process that has gone, or another one with its PID, says nothing`() throws {
        var all = try questions("/")
        #expect(all.answer(for: entry(1 << 22, serial: 1), time: 1 << 40, isExec: true) == nil)
        var later = entry(getpid(), serial: 2)
        later.startTime &+= 10_000_000_000
        #expect(all.answer(for: later, time: 1 << 40, isExec: true) == nil)
        #expect(GroupQuestions(.wholeHost) == nil)
    }

    @Test func `there is a limit on questions in a second`() throws {
        var all = try questions("/")
        var answers = 0
        for serial in 1...1000
        where all.answer(for: entry(getpid(), serial: UInt64(serial)), time: 1 << 40, isExec: true) != nil {
            answers += 1
        }
        #expect(answers == 400)
        #expect(all.notAsked == 600)
    }
}

@Suite struct ContainerFindingsTests {
    @Test(arguments: [
        (ContainerFindings(version: .v2, seesAllProcesses: true, seesAllControlGroups: true), true, "no container"),
        (
            ContainerFindings(
                countByRuntime: [.docker: 2, .crio: 1], version: .v1, seesAllProcesses: true,
                seesAllControlGroups: true), true, "3 run (cri-o: 1, docker: 2)"
        ),
        (
            ContainerFindings(version: .hybrid, seesAllProcesses: false, seesAllControlGroups: false), false,
            "--pid=host"
        ),
        (
            ContainerFindings(version: .v2, seesAllProcesses: true, seesAllControlGroups: false), false,
            "--cgroupns=host"
        ),
        (ContainerFindings(seesAllProcesses: true, hasControlGroups: false), false, "CONFIG_CGROUPS"),
        (ContainerFindings(version: .v2), true, "version 2"),
    ])
    func `the doctor says what is seen and what hides the rest`(
        findings: ContainerFindings, isFine: Bool, words: String
    ) {
        let check = findings.check()
        #expect((check.remedy == nil) == isFine)
        #expect("\(check.detail) \(check.remedy ?? "")".contains(words))
    }
}
