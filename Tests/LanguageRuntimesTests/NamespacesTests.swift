import Foundation
import LinuxSystem
import Testing

@testable import LanguageRuntimes

@Suite(
    .serialized,
    .enabled(
        if: getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/java"), "needs root and a JVM"))
struct NamespacesTests {
    @Test func `a JVM in a container's namespaces, of another user, is asked and its map found`() throws {
        let workshop = try Workshop()
        let source = try workshop.write(
            "Spin.java",
            "public class Spin { static long s; public static void main(String[] a) { while (true) s = s * 31 + 7; } }")
        try #require(workshop.run("/usr/bin/javac", ["-d", workshop.folder, source]) != nil)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: workshop.folder)
        // Own PID and mount namespaces, an own /tmp, and a user that is not root.
        let folder = workshop.folder
        let script = """
            mkdir -p /run/classes-$$ && cp \(folder)/Spin.class /run/classes-$$/ && chmod 755 /run/classes-$$ &&
            mount -t tmpfs -o mode=1777 tmpfs /tmp && cd / &&
            exec setpriv --reuid 12345 --regid 12345 --clear-groups /usr/bin/java -cp /run/classes-$$ Spin
            """
        let outer = try StartedProgram(
            "/usr/bin/unshare",
            ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "/bin/sh", "-c", script],
            folder: workshop.folder)
        defer { try? FileManager.default.removeItem(atPath: "/run/classes-1") }
        Thread.sleep(forTimeInterval: 3)
        let children = ProcFile.processes().filter { ProcessStatus.read($0)?.parent == outer.identifier }
        let java = try #require(children.first)
        // It outlives its parent, and Foundation waits for whoever holds its descriptors.
        defer {
            _ = kill(java, SIGKILL)
            _ = outer.identifier
        }
        let identity = try #require(NamespacedIdentity.read(java))
        #expect(identity.innermostProcess == 1 && identity.user == 12345)
        try JVMAttach(java).writePerfMap()
        var map = PerfMapFile(java)
        let now = Clocks.monotonic()
        guard case .read = try map.refresh(at: now) else {
            Issue.record("nothing was read")
            return
        }
        #expect(!FileManager.default.fileExists(atPath: "/tmp/perf-1.map"))
        var jvm = try JVMReader(process: java)
        _ = try jvm.refresh(at: now)
        let interpreter = try #require(jvm.ranges.first { $0.kind == .interpreter })
        #expect(map.match(interpreter.start, at: now)?.name == "Interpreter")
    }

    @Test func `a link that leads out of the process's root is not followed`() throws {
        let workshop = try Workshop()
        let secret = "/root/secret-\(getpid()).map"
        try "1000 10 secret\n".write(toFile: secret, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: secret) }
        let program = try StartedProgram(
            "/usr/bin/unshare",
            [
                "--mount", "/bin/sh", "-c",
                "mount -t tmpfs tmpfs /tmp && ln -s \(secret) /tmp/perf-$$.map && exec sleep 30",
            ],
            folder: workshop.folder)
        Thread.sleep(forTimeInterval: 0.5)
        var map = PerfMapFile(program.identifier)
        #expect(throws: RuntimeFile.Failure.notRegular(path: "/tmp/perf-\(program.identifier).map")) {
            try map.refresh(at: 1)
        }
    }

    @Test func `the status of a process in a namespace is read`() {
        let text =
            "Name:\tjava\nPid:\t4242\nNSpid:\t4242\t17\t1\nUid:\t1000\t1001\t1000\t1000\nGid:\t5\t6\t5\t5\nSigCgt:\t0000000000000004\n"
        #expect(
            NamespacedIdentity.parse(Array(text.utf8))
                == NamespacedIdentity(innermostProcess: 1, user: 1001, group: 6, caughtSignals: 4))
        #expect(NamespacedIdentity.parse(Array("Pid:\tx\n".utf8)) == nil)
    }
}
