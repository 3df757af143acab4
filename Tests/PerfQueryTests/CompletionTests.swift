import Foundation
import Testing

private let shells = ["bash": "/usr/bin/bash", "zsh": "/usr/bin/zsh", "fish": "/usr/bin/fish"]

private func isInstalled(_ shell: String) -> Bool {
    FileManager.default.isExecutableFile(atPath: shells[shell] ?? "")
}

@Test(.enabled(if: isInstalled("bash"), "bash is not installed")) func `completions for bash parse`() async throws {
    try await checkCompletions("bash")
}

@Test(.enabled(if: isInstalled("zsh"), "zsh is not installed")) func `completions for zsh parse`() async throws {
    try await checkCompletions("zsh")
}

@Test(.enabled(if: isInstalled("fish"), "fish is not installed")) func `completions for fish parse`() async throws {
    try await checkCompletions("fish")
}

private func checkCompletions(_ shell: String) async throws {
    let run = try await ProgramRun.perfQuery(["--generate-completion-script", shell])
    #expect(run.status == 0)
    #expect(run.output.contains("flamegraph") && run.output.contains("since"))
    #expect(run.output.contains("folded"), "the formats are offered")
    let script = FileManager.default.temporaryDirectory.appendingPathComponent("completion-\(UUID())")
    defer { try? FileManager.default.removeItem(at: script) }
    try Data(run.output.utf8).write(to: script)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: shells[shell] ?? "")
    process.arguments = ["-n", script.path]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
}
