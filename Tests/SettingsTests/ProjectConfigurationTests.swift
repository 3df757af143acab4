import Foundation
import Settings
import Testing

private func parse(_ xml: String) throws(SettingsError) -> ProjectConfiguration {
    try ProjectConfiguration.parse(SettingsFile(path: "P.xml", text: xml), types: ["cpu", "wall"])
}

private func message(_ xml: String) -> String {
    do {
        return "nothing was wrong: \(try parse(xml).warnings)"
    } catch {
        return error.description
    }
}

@Test func `the settings of the command are found wherever it stands below the root`() throws {
    let configuration = try parse(
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- a comment -->
        <project>
          <setting name="default_depth" value="1"/>
          <command name="/perf other"><setting name="default_depth" value="2"/></command>
          <commands>
            <command name=" /perf  profile ">
              <setting name="default_profiling_type" value="cpu, wall"/>
              <setting name="default_sampling_rate" value="99.5"></setting>
              <setting name="default_depth" value="256"/>
              <setting name="default_duration" value="2m"/>
            </command>
          </commands>
          <setting name="default_depth" value="3"/>
        </project>
        """)
    #expect(configuration.types == ["cpu", "wall"])
    #expect(configuration.samplesPerSecond == 99.5)
    #expect(configuration.depth == 256)
    #expect(configuration.duration == .seconds(120))
    #expect(configuration.warnings == [])
}

@Test func `a file without the command says nothing`() throws {
    let configuration = try parse("<a><command/><command name='x'/></a>")
    #expect(configuration == ProjectConfiguration(path: "P.xml"))
}

private func command(_ settings: String) -> String {
    "<r>\n<command name=\"/perf profile\">\n\(settings)\n</command></r>"
}

@Test(arguments: [
    ("default_sampling_rate", "0", "samples per second and CPU, 1 to 10000"),
    ("default_sampling_rate", "", "samples per second and CPU, 1 to 10000"),
    ("default_sampling_rate", "fast", "samples per second and CPU, 1 to 10000"),
    ("default_depth", "0", "a number of frames, 1 to 65535"),
    ("default_depth", "1.5", "a number of frames, 1 to 65535"),
    ("default_duration", "-1", "seconds, or a time as in 10s or 2m; 0 means until interrupted"),
    ("default_profiling_type", "gpu", "cpu, wall (that is what can be measured so far)"),
    ("default_profiling_type", "cpu,", "cpu, wall (that is what can be measured so far)"),
])
func `a value that can't be used is an error with its line`(name: String, value: String, expected: String) {
    let text = message(command("\n<setting name=\"\(name)\" value=\"\(value)\"/>"))
    #expect(text == "P.xml:4: \(name): '\(value)' can't be used; expected \(expected)")
}

@Test func `unknown settings are warnings that name the nearest`() throws {
    let configuration = try parse(
        command("<setting name='default_dept' value='1'/>\n<setting name='x' value=''/><other/>"))
    #expect(
        configuration.warnings == [
            "P.xml:3: there is no setting 'default_dept' of /perf profile; did you mean 'default_depth'?",
            "P.xml:4: there is no setting 'x' of /perf profile",
            "P.xml:4: <other> means nothing here; only <setting> does",
        ])
    #expect(configuration.depth == nil)
}

@Test(arguments: [
    ("<a>\n<b>\n</a>", "P.xml:3: not well-formed XML: mismatched tag"),
    ("", "P.xml:1: not well-formed XML: no element found"),
    ("<a/><b/>", "P.xml:1: not well-formed XML: junk after document element"),
    (command("<setting name='default_depth'/>"), "P.xml:3: <setting> needs the attributes name and value"),
])
func `what is not XML is an error with its line`(xml: String, expected: String) {
    #expect(message(xml) == expected)
}

@Test func `an external entity is not read`() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("secret-\(UUID()).xml").path
    try Data("<command name='/perf profile'><setting name='default_depth' value='7'/></command>".utf8)
        .write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let configuration = try parse(
        """
        <!DOCTYPE r [<!ENTITY x SYSTEM "\(path)"> <!ENTITY % p SYSTEM "\(path)"> %p;]>
        <r>&x;<command name="/perf profile"><setting name="default_sampling_rate" value="50"/></command></r>
        """)
    #expect(configuration.depth == nil)
    #expect(configuration.samplesPerSecond == 50)
}

private func bomb(use: String) -> String {
    var xml = "<!DOCTYPE r [<!ENTITY e0 \"xxxxxxxxxx\">\n"
    for level in 1...12 {
        xml += "<!ENTITY e\(level) \"\(String(repeating: "&e\(level - 1);", count: 10))\">\n"
    }
    return xml + "]>\n" + use
}

@Test(.timeLimit(.minutes(1))) func `a bomb of entities in text is left as it stands`() throws {
    let xml = bomb(use: "<r>&e12;<command name='/perf profile'><setting name='default_depth' value='5'/></command></r>")
    #expect(try parse(xml).depth == 5)
}

@Test(.timeLimit(.minutes(1))) func `a bomb of entities in an attribute is an error`() {
    let text = message(bomb(use: "<r><a b='&e12;'/></r>"))
    #expect(text.contains("limit on input amplification factor"), "\(text)")
}

@Test func `elements nested too deep are an error`() {
    let text = message(String(repeating: "<a>", count: 300) + String(repeating: "</a>", count: 300))
    #expect(text == "P.xml:1: more than 100000 elements, or nested over 256 deep")
}

@Test func `the nearest file upward counts`() throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("project-\(UUID())")
    let deep = root.appendingPathComponent("a/b/c")
    try FileManager.default.createDirectory(at: deep, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: root) }
    func write(_ depth: Int, in folder: String) throws {
        try Data(command("<setting name='default_depth' value='\(depth)'/>").utf8)
            .write(to: root.appendingPathComponent(folder + "PROJECT_CONFIG.xml"))
    }
    try write(1, in: "")
    #expect(try ProjectConfiguration.find(asked: nil, from: deep.path, types: [])?.depth == 1)
    try write(2, in: "a/b/")
    #expect(try ProjectConfiguration.find(asked: nil, from: deep.path, types: [])?.depth == 2)
    let asked = root.appendingPathComponent("PROJECT_CONFIG.xml").path
    #expect(try ProjectConfiguration.find(asked: asked, from: deep.path, types: [])?.depth == 1)
    #expect(throws: SettingsError.self) {
        try ProjectConfiguration.find(asked: "/nonexistent.xml", from: deep.path, types: [])
    }
}
