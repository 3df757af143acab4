import Foundation
import Testing

/// A control group of the unified hierarchy, for one test: gone, with what runs in it, when the last reference goes.
private final class TestGroup {
    /// As in /proc/PID/cgroup.
    let path: String
    private let mount: String

    /// Where a unified hierarchy is mounted that this user may write.
    static let place: String? = {
        let mounts = (try? String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)) ?? ""
        for line in mounts.split(separator: "\n") where line.contains(" - cgroup2 ") {
            let fields = line.split(separator: " ")
            guard fields.count > 4, fields[3] == "/" else { continue }
            if unsafe access(String(fields[4]), W_OK) == 0 { return String(fields[4]) }
        }
        return nil
    }()

    init(_ name: String) throws {
        mount = try #require(Self.place)
        path = "/perf-fleet-test-\(UUID().uuidString.lowercased())/\(name)"
        try FileManager.default.createDirectory(atPath: mount + path, withIntermediateDirectories: true)
    }

    var parent: String { (path as NSString).deletingLastPathComponent }
    var directory: String { mount + path }

    deinit {
        for process in (try? String(contentsOfFile: directory + "/cgroup.procs", encoding: .utf8))?.split(
            separator: "\n") ?? []
        {
            if let process = Int32(process) { kill(process, SIGKILL) }
        }
        for group in [path, parent] { until(seconds: 5) { unsafe rmdir(mount + group) == 0 || errno == ENOENT } }
    }

    /// Starts the demonstration load in this group.
    func run(_ service: String, seconds: Int, after delay: Int = 0) throws -> Running {
        try Running(
            "/bin/sh",
            [
                "-c",
                "sleep \(delay); echo $$ > \(directory)/cgroup.procs; exec \(Program.path("demo-load")) \(service) \(seconds)",
            ])
    }
}

/// `perf-agent profile` of containers, control groups and services.
@Suite(
    .serialized, .enabled(if: canSample, "needs the right to sample the whole host (root or CAP_PERFMON)"),
    .enabled(if: TestGroup.place != nil, "needs a unified hierarchy of control groups that this user may write"))
struct GroupProfileTests {
    private let checkout = Set(["price_cart", "apply_discounts", "write_receipt"])
    private let search = Set(["rank_results", "tokenize_query"])

    /// Stacks of `profile TARGET --format folded` by their process, and the functions in them.
    private func profile(_ target: String, seconds: Int, whileRunning: () throws -> Void = {}) throws -> (
        processes: Set<String>, functions: Set<String>
    ) {
        let run = try Running(
            "perf-agent", ["profile", target, "--duration", "\(seconds)", "--rate", "200", "--format", "folded"])
        try whileRunning()
        let outcome = run.wait(seconds: 60)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let stacks = try foldedStacks(outcome.output)
        return (Set(stacks.compactMap(\.frames.first)), Set(stacks.flatMap(\.frames)))
    }

    @Test func `a control group is sampled with those that enter it meanwhile, and nothing outside`() throws {
        let group = try TestGroup("inner")
        let inside = try group.run("checkout", seconds: 30)
        let outside = try Running("demo-load", ["search", "30"])
        defer { outside.signal(SIGKILL) }
        // By the path of the group above, as the file system has it.
        #expect(until(seconds: 5) { inside.process.isRunning && hasProcess(group) })
        let found = try profile("cgroup:\((group.directory as NSString).deletingLastPathComponent)", seconds: 3)
        #expect(found.processes == ["checkout"])
        #expect(found.functions.isSuperset(of: checkout))

        var later: Running?
        let both = try profile("cgroup:\(group.path)", seconds: 5) {
            later = try group.run("search", seconds: 30, after: 2)
        }
        #expect(both.processes.isSuperset(of: ["checkout", "search"]))
        #expect(both.processes.isSubset(of: ["checkout", "search", "sh", "demo-load"]), "\(both.processes)")
        #expect(both.functions.isSuperset(of: search))
        withExtendedLifetime(later) {}
    }

    @Test func `an empty group is waited at`() throws {
        let group = try TestGroup("inner")
        var later: Running?
        let found = try profile("cgroup:\(group.path)", seconds: 4) {
            later = try group.run("checkout", seconds: 30, after: 1)
        }
        #expect(found.functions.isSuperset(of: checkout))
        withExtendedLifetime(later) {}
    }

    @Test func `a container is found by eight digits, and an ambiguous or unknown ID is refused with those there are`()
        throws
    {
        let digits = Array("0123456789abcdef")
        let start = String((0..<10).map { _ in digits.randomElement() ?? "0" })
        let ids = ["a", "b"].map { start + String(repeating: $0, count: 54) }
        let groups = try ids.map { try TestGroup("docker-\($0).scope") }
        let loads = [try groups[0].run("checkout", seconds: 30), try groups[1].run("search", seconds: 30)]
        #expect(until(seconds: 5) { groups.allSatisfy(hasProcess) })
        let found = try profile("container:\(ids[0].prefix(11))", seconds: 2)
        #expect(found.processes == ["checkout"])
        let ambiguous = try Program.run("perf-agent", ["profile", "container:\(start.prefix(8))"])
        #expect(ambiguous.status == 1)
        for id in ids { #expect(ambiguous.errors.contains(id), "\(ambiguous.errors)") }
        let unknown = try Program.run("perf-agent", ["profile", "container:\(String(repeating: "f", count: 64))"])
        #expect(unknown.status == 2)
        #expect(unknown.errors.contains("\(ids[0].prefix(12)) (docker, "), "\(unknown.errors)")
        let doctor = try Program.run("perf-agent", ["doctor"])
        #expect(doctor.output.contains("docker: 2"), "\(doctor.output)")
        withExtendedLifetime((groups, loads)) {}
    }

    private func hasProcess(_ group: TestGroup) -> Bool {
        (try? String(contentsOfFile: group.directory + "/cgroup.procs", encoding: .utf8))?.isEmpty == false
    }

    @Test func `a service is sampled by the fleet's rules, one that starts meanwhile too`() throws {
        let name = "svc-\(UUID().uuidString.prefix(8).lowercased())"
        let load = try Running("demo-load", ["checkout", "30"], environment: ["PERF_SERVICE": "\(name)-a"])
        let other = try Running("demo-load", ["search", "30"], environment: ["PERF_SERVICE": "other-\(name)"])
        defer { for one in [load, other] { one.signal(SIGKILL) } }
        let found = try profile("service:\(name)-a", seconds: 2)
        #expect(found.processes == ["checkout"])
        var later: Running?
        let both = try profile("service:\(name)*", seconds: 4) {
            usleep(1_500_000)
            later = try Running("demo-load", ["search", "30"], environment: ["PERF_SERVICE": "\(name)-b"])
        }
        #expect(both.functions.isSuperset(of: checkout.union(search)), "\(both)")
        later?.signal(SIGKILL)
    }

    @Test(arguments: [
        ("cgroup:/no/such/group", Int32(2), "/no/such/group"), ("service:no-such-service", 2, "there are"),
        ("container:", 64, "container:ID"), ("service:", 64, "service:NAME"), ("cgroup:", 64, "cgroup:PATH"),
        ("container:abc", 2, "abc"),
    ])
    func `what is not there is refused with a message that helps`(target: String, status: Int32, word: String) throws {
        let outcome = try Program.run("perf-agent", ["profile", target])
        #expect(outcome.status == status)
        #expect(outcome.errors.contains(word), "\(outcome.errors)")
    }
}
