import Foundation
import Settings
import Testing

/// A file of the project's Config folder.
private func configFile(_ name: String) throws -> SettingsFile {
    let here = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    let root = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return try SettingsFile.read(root.appendingPathComponent("Config/\(name)").path)
}

@Test func `the agent's file shows the defaults and names every variable`() throws {
    let file = try configFile("agent.yaml")
    #expect(try AgentSettings.resolve(file: file, environment: [:], flags: .init()) == AgentSettings())
    for name in AgentSettings.environmentNames { #expect(file.text.contains(name), "\(name)") }
}

@Test func `the aggregator's file shows the defaults and names every variable`() throws {
    let file = try configFile("aggregator.yaml")
    #expect(try AggregatorSettings.resolve(file: file, environment: [:], flags: .init()) == AggregatorSettings())
    for name in AggregatorSettings.environmentNames { #expect(file.text.contains(name), "\(name)") }
}

@Test func `every setting stands in its file, uncommented`() throws {
    // Renaming a key in the file to one that doesn't exist must be noticed, so each is really read.
    for (name, keys) in [
        (
            "agent.yaml",
            [
                "aggregator", "rate", "kernel", "host", "labels", "memory", "log_level", "spool", "helper", "symbols",
                "services",
            ]
        ),
        ("aggregator.yaml", ["data", "listen_agents", "listen_http", "insecure", "retention", "limits", "log_level"]),
    ] {
        let text = try configFile(name).text
        for key in keys { #expect(text.contains("\n\(key):"), "\(name): \(key)") }
    }
}

@Test func `the examples of the agent's file work when their comment marks go`() throws {
    let text = try configFile("agent.yaml").text
        .replacingOccurrences(of: "\nlabels: {}", with: "\nlabels:")
        .replacingOccurrences(of: "\nservices: []", with: "\nservices:")
        .replacingOccurrences(of: "\n#  ", with: "\n  ")
    let file = SettingsFile(path: "agent.yaml", text: text)
    let settings = try AgentSettings.resolve(file: file, environment: [:], flags: .init())
    #expect(settings.labels == ["zone": "eu-1a", "rack": "17"])
    #expect(
        settings.serviceRules == [
            ServiceRule(program: "python*", cgroup: nil, command: "*manage.py runserver*", service: "web"),
            ServiceRule(
                program: nil, cgroup: "/system.slice/postgresql@*.service", command: nil, service: "postgresql",
                version: "15"),
        ])
}

@Test func `the project's file shows the defaults`() throws {
    let configuration = try ProjectConfiguration.parse(try configFile("PROJECT_CONFIG.xml"), types: ["cpu"])
    #expect(configuration.types == ["cpu"])
    #expect(configuration.samplesPerSecond == 100)
    #expect(configuration.depth == 1024)
    #expect(configuration.duration == .seconds(10))
    #expect(configuration.warnings == [])
}
