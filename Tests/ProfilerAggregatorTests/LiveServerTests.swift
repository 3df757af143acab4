import ByteCoding
import Foundation
import FoundationXML
import Logging
import Profiles
import Settings
import SymbolTables
import Testing
import WireProtocol
import Yams

@testable import ProfilerAggregator

/// One server at a time: they share two cores.
@Suite(.serialized) struct LiveServerTests {
    /// The start of a window that has just ended.
    private static func recent(_ back: Int64 = 1) -> Timestamp {
        let now = Int64(Date().timeIntervalSince1970)
        return Timestamp(seconds: now / 10 * 10 - 10 * back)
    }

    @Test func `batches are acknowledged, counted once, asked symbols for, named and drawn`() async throws {
        let server = try await LiveServer()
        let port = server.addresses.agents.port
        try await onThread {
            let connection = try RawConnection(port: port)
            #expect(try connection.greet().lastStoredSequence == 0)
            for sequence in 1...3 {
                let one = try batch(
                    sequence: UInt64(sequence), at: Self.recent(Int64(5 - sequence)), taken: UInt64(sequence) * 60 + 5)
                try connection.send(.batch(one))
                try connection.send(.batch(one))
            }
            var acknowledged: UInt64 = 0
            var isAsked = false
            while acknowledged < 3 || !isAsked {
                switch try connection.nextMessage() {
                case .ack(let name)?: acknowledged = name.sequence
                case .symbolsWanted(let modules)?:
                    #expect(modules == [testModule])
                    isAsked = true
                case let other: throw RawConnection.Failure(what: "\(String(describing: other))")
                }
            }
            var builder = SymbolTableBuilder(quality: .debugInformation, loadSegments: [])
            for (name, start) in [("hot_function(int)", UInt64(0x1000)), ("cool_function", 0x2000)] {
                guard let index = builder.index(ofName: Array(name.utf8)) else { continue }
                _ = builder.add(start, start + 0x1000, name: index)
            }
            // The sample's address lies in `spin<int>(int*)` of spin.h, inlined at line 12 of hot.cc.
            let spin = builder.index(ofName: Array("spin<int>(int*)".utf8)) ?? 0
            let (header, source) = (
                builder.index(ofFile: Array("/s/spin.h".utf8)), builder.index(ofFile: Array("/s/hot.cc".utf8))
            )
            let call = builder.addCall(parent: 0, name: spin, file: source, line: 12)
            _ = builder.addRow(0x1000, inlined: 0, file: source, line: 11)
            _ = builder.addRow(0x10F0, inlined: call, file: header, line: 3)
            _ = builder.addRow(0x2000, inlined: 0, file: 0, line: 0)
            let table = try builder.finish().encoded()
            let half = table.count / 2
            for part in [0..<half, half..<table.count] {
                try connection.send(
                    .symbolTable(
                        SymbolTableChunk(
                            module: testModule, totalBytes: UInt64(table.count), offset: UInt64(part.lowerBound),
                            data: Array(table[part]))))
            }
            let again = try RawConnection(port: port)
            #expect(try again.greet().lastStoredSequence == 3)
        }
        var folded = ""
        for _ in 0..<100 where !folded.contains("hot_function") {
            try await Task.sleep(for: .milliseconds(50))
            folded = String(decoding: try await server.get("/api/v1/flamegraph?format=folded").body, as: UTF8.self)
        }
        #expect(
            folded.split(separator: "\n") == [
                "postgres;vfs_read_[k] 60", "web;cool_function 30", "web;hot_function;spin<int>_[i] 90",
            ])
        let byLine = try await server.get("/api/v1/flamegraph?format=folded&lines=true&names=full&service=web")
        #expect(
            String(decoding: byLine.body, as: UTF8.self)
                == "web;cool_function 30\nweb;hot_function(int):12;spin<int>(int*):3_[i] 90\n")
        let lines = try #require(
            try JSONSerialization.jsonObject(with: Data(try await server.get("/api/v1/top?by=line").body))
                as? [String: Any])
        let lineRows = try #require(lines["rows"] as? [[String: Any]])
        #expect(lineRows.map { $0["name"] as? String } == ["spin<int>", "hot_function"])
        #expect(lineRows.map { $0["file"] as? String } == ["/s/spin.h", "/s/hot.cc"])
        #expect(lineRows.map { $0["line"] as? Int } == [3, 12])
        #expect(lineRows.map { $0["self"] as? Int } == [900_000_000, 0])
        #expect(lineRows.map { $0["total"] as? Int } == [900_000_000, 900_000_000])
        let threads = try await server.get("/api/v1/flamegraph?format=folded&threads=true&plain=true&service=db")
        #expect(String(decoding: threads.body, as: UTF8.self) == "postgres;worker-#;vfs_read 60\n")
        let svg = try await server.get("/api/v1/flamegraph?service=w*")
        #expect(svg.type == "image/svg+xml")
        #expect(String(decoding: svg.body, as: UTF8.self).contains("hot_function"))
        #expect(XMLParser(data: Data(svg.body)).parse())

        let top = try #require(
            try JSONSerialization.jsonObject(with: Data(try await server.get("/api/v1/top?service=web").body))
                as? [String: Any])
        let rows = try #require(top["rows"] as? [[String: Any]])
        #expect(rows.map { $0["name"] as? String } == ["spin<int>", "cool_function", "hot_function"])
        #expect(rows.map { $0["line"] as? Int } == [3, nil, 12])
        #expect(rows.first?["self"] as? Int == 900_000_000)
        #expect(rows.first?["selfShare"] as? Double == 0.75)
        // 0.9 s in three windows of 10 s.
        #expect(abs((rows.first?["cores"] as? Double ?? 0) - 0.03) < 1e-9)

        let agents = try #require(
            try JSONSerialization.jsonObject(with: Data(try await server.get("/api/v1/agents").body)) as? [String: Any])
        let samples = try #require((agents["agents"] as? [[String: Any]])?.first?["samples"] as? [String: Any])
        #expect(samples["taken"] as? Int == 185)
        #expect(samples["stored"] as? Int == 180)
        #expect(samples["pending"] as? Int == 5)
        try await server.stop()
    }

    @Test func `what was acknowledged is there when the server is started again`() async throws {
        let first = try await LiveServer()
        let port = first.addresses.agents.port
        try await onThread {
            let connection = try RawConnection(port: port)
            _ = try connection.greet()
            try connection.send(.batch(try batch(sequence: 1, at: Self.recent())))
            while case .symbolsWanted? = try connection.nextMessage() {}
        }
        try await first.stop()
        let second = try await LiveServer(directory: first.directory)
        let next = second.addresses.agents.port
        try await onThread {
            let welcome = try RawConnection(port: next).greet()
            #expect(welcome.lastStoredSequence == 1)
        }
        try await second.stop()
        let report = try checkStore(directory: first.directory)
        #expect(report.problems == [])
    }

    @Test func `rubbish ends its own connection with a reason, and nobody else notices`() async throws {
        let server = try await LiveServer()
        let port = server.addresses.agents.port
        try await onThread {
            let honest = try RawConnection(port: port)
            _ = try honest.greet(agent: 9, epoch: 9)
            let good = try Message.batch(try batch(sequence: 1)).encoded()
            var flipped = good
            flipped[40] ^= 1
            var long = good
            long.replaceSubrange(0..<4, with: [0xFF, 0xFF, 0xFF, 0x7F])
            let greeting = try Message.hello(hello()).encoded()
            var noProtobuf: [UInt8] = [4, 0, 0, 0, 3, 0, 0, 0]
            let body: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF]
            let sum = CRC32C.checksum(body, previous: CRC32C.checksum(noProtobuf))
            noProtobuf += (0..<4).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) } + body
            let cases: [(String, [UInt8], GoodbyeReason)] = [
                ("HTTP", Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8), .protocolError),
                ("a flipped bit", greeting + flipped, .protocolError),
                ("a length over the limit", greeting + long, .protocolError),
                ("malformed protobuf", greeting + noProtobuf, .protocolError),
                ("a batch before Hello", good, .protocolError),
                ("an unknown version", try Message.hello(hello(versions: [77])).encoded(), .unsupportedVersion),
                (
                    "a table nobody asked for",
                    greeting
                        + (try Message.symbolTable(
                            SymbolTableChunk(module: testModule, totalBytes: 1, offset: 0, data: [1])
                        ).encoded()),
                    .protocolError
                ),
            ]
            for (what, bytes, reason) in cases {
                let connection = try RawConnection(port: port)
                try connection.send(bytes)
                var last: Message?
                while let message = try connection.nextMessage() { last = message }
                guard case .goodbye(let goodbye)? = last else {
                    Issue.record("\(what): \(String(describing: last))")
                    continue
                }
                #expect(goodbye.reason == reason, "\(what)")
                #expect(!goodbye.detail.isEmpty)
            }
            // Content that can't be taken is refused by name, and the connection goes on.
            var bomb = try batch(sequence: 1, at: Self.recent())
            bomb.expandedBytes = 10
            var wrongDigest = try batch(sequence: 2, at: Self.recent())
            wrongDigest.body[wrongDigest.body.count - 1] ^= 1
            let foreign = try batch(agent: 2, sequence: 3, at: Self.recent())
            let old = try batch(sequence: 4, at: Timestamp(seconds: 1_000_000_000))
            let future = try batch(sequence: 5, at: Self.recent(-100_000))
            let connection = try RawConnection(port: port)
            _ = try connection.greet()
            for (batch, reason) in [
                (bomb, RefusalReason.malformed), (wrongDigest, .malformed), (foreign, .foreign), (old, .expired),
                (future, .future),
            ] {
                try connection.send(.batch(batch))
                var answer = try connection.nextMessage()
                while case .symbolsWanted? = answer { answer = try connection.nextMessage() }
                guard case .refused(let refused)? = answer else {
                    Issue.record("\(reason): \(String(describing: answer))")
                    continue
                }
                #expect(refused.name == batch.name)
                #expect(refused.reason == reason)
                #expect(!refused.detail.isEmpty)
            }
            try honest.send(.batch(try batch(agent: 9, epoch: 9, sequence: 1, at: Self.recent())))
            var answer = try honest.nextMessage()
            while case .symbolsWanted? = answer { answer = try honest.nextMessage() }
            guard case .ack(let name)? = answer else { Issue.record("\(String(describing: answer))"); return }
            #expect(name.sequence == 1)
        }
        try await server.stop()
    }

    @Test func `streams with random damage never take the server down`() async throws {
        let server = try await LiveServer()
        let port = server.addresses.agents.port
        let seed = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max)
        print("TEST_SEED=\(seed)")
        try await onThread {
            var state = seed
            func next(_ bound: Int) -> Int {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int(state >> 33) % bound
            }
            let stream =
                try Message.hello(hello()).encoded() + Message.batch(batch(sequence: 1)).encoded()
                + Message.batch(batch(sequence: 2)).encoded()
                + Message.goodbye(
                    Goodbye(reason: .stopping, detail: "done")
                ).encoded()
            for round in 0..<60 {
                var damaged = stream
                if round % 2 == 0 {
                    damaged = Array(damaged[..<next(damaged.count)])
                } else {
                    for _ in 0...next(3) { damaged[next(damaged.count)] = UInt8(next(256)) }
                }
                let connection = try RawConnection(port: port)
                try? connection.send(damaged)
            }
            #expect(try RawConnection(port: port).greet(agent: 3).credit > 0)
        }
        #expect(try await server.get("/healthz").status == 200)
        try await server.stop()
    }

    @Test func `a second server on the same directory or port says what to change`() async throws {
        let server = try await LiveServer()
        await #expect(throws: AggregatorError.self) { _ = try await LiveServer(directory: server.directory) }
        var settings = AggregatorSettings()
        settings.dataDirectory = server.directory + "-other"
        for (agents, http, flag) in [
            (server.addresses.agents.port, 0, "--listen-agents"), (0, server.addresses.http.port, "--listen-http"),
        ] {
            settings.agentsAddress = HostAndPort(host: "127.0.0.1", port: agents)
            settings.httpAddress = HostAndPort(host: "127.0.0.1", port: http)
            var quiet = Logger(label: "quiet")
            quiet.logLevel = .critical
            do throws(AggregatorError) {
                try await Aggregator(settings: settings, logger: quiet).run(ready: { _ in }, until: {})
                Issue.record("it ran")
            } catch {
                #expect(error.description.contains("the port is in use by another program"))
                #expect(error.description.contains(flag))
            }
        }
        try await server.stop()
    }

    @Test func `every route answers as the OpenAPI file says, and the file names every route`() async throws {
        let server = try await LiveServer()
        let port = server.addresses.agents.port
        #expect(try await server.get("/api/v1/top").status == 404)
        try await onThread {
            for agent in 1...2 {
                let connection = try RawConnection(port: port)
                _ = try connection.greet(agent: UInt64(agent), epoch: UInt64(agent))
                for sequence in 1...6 {
                    try connection.send(
                        .batch(
                            try batch(
                                agent: UInt64(agent), epoch: UInt64(agent), sequence: UInt64(sequence),
                                at: Self.recent(Int64(8 - sequence)), taken: UInt64(sequence) * 60)))
                }
                while let message = try connection.nextMessage() {
                    if case .ack(let name) = message, name.sequence == 6 { break }
                }
            }
        }
        let openAPI = try OpenAPI()
        var asked: Set<String> = []
        for (path, status) in [
            ("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/api/v1/agents", 200),
            ("/api/v1/top", 200), ("/api/v1/top?by=line", 200), ("/api/v1/top?by=module&sort=total&limit=1", 200),
            ("/api/v1/top?by=process", 200), ("/api/v1/top?by=thread", 200), ("/api/v1/top?by=host", 200),
            ("/api/v1/top?by=service&host=host-1", 200), ("/api/v1/top?process=web&thread=worker-7", 200),
            ("/api/v1/flamegraph", 200), ("/api/v1/flamegraph?format=json&threads=true", 200),
            ("/api/v1/flamegraph?format=pprof", 200), ("/api/v1/flamegraph?format=firefox", 200),
            ("/api/v1/flamegraph?format=perf-script", 200),
            ("/api/v1/flamegraph?format=html", 200),
            ("/api/v1/flamegraph?format=folded&value=unit&lines=true&names=full", 200),
            ("/api/v1/top?names=full", 200), ("/api/v1/top?names=long", 400), ("/api/v1/flamegraph?names=", 400),
            ("/api/v1/services", 200),
            ("/api/v1/services?process=postgres", 200), ("/api/v1/hosts", 200), ("/api/v1/labels", 200),
            ("/api/v1/timeline", 200), ("/api/v1/timeline?by=function&sort=total&step=60&limit=2&focus=vfs", 200),
            ("/api/v1/timeline?by=host&process=postgres", 200), ("/api/v1/timeline?step=1", 400),
            ("/api/v1/timeline?explain_changes=true&by=service&sort=total", 200),
            ("/api/v1/timeline?format=svg&by=host&explain_changes=true", 200), ("/api/v1/timeline?format=html", 400),
            ("/api/v1/timeline?explain_changes=perhaps", 400), ("/api/v1/top?explain_changes=true", 400),
            ("/api/v1/timeline?step=x", 400), ("/api/v1/timeline?by=colour", 400),
            ("/api/v1/types", 200), ("/api/v1/top?service=wbe", 404), ("/api/v1/top?host=%21host-*", 404),
            ("/api/v1/top?process=nothing", 404), ("/api/v1/top?servce=web", 400), ("/api/v1/top?limit=0", 400),
            ("/api/v1/top?from=yesterday", 400), ("/api/v1/top?by=colour", 400), ("/api/v1/top?label=a", 400),
            ("/api/v1/top?by=version&cost=true", 200), ("/api/v1/top?by=label:zone&focus=vfs", 200),
            ("/api/v1/top?by=container", 200), ("/api/v1/top?callers_of=vfs_read", 200),
            ("/api/v1/top?callees_of=vfs_.*&cost=true", 200), ("/api/v1/top?callers_of=nothing", 404),
            ("/api/v1/top?callers_of=%28", 400), ("/api/v1/top?callers_of=f&callees_of=f", 400),
            ("/api/v1/top?frame=vfs.*&focus=read&ignore=x&hide=y&show_from=vfs", 200),
            ("/api/v1/top?frame=%28", 400), ("/api/v1/flamegraph?format=json&hide=%29", 400),
            ("/api/v1/top?frame=none", 404), ("/api/v1/services?frame=%21vfs", 200),
            ("/api/v1/flamegraph?format=json&focus=vfs", 200), ("/api/v1/flamegraph?ignore=.", 404),
            ("/api/v1/top?label=zone=a&version=1&label=rack!=7", 200), ("/api/v1/hosts?version=2", 404),
            ("/api/v1/services?label=zone!=*", 404), ("/api/v1/flamegraph?label=%21zone=b*", 200),
            ("/api/v1/top?type=memory", 404), ("/api/v1/top?type=", 400), ("/api/v1/services?by=host", 400),
            ("/api/v1/agents?x=1", 400),
            ("/api/v1/top?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 400),
            ("/api/v1/diff?base=service=web&against=service=db", 200),
            ("/api/v1/diff?base=host=host-1&against=host=host-2&service=web&sort=self&limit=1&order=size&fdr=0.1", 200),
            ("/api/v1/diff?base=label:zone=a,from=-1h,to=now&against=version=1&format=folded&value=unit", 200),
            ("/api/v1/diff?base=service=web&against=service=db&work=100:250", 200),
            ("/api/v1/diff?base=service=web&against=service=db&work=100", 400),
            ("/api/v1/diff?base=service=web&against=service=db&format=svg&widths=base", 200),
            ("/api/v1/diff?base=service=web&against=service=db&format=html", 200),
            ("/api/v1/flamegraph?service=web&format=json&kinds=true", 200),
            ("/api/v1/compare-hosts?service=web", 200), ("/api/v1/compare-hosts?service=web&functions=2&limit=1", 200),
            ("/api/v1/compare-hosts", 400), ("/api/v1/compare-hosts?service=wbe", 404),
            ("/api/v1/compare-hosts?service=web&functions=0", 400),
            ("/api/v1/regressions?service=web&at=-30s&from=-1h&to=now", 400),
            ("/api/v1/regressions?service=web&at=1700-01-01T00:00:00Z", 404),
            ("/api/v1/diff?base=service=web&against=service=db&work=1e-90:1e-90", 400),
            ("/api/v1/diff?base=service=web&against=service=db&fdr=1e-20", 400),
            ("/api/v1/regressions?service=web", 400), ("/api/v1/regressions?at=-1m", 400),
            ("/api/v1/regressions?service=web&at=now", 400), ("/api/v1/regressions?service=web&at=noon", 400),
            ("/api/v1/regressions?service=web&at=-1m&min=x", 400),
            ("/api/v1/regressions?service=web&new_version=1&version=1", 400),
            ("/api/v1/regressions?service=web&new_version=7", 404), ("/api/v1/regressions?service=wbe&at=-1m", 404),
            ("/api/v1/regressions?service=*&at=-40s&limit=1&sort=total&min=0.1%25&fdr=0.1", 200),
            ("/api/v1/diff?base=service=web,frame=nothing.like.it&against=service=web", 404),
            ("/api/v1/diff?base=service=web", 400), ("/api/v1/diff?base=servce=web&against=service=web", 400),
            ("/api/v1/diff?base=from=yesterday&against=", 400), ("/api/v1/diff?base=&against=&fdr=2", 400),
            ("/api/v1/diff?base=service=web&against=service=wbe", 404),
            ("/api/v1/diff?base=service=web&against=service=web&frame=unknown", 200),
            ("/api/v1/diff?base=service=web,frame=vfs&against=service=db,frame=none", 404),
            ("/api/v1/services?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", 404),
        ] {
            let answer = try await server.get(path)
            #expect(answer.status == status, "\(path): \(String(decoding: answer.body, as: UTF8.self))")
            let problems = try openAPI.problems(path: path, status: answer.status, type: answer.type, body: answer.body)
            #expect(problems == [], "\(path)")
            asked.insert(String(path.prefix { $0 != "?" }))
        }
        let imported = try batch(
            agent: 77, epoch: 77, sequence: 1, at: Self.recent(3), taken: 60)
        let framed = try Message.batch(imported).encoded()
        let batches = ImportService.contentType
        for (type, body, status, word) in [
            (batches, framed, 200, "\"alreadyStored\":0}"), (batches, framed, 200, "\"stored\":0,"),
            ("text/plain", framed, 400, batches), (batches, Array(framed.dropLast()), 400, "whole batches"),
            (batches, [], 400, "whole batches"), (batches, [1] + framed, 400, "batch 1"),
        ] {
            let answer = try await server.post("/api/v1/import", type: type, body)
            let text = String(decoding: answer.body, as: UTF8.self)
            #expect(answer.status == status && text.contains(word), "\(text)")
            let problems = try openAPI.problems(
                path: "/api/v1/import", status: answer.status, type: answer.type, body: answer.body)
            #expect(problems == [])
        }
        asked.insert("/api/v1/import")
        #expect(asked == openAPI.paths)
        for endpoint in Question.Endpoint.allCases {
            #expect(
                openAPI.parameters("/api/v1/\(endpoint.rawValue)") == Set(Question.parameters(of: endpoint)))
        }
        #expect(
            openAPI.parameters("/api/v1/compare-hosts") == Set(CompareHostsQuestion.own + DiffQuestion.common))
        #expect(
            openAPI.parameters("/api/v1/regressions") == Set(RegressionsQuestion.own + DiffQuestion.common))
        #expect(openAPI.parameters("/api/v1/diff") == Set(DiffQuestion.own + DiffQuestion.common))
        let missing = try await server.get("/api/v1/nothing")
        #expect(missing.status == 404)
        let wrong = try await server.get("/api/v1/top?service=wbe")
        #expect(String(decoding: wrong.body, as: UTF8.self).contains(#""nearby":["web","db"]"#))
        for (query, message, nearby) in [
            ("label=zoen=a", "no samples with a label 'zoen'", #"["zone"]"#),
            ("label=zone=b&label=zone=c", "no samples with label zone=b, zone=c", #"["zone=a"]"#),
            ("service=web&version=2", "no samples of version 2", #"["1"]"#),
            ("host=host-3&version=1", "no samples on host host-3", #"["host-1","host-2","host-77"]"#),
            (
                "from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z",
                "nothing is stored between 2020-01-01T00:00:00Z and 2020-01-02T00:00:00Z; what is stored begins on 20",
                "[]"
            ),
            ("thread=main", "no samples of thread main", #"["worker-#"]"#),
            ("frame=none&service=db", "no stack of 260 samples holds the frames asked for", #"["vfs_read"]"#),
            ("focus=none&service=db", "--focus 'none' leaves nothing of 260 samples", #"["vfs_read"]"#),
            ("hide=a%28b", "hide: 'a(b' is no regular expression: at character 2: this ( is never closed", "[]"),
        ] {
            let body = String(decoding: try await server.get("/api/v1/top?\(query)").body, as: UTF8.self)
            #expect(body.contains(message) && body.contains(#""nearby":\#(nearby)"#), "\(query): \(body)")
        }
        // An import that ends in the future is not stored in half.
        func part(_ sequence: UInt64, at window: Timestamp) throws -> [UInt8] {
            try Message.batch(try batch(agent: 78, epoch: 78, sequence: sequence, at: window, taken: 60)).encoded()
        }
        let first = try part(1, at: Self.recent(3))
        let late = try part(2, at: Self.recent(0) + 200_000 * 1_000_000_000)
        let refused = try await server.post("/api/v1/import", type: batches, first + late)
        #expect(refused.status == 400 && String(decoding: refused.body, as: UTF8.self).contains("future"))
        let again = try await server.post("/api/v1/import", type: batches, first)
        #expect(again.status == 200 && String(decoding: again.body, as: UTF8.self).contains("\"alreadyStored\":0}"))
        try await server.stop()
    }
}
