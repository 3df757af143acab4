import Analysis
import Formats
import Foundation
import Profiles
import SampleBuilder
import Testing

private let asked = TimeRange(start: Timestamp(seconds: 1_789_948_000), end: Timestamp(seconds: 1_789_948_900))

private func profile() -> NamedProfile {
    var builder = SampleBuilder()
    builder.add(
        host: "a", service: "web", labels: [Label(name: "zone", value: "x")],
        ["p/p;main;0x5@/lib/libm.so": 3, "p/p;main": 1])
    builder.add(host: "b", service: "db", window: 1, ["p/p;main;i:run@a.py:7": 4])
    return NamedProfile(builder.samples, symbolizer: NamesByAddress())
}

private func top(_ profile: NamedProfile) -> TopAnswer {
    TopAnswer(
        of: profile, ranking: profile.ranking(by: .function, sort: .total), asked: asked,
        coverage: Coverage(of: profile, hostsSilent: 1, dropped: [.ringFull: 2, .killed: 0]))
}

private func object(_ bytes: [UInt8]) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

@Test func `every answer about samples opens with the same keys in the same order`() {
    let opening = """
        {"range":{"from":"2026-09-21T00:00:00Z","to":"2026-09-21T00:00:20Z"},\
        "asked":{"from":"2026-09-20T23:46:40Z","to":"2026-09-21T00:01:40Z"},\
        "type":{"name":"cpu","unit":"nanoseconds"},"samples":8,"value":80000000,"intervalOver":"hosts","intervalUnits":2,\
        "coverage":{"hosts":2,"hostsSilent":1,"agents":2,"dropped":{"ringFull":2},\
        "wholeStacks":null,"cutStacks":0,"brokenStacks":null,"cutDepths":null,"brokenReasons":{},"unsymbolised":3},
        """.trimmingCharacters(in: .newlines)
    let profile = profile()
    let header = top(profile).header
    #expect(text(top(profile).json()).hasPrefix(opening + "\"rows\":["))
    #expect(
        text(FlameGraphAnswer(header: header, tree: profile.callTree()).json()).hasPrefix(opening + "\"root\":{"))
    #expect(text(ServicesAnswer(header: header, rows: []).json()) == opening + "\"services\":[]}")
    #expect(text(HostsAnswer(header: header, rows: []).json()) == opening + "\"hosts\":[]}")
    #expect(text(LabelsAnswer(header: header, rows: []).json()) == opening + "\"labels\":[]}")
    #expect(text(TypesAnswer(header: header, rows: []).json()) == opening + "\"types\":[]}")
}

@Test func `a row of top has every key, null where something is unknown`() throws {
    let rows = try #require(try object(top(profile()).json())["rows"] as? [[String: Any]])
    let keys: Set<String> = [
        "name", "file", "line", "module", "self", "total", "cores", "selfShare", "totalShare", "selfShareLow",
        "selfShareHigh", "totalShareLow", "totalShareHigh",
    ]
    #expect(rows.map { Set($0.keys) } == [keys, keys, keys])
    #expect(rows.map { $0["name"] as? String } == ["main", "run", "[unknown libm.so+0x5]"])
    #expect(rows[0]["file"] is NSNull && rows[0]["line"] is NSNull && rows[0]["module"] as? String == "app")
    #expect(rows[1]["file"] as? String == "a.py" && rows[1]["line"] as? Int == 7 && rows[1]["module"] is NSNull)
    #expect(rows[0]["cores"] as? Double == 0.004)
    #expect(rows[0]["totalShare"] as? Double == 1)
}

