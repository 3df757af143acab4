import Profiles
import Settings
import Testing

@testable import ProfilerAgent

@Suite struct ServiceNamesTests {
    private static let container = String(repeating: "ab", count: 32)

    @Test(
        arguments: [
            (ProcessFacts(program: "/usr/bin/nginx"), "nginx", ""),
            (ProcessFacts(controlGroup: "/system.slice/web.service", program: "/usr/bin/nginx"), "web.service", ""),
            (ProcessFacts(controlGroup: "/user.slice/session-1.scope", program: "/usr/bin/vi"), "vi", ""),
            (
                ProcessFacts(
                    environment: ["DD_SERVICE": "dd", "DD_VERSION": "3"], controlGroup: "/system.slice/web.service"),
                "dd", "3"
            ),
            (
                ProcessFacts(environment: [
                    "PERF_SERVICE": "", "OTEL_SERVICE_NAME": "otel", "DD_SERVICE": "dd",
                    "OTEL_RESOURCE_ATTRIBUTES": "a=b,service.version=1.2=x,c=d", "DD_VERSION": "3",
                ]), "otel", "1.2=x"
            ),
            (ProcessFacts(environment: ["PERF_SERVICE": "p", "PERF_VERSION": "9", "DD_VERSION": "3"]), "p", "9"),
            (ProcessFacts(), "comm", ""),
        ] as [(ProcessFacts, String, String)])
    func `the first of environment, unit and program names the service`(
        facts: ProcessFacts, service: String, version: String
    ) {
        let answer = ServiceNames().answer(for: facts, name: "comm", isKernelThread: false)
        #expect(answer.service == service && answer.version == version)
    }

    @Test func `a rule wins over everything, and all its globs must match`() {
        let names = ServiceNames(rules: [
            ServiceRule(program: "nginx", cgroup: "/other*", command: nil, service: "no"),
            ServiceRule(program: "ng*", cgroup: nil, command: "* -c *", service: "front", version: "7"),
        ])
        var facts = ProcessFacts(environment: ["PERF_SERVICE": "p"], controlGroup: "/x", program: "/usr/sbin/nginx")
        #expect(names.needsCommandLine)
        #expect(names.answer(for: facts, name: "n", isKernelThread: false).service == "p")
        facts.commandLine = "nginx -c conf"
        let answer = names.answer(for: facts, name: "n", isKernelThread: false)
        #expect(answer.service == "front" && answer.version == "7")
    }

    @Test func `a container's ID is a label and never the service`() {
        let facts = ProcessFacts(
            controlGroup: "/system.slice/docker-\(Self.container).scope", program: "/usr/bin/redis-server")
        let answer = ServiceNames().answer(for: facts, name: "x", isKernelThread: false)
        #expect(answer.service == "redis-server")
        #expect(answer.labels == [Label(name: "container", value: Self.container)])
    }

    @Test func `a pod's UID is a label beside its container's`() {
        let uid = "6fb1b8a4-33c7-4d1e-9d5b-0c3e1a2b4c5d"
        let facts = ProcessFacts(
            controlGroup: "/kubepods/burstable/pod\(uid)/\(Self.container)", program: "/usr/bin/redis-server")
        let answer = ServiceNames().answer(for: facts, name: "x", isKernelThread: false)
        #expect(
            answer.labels == [Label(name: "container", value: Self.container), Label(name: "pod", value: uid)])
    }

    @Test func `threads of the kernel are one service`() {
        #expect(
            ServiceNames().answer(for: ProcessFacts(), name: "kworker/0:1", isKernelThread: true).service == "kernel")
    }
}
