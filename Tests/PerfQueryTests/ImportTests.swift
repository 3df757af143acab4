import Foundation
import Testing

@Suite struct ImportVerbTests {
    @Test func `a perf.data of a few bytes is an error that names it`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("import-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for length in [8, 9, 11, 15, 16] {
            let file = Data(("PERFILE2" + String(repeating: "x", count: length - 8)).utf8)
            try file.write(to: folder.appendingPathComponent("short.data"))
            let run = try await ProgramRun.perfQuery(
                ["import", "--service", "s", "--host", "h", "--server", "http://127.0.0.1:1", "short.data"],
                directory: folder)
            #expect(run.status == 1 && run.errors.contains("short.data"), "\(length): \(run.status) \(run.errors)")
        }
    }

    /// A server that takes the first import and refuses the second.
    @Test func `what was imported is told as JSON also when a later file can't be sent`() async throws {
        let stored = #"{"samples":3,"stored":3,"alreadyStored":0}"#
        let refusal = #"{"error":{"code":"internal","message":"the disk is full","nearby":[]}}"#
        let server = try await AnsweringServer(
            ["import": AnsweringServer.Answer(status: 200, body: stored)],
            thenFor: ["import": AnsweringServer.Answer(status: 500, body: refusal)])
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("import-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["a.folded", "b.folded", "c.folded"] {
            try "app;\(name) 3\n".write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
        }
        let run = try await ProgramRun.perfQuery(
            [
                "import", "--json", "--service", "s", "--host", "h", "--server", server.url, "a.folded", "b.folded",
                "c.folded",
            ], directory: folder)
        #expect(run.status == 1 && run.errors.contains("the disk is full"), "\(run.errors)")
        let answer = try #require(try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
        let files = try #require(answer["files"] as? [[String: Any]])
        #expect(files.count == 1 && files[0]["file"] as? String == "a.folded" && files[0]["stored"] as? Int == 3)
        // What follows a failure is not sent.
        #expect(server.uris.count == 2)
    }
}