@Test func `what is written can be read back`() throws {
    let profile = profile()
    let answer = top(profile)
    let decoder = JSONDecoder()
    #expect(try decoder.decode(TopAnswer.self, from: Data(answer.json())) == answer)
    var builder = SampleBuilder()
    builder.add(host: "a", service: "web", labels: [Label(name: "zone", value: "x")], ["p/p;main": 3])
    builder.add(host: "b", service: "web", type: ProfileType(name: "io", unit: "bytes"), ["p/p;main": 3])
    let services = ServicesAnswer(header: answer.header, rows: Inventory.services(builder.samples))
    #expect(services.services.map(\.hosts) == [2])
    #expect(services.services.map(\.cores) == [0.003])
    #expect(try decoder.decode(ServicesAnswer.self, from: Data(services.json())) == services)
    let hosts = HostsAnswer(header: answer.header, rows: Inventory.hosts(builder.samples))
    #expect(hosts.hosts.map(\.cores) == [0.003, nil])
    #expect(try decoder.decode(HostsAnswer.self, from: Data(hosts.json())) == hosts)
    let labels = LabelsAnswer(header: answer.header, rows: Inventory.labels(builder.samples))
    #expect(labels.labels.map { "\($0.name)=\($0.value) \($0.samples)" } == ["zone=x 3"])
    #expect(try decoder.decode(LabelsAnswer.self, from: Data(labels.json())) == labels)
    let types = TypesAnswer(header: answer.header, rows: Inventory.types(builder.samples))
    #expect(types.types.map(\.unit) == ["nanoseconds", "bytes"])
    #expect(try decoder.decode(TypesAnswer.self, from: Data(types.json())) == types)
    let doctor = DoctorAnswer(
        canSample: true, checks: [DoctorAnswer.Check(name: "kernel", state: .limited, detail: "\"5.4\"\n")])
    #expect(try decoder.decode(DoctorAnswer.self, from: Data(doctor.json())) == doctor)
}

@Test func `the accounts of agents and status read as the contract says`() throws {
    var ledger = Ledger()
    ledger.taken = 100
    ledger.dropped = [.spoolFull: 7, .ringFull: 0]
    let account = SampleAccount(ledger: ledger, stored: 90)
    let id = Identifier(high: 1, low: 2)
    let agents = AgentsAnswer(agents: [
        AgentsAnswer.Row(
            id: id, host: "a", version: "0.1.0", lastSeen: Timestamp(nanoseconds: 1_500_000_000), rate: 100,
            samples: account, clockOffsetSeconds: nil)
    ])
    #expect(
        text(agents.json()) == """
            {"agents":[{"id":"00000000000000010000000000000002","host":"a","version":"0.1.0",\
            "lastSeen":"1970-01-01T00:00:01.500Z","rate":100.0,\
            "samples":{"taken":100,"stored":90,"pending":3,"dropped":{"spoolFull":7}},"clockOffsetSeconds":null}]}
            """)
    #expect(try JSONDecoder().decode(AgentsAnswer.self, from: Data(agents.json())) == agents)
    let status = StatusAnswer(
        id: id, host: "a", epoch: id, samples: account, cpuSeconds: 0.25, residentBytes: 4096, aggregator: nil)
    #expect(
        text(status.json()) == """
            {"id":"00000000000000010000000000000002","host":"a","epoch":"00000000000000010000000000000002",\
            "samples":{"taken":100,"stored":90,"pending":3,"dropped":{"spoolFull":7}},\
            "cpuSeconds":0.25,"residentBytes":4096,"aggregator":null}
            """)
    #expect(try JSONDecoder().decode(StatusAnswer.self, from: Data(status.json())) == status)
    var keeping = status
    keeping.symbolCache = StatusAnswer.SymbolCache(
        tables: 1, bytes: 2, hits: 3, misses: 4, damaged: 5, outdated: 6, evicted: 7, failures: 8)
    #expect(
        text(keeping.json()).hasSuffix(
            """
            "aggregator":null,"symbolCache":{"tables":1,"bytes":2,"hits":3,"misses":4,"damaged":5,"outdated":6,\
            "evicted":7,"failures":8}}
            """))
    #expect(try JSONDecoder().decode(StatusAnswer.self, from: Data(keeping.json())) == keeping)
}

@Test func `the answer of profile adds the command and the tree`() throws {
    let profile = profile()
    let answer = ProfileAnswer(
        header: top(profile).header, target: "./app \"x\"", rate: 100, durationSeconds: 2.5,
        command: ProfileAnswer.Command(pid: 7, exitCode: nil), functions: profile.ranking(by: .function),
        lines: profile.ranking(by: .line), tree: profile.callTree())
    let read = try object(answer.json())
    #expect(
        Set(read.keys) == [
            "range", "asked", "type", "samples", "value", "intervalOver", "intervalUnits", "coverage", "target", "rate",
            "durationSeconds", "command", "functions", "lines", "root",
        ])
    #expect(read["target"] as? String == "./app \"x\"")
    let command = try #require(read["command"] as? [String: Any])
    #expect(command["pid"] as? Int == 7 && command["exitCode"] is NSNull)
    #expect((read["lines"] as? [[String: Any]])?.first?["line"] as? Int == 7)
    let root = try #require(read["root"] as? [String: Any])
    #expect(Set(root.keys) == ["name", "module", "file", "line", "self", "total", "children"])
    let process = try #require((root["children"] as? [[String: Any]])?.first)
    let main = try #require((process["children"] as? [[String: Any]])?.first)
    let leaves = try #require(main["children"] as? [[String: Any]])
    #expect(leaves.map { $0["name"] as? String } == ["run", "[unknown libm.so+0x5]"])
    #expect(main["self"] as? Int == 10_000_000 && main["total"] as? Int == 80_000_000)
}

