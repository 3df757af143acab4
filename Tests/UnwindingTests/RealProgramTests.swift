import AllocationCount
import Glibc
import Testing
import ToolOutput

@testable import Unwinding

/// Programs as distributions ship them, stopped at random moments: our frames against gdb's.
@Suite(
    .enabled(if: !output(of: "gdb --version 2>/dev/null").isEmpty && geteuid() == 0, "gdb and root are needed"),
    .serialized)
struct RealProgramTests {
    struct Program: CustomTestStringConvertible, Sendable {
        var name: String
        /// Runs for long; `exec`ed by a shell in a folder of its own.
        var command: String
        var testDescription: String { name }
        var isHere: Bool { !output(of: "command -v \(name) 2>/dev/null").isEmpty }
    }

    static let programs = [
        Program(name: "openssl", command: "exec openssl speed -seconds 60 rsa2048 sha256"),
        Program(name: "xz", command: "head -c 100000000 /opt/swift/usr/bin/swift-frontend >in; exec xz -9 -T1 -c in"),
        Program(
            name: "sqlite3",
            command:
                "exec sqlite3 :memory: 'with recursive c(x) as (select 1 union all select x+1 from c limit 90000000) "
                + "select count(*), sum(x*abs(random()%7)), group_concat(x % 3) from c order by 1'"),
        Program(
            name: "python3",
            command: "exec python3 -c 'import json\ndef f(n):\n  return json.dumps([n]*9) if n==0 else f(n-1)\n"
                + "while True: sorted((f(9) for i in range(500)), key=lambda x: x[1:])'"),
        Program(
            name: "git",
            command: "git init -q r; cd r; for i in $(seq 40); do head -c 1500000 /dev/urandom | base64 >f$i; done; "
                + "git add -A; git -c user.name=a -c user.email=a@b commit -qm a; exec git repack -adfq --depth=200 --window=800"
        ),
        Program(
            name: "perl",
            command:
                "exec perl -e 'sub f { my $n=shift; $n ? f($n-1) : join(q(,), sort map {$_*7%13} 1..300) } while(1){f(12)}'"
        ),
    ]

    /// Where gdb and we part, gdb may be the one that is wrong: what is expected is that nearly all agree.
    @Test(arguments: programs.filter(\.isHere)) func `shipped programs are followed to their ends`(
        program: Program
    ) throws {
        let session = try Self.stop(program, times: 8)
        try #require(session.captures.count == 8, "\(session.log.suffix(600))")
        let tables = try SessionTables(session)
        var unwinder = tables.unwinder()
        var agreed = 0
        var whole = 0
        var frames = 0
        for capture in session.captures {
            let outcome = unwinder.unwind(capture, tables)
            if outcome == .whole { whole += 1 }
            frames += unwinder.frames.count
            if unwinder.shown == capture.frames {
                agreed += 1
            } else {
                print("\(program.name): \(outcome)")
                for index in 0..<max(unwinder.shown.count, capture.frames.count) {
                    func hex(_ frames: [StackCapture.Frame]) -> String {
                        index < frames.count ? String(frames[index].address, radix: 16) : "-"
                    }
                    print("  \(hex(unwinder.shown)) \(hex(capture.frames))")
                }
            }
        }
        print(
            "\(program.name): \(session.captures.count) stacks of \(frames / session.captures.count) frames, \(whole) whole, \(agreed) as gdb's"
        )
        #expect(whole >= session.captures.count - 1)
        #expect(agreed >= session.captures.count - 1)
    }

    static func stop(_ program: Program, times: Int) throws -> StackCapture.Session {
        let folder = try ScratchFolder()
        try folder.write("program.sh", "cd '\(folder.path)'\n\(program.command)\n")
        let pid = output(
            of: "setsid sh \(folder.path)/program.sh >\(folder.path)/log 2>&1 </dev/null & echo $!"
        ).split(separator: "\n").first.flatMap { pid_t($0) }
        let process = try #require(pid)
        // Preparations of the script's own end with an exec.
        for _ in 0..<600 where !output(of: "cat /proc/\(process)/comm").hasPrefix(program.name.prefix(6)) {
            usleep(50_000)
        }
        usleep(300_000)
        defer {
            kill(-process, SIGKILL)
            kill(process, SIGKILL)
        }
        return try StackCapture.session(
            "",
            """
            import time, random
            for _ in range(\(times)):
                gdb.execute("attach \(process)", to_string=True)
                capture(16384)
                if _ == \(times - 1): finish()
                gdb.execute("detach", to_string=True)
                time.sleep(random.uniform(0.01, 0.1))
            """)
    }
}