@Test func `the report of profile has the hottest functions and the hottest lines`() {
    var builder = SampleBuilder()
    builder.add(["p/p;main;0x10@/opt/app": 3, "p/p;main;0x20@/opt/app": 1])
    let names = NamesByAddress([
        0x10: [
            NamedFrame(kind: .native, name: "run", file: "/src/run.c", line: 20),
            NamedFrame(kind: .inlined, name: "step\u{7}", file: "/src/step.h", line: 5),
        ],
        0x20: [NamedFrame(kind: .native, name: "run", file: "/src/run.c", line: 22)],
    ])
    let profile = NamedProfile(builder.samples, symbolizer: names)
    let functions = profile.ranking(by: .function, limit: 2)
    let lines = profile.ranking(by: .line, limit: 3)
    let answer = ProfileAnswer(
        header: top(profile).header, target: "./app", rate: 100, durationSeconds: 2.5, command: nil,
        functions: functions, lines: lines, tree: profile.callTree())
    #expect(
        ProfileReport.tables(answer, functions: functions.rowCount, lines: lines.rowCount) == """
            Hottest functions (intervals from samples alone, as windows are too few):
               self  95 % interval     total  95 % interval  cores  function  where
            75.00 %  30.1–95.4 %     75.00 %  30.1–95.4 %    0.003  step\\x07  /src/step.h:5
            25.00 %  4.6–69.9 %     100.00 %  51.0–100.0 %   0.004  run       /src/run.c:22
            … and 1 more; --limit shows them

            Hottest source lines:
               self  95 % interval    total  95 % interval  cores  line of   where
            75.00 %  30.1–95.4 %    75.00 %  30.1–95.4 %    0.003  step\\x07  /src/step.h:5
            25.00 %  4.6–69.9 %     25.00 %  4.6–69.9 %     0.001  run       /src/run.c:22
             0.00 %  0.0–49.0 %     75.00 %  30.1–95.4 %    0.003  run       /src/run.c:20

            """)
    let none = NamedProfile(builder.samples, symbolizer: NamesByAddress())
    let bare = ProfileAnswer(
        header: top(none).header, target: "./app", rate: 100, durationSeconds: 2.5, command: nil,
        functions: none.ranking(by: .function, limit: 0), lines: none.ranking(by: .line), tree: none.callTree())
    #expect(
        ProfileReport.tables(bare, functions: 3, lines: 0) == """
            Hottest functions (intervals from samples alone, as windows are too few): 3, of which --limit shows some

            No source lines: nothing that was sampled has line tables (debug information).

            """)
}

@Test func `a tree of 2,000 levels is written without recursion`() throws {
    var builder = SampleBuilder()
    builder.add(["p/p" + String(repeating: ";f", count: 2000): 1])
    let profile = NamedProfile(builder.samples, symbolizer: NamesByAddress(), depth: 5000)
    let json = FlameGraphAnswer(header: top(profile).header, tree: profile.callTree()).json()
    var depth = 0
    var deepest = 0
    for byte in json {
        if byte == 0x7B || byte == 0x5B { depth += 1 }
        if byte == 0x7D || byte == 0x5D { depth -= 1 }
        deepest = max(deepest, depth)
        if depth < 0 { break }
    }
    #expect(depth == 0)
    #expect(deepest == 2 * 2002 + 1)
}

@Test func `JSON escapes what must be escaped`() throws {
    var writer = JSONWriter()
    let hostile = "\u{0}\u{1F}\"\\\n\r\t\u{7F}\u{2028}é😀"
    writer.beginArray()
    writer.value(hostile)
    writer.value(Double.nan)
    writer.value(1e-9)
    writer.value(UInt64.max)
    writer.endArray()
    let read = try #require(try JSONSerialization.jsonObject(with: Data(writer.bytes)) as? [Any])
    #expect(read[0] as? String == hostile)
    #expect(read[1] is NSNull)
    #expect(read[2] as? Double == 1e-9)
    #expect(read[3] as? UInt64 == UInt64.max)
}
