import Foundation
import Testing

/// `perf-agent profile` against programs whose answer is known.
@Suite(.serialized, .enabled(if: canSample, "needs the right to sample the whole host (root or CAP_PERFMON)"))
struct ProfileTests {
    @Test func `five hundred children of 3 ms come out within the sampling error`() throws {
        let outcome = try Program.run(
            "perf-agent",
            ["profile", "--rate", "1000", "--format", "json", "--", Program.path("demo-load"), "children", "500", "3"])
        try #require(outcome.status == 0, "\(outcome.errors)")
        let truth = try #require(
            (outcome.output + outcome.errors).firstMatch(of: #/cpu-seconds ([0-9.]+)/#).flatMap { Double($0.1) })
        let answer = try outcome.json()
        let functions = try #require(answer["functions"] as? [[String: Any]])
        let work = try #require(functions.first { $0["name"] as? String == "child_work" }, "\(functions)")
        let seconds = try #require(work["self"] as? Double) / 1e9
        let samples = truth * 1_000
        #expect(abs(seconds - 1.5) < 4 * samples.squareRoot() / 1_000 + 0.03, "\(seconds) s of 1.5 s")
        let value = try #require(answer["value"] as? Double) / 1e9
        #expect(value > truth - 4 * samples.squareRoot() / 1_000 - 0.05, "\(value) s in all, \(truth) s charged")
        let command = try #require(answer["command"] as? [String: Any])
        #expect(command["exitCode"] as? Int == 0)
    }

    @Test func `a load of 60, 30 and 10 % is found in folded output and in JSON alike`() throws {
        let load = try Running("demo-load", ["checkout", "30"])
        defer { load.signal(SIGTERM) }
        let folded = try Program.run(
            "perf-agent", ["profile", "\(load.pid)", "--duration", "5", "--rate", "200", "--format", "folded"])
        try #require(folded.status == 0, "\(folded.errors)")
        let stacks = try foldedStacks(folded.output)
        let found = shares(of: checkoutFunctions, in: stacks)
        let samples = stacks.reduce(0) { $0 + $1.value }
        try #require(samples > 60)
        for (name, share) in checkoutShares {
            #expect(
                abs(found[name, default: 0] - share) < fourSigma(share: share, samples: samples), "\(name) \(found)")
        }
        // Frames stand in the order of calls, process first.
        let priced = try #require(stacks.first { $0.frames.last == "price_cart" })
        #expect(priced.frames.first == "checkout")
        #expect(priced.frames.suffix(2) == ["handle_checkout", "price_cart"])

        let json = try Program.run(
            "perf-agent", ["profile", "\(load.pid)", "--duration", "5", "--rate", "200", "--format", "json"])
        let answer = try json.json()
        let functions = try #require(answer["functions"] as? [[String: Any]])
        for (name, share) in checkoutShares {
            let row = try #require(functions.first { $0["name"] as? String == name }, "\(functions)")
            let selfShare = try #require(row["selfShare"] as? Double)
            #expect(abs(selfShare - share) < fourSigma(share: share, samples: samples) + 0.02, "\(name)")
            let low = try #require(row["selfShareLow"] as? Double)
            let high = try #require(row["selfShareHigh"] as? Double)
            #expect(low <= selfShare && selfShare <= high && high > low)
        }
        #expect(answer["root"] is [String: Any])
        let whole = try #require((answer["coverage"] as? [String: Any])?["wholeStacks"] as? Double)
        #expect(whole >= 0.97 * (try #require(answer["samples"] as? Double)))
    }

    @Test(
        .enabled(
            if: FileManager.default.isWritableFile(atPath: "/sys/devices/system/cpu/cpu1/online"),
            "takes CPU 1 offline for a moment: wants root and a kernel that lets it go"))
    func `a CPU that goes offline in the middle breaks nothing`() throws {
        let load = try Running("demo-load", ["checkout", "30"])
        defer { load.signal(SIGTERM) }
        let profile = try Running(
            "perf-agent", ["profile", "\(load.pid)", "--duration", "5", "--rate", "200", "--format", "json"])
        // One process takes it and brings it back, whatever happens to this one.
        let hotplug = try Running(
            "/bin/sh",
            [
                "-c",
                "sleep 2; cd /sys/devices/system/cpu/cpu1; trap 'echo 1 > online' EXIT; echo 0 > online; sleep 0.5",
            ])
        #expect(hotplug.wait(seconds: 20).status == 0)
        let outcome = profile.wait(seconds: 60)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let answer = try outcome.json()
        let samples = try #require(answer["samples"] as? Int)
        #expect(samples > 100)
        let functions = try #require(answer["functions"] as? [[String: Any]])
        for (name, share) in checkoutShares {
            let row = try #require(functions.first { $0["name"] as? String == name }, "\(functions)")
            let selfShare = try #require(row["selfShare"] as? Double)
            #expect(abs(selfShare - share) < fourSigma(share: share, samples: Double(samples)) + 0.02, "\(name)")
        }
        #expect((try? String(contentsOfFile: "/sys/devices/system/cpu/cpu1/online", encoding: .utf8)) == "1\n")
    }

    @Test func `shares agree with those of perf record on the same program at the same time`() throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/perf") else {
            Issue.record("perf is not installed; make test installs it")
            return
        }
        let load = try Running("demo-load", ["checkout", "40"])
        defer { load.signal(SIGTERM) }
        let folder = try Folder()
        let perf = try Running(
            "/usr/bin/python3",
            unblocked + [
                "/usr/bin/perf", "record", "-e", "cpu-clock", "-F", "199", "-g", "-o",
                folder.path("perf.data"), "-p", "\(load.pid)", "--", "sleep", "6",
            ])
        let ours = try Program.run(
            "perf-agent", ["profile", "\(load.pid)", "--duration", "6", "--rate", "199", "--format", "folded"])
        #expect(perf.wait(seconds: 30).status == 0)
        let script = try Program.run("/usr/bin/perf", ["script", "-i", folder.path("perf.data"), "-F", "comm,ip,sym"])
        try #require(script.status == 0, "\(script.errors)")
        // A sample is a header line and one line a frame, leaf first, up to an empty line.
        let theirs: [(frames: [String], value: Double)] = script.output.components(separatedBy: "\n\n").map { sample in
            let frames = sample.split(separator: "\n").dropFirst().compactMap {
                $0.split(separator: " ").last.map(String.init)
            }
            return (frames.reversed(), 1)
        }
        let stacks = try foldedStacks(ours.output)
        let count = min(stacks.reduce(0) { $0 + $1.value }, Double(theirs.count))
        try #require(count > 60)
        let (our, their) = (shares(of: checkoutFunctions, in: stacks), shares(of: checkoutFunctions, in: theirs))
        for name in checkoutFunctions {
            let share = their[name, default: 0]
            let bound = fourSigma(share: max(share, 0.05), samples: count) * 2.0.squareRoot()
            #expect(abs(our[name, default: 0] - share) < bound, "\(name): \(our) here, \(their) there")
        }
    }

    @Test func `what a command prints stands on standard error where the answer stands on standard output`() throws {
        let outcome = try Program.run("perf-agent", ["profile", "--json", "--output", "-", "--", "echo", "printed"])
        try #require(outcome.status == 0, "\(outcome.errors)")
        #expect(try outcome.json()["command"] is [String: Any])
        #expect(outcome.errors.contains("printed\n"))
    }

    @Test func `a result goes through a link to the file behind it, and to a device as it is`() throws {
        let folder = try Folder()
        let (file, link) = (folder.path("file.json"), folder.path("link.json"))
        try Data().write(to: URL(filePath: file))
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
        for path in [link, "/dev/null"] {
            let outcome = try Program.run("perf-agent", ["profile", "--json", "--output", path, "--", "true"])
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == file)
        #expect(try String(contentsOfFile: file, encoding: .utf8).hasPrefix("{"))
    }

    @Test func `at the end of the duration the command's children end too`() throws {
        let folder = try Folder()
        let file = folder.path("child")
        let outcome = try Program.run(
            "perf-agent",
            ["profile", "--duration", "1", "--", "/bin/sh", "-c", "sleep 300 & echo $! > \(file); wait; exit 0"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let child = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        // Where nobody waits for it, it stays a zombie.
        let status = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)) ?? ") Z"
        #expect(status.contains(") Z"), "\(status)")
    }

    @Test func `a flame graph is written and parses as XML`() throws {
        let folder = try Folder()
        let file = folder.path("picture.svg")
        let outcome = try Program.run(
            "perf-agent", ["profile", "--flamegraph=\(file)", "--", Program.path("demo-load"), "checkout", "2"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let parse = try Program.run(
            "/usr/bin/python3", ["-c", "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])", file])
        #expect(parse.status == 0, "\(parse.errors)")
        #expect(try String(contentsOfFile: file, encoding: .utf8).contains("<title>price_cart"))
    }

    @Test func `a flame graph whose file ends in html is a page`() throws {
        let folder = try Folder()
        let file = folder.path("picture.html")
        let outcome = try Program.run(
            "perf-agent", ["profile", "--flamegraph=\(file)", "--", Program.path("demo-load"), "checkout", "1"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(text.hasPrefix("<!DOCTYPE html>") && text.hasSuffix("</html>\n"))
        #expect(text.contains("<th scope=\"row\">price_cart</th><td>demo-load</td>"))
    }

    @Test(arguments: [
        (["profile", "no-such-program-anywhere"], Int32(2), "no-such-program-anywhere"),
        (["profile", "host", "--type", "memory"], Int32(64), "cpu"),
        (["profile", "host", "--format", "htm"], Int32(64), "folded"),
        (["profile", "host", "--rate", "0"], Int32(64), "rate"),
        (["profile"], Int32(64), "COMMAND"),
    ])
    func `what can't be done is refused with a message that helps`(
        arguments: [String], status: Int32, word: String
    ) throws {
        let outcome = try Program.run("perf-agent", arguments)
        #expect(outcome.status == status, "\(outcome.output)\(outcome.errors)")
        #expect(outcome.errors.contains(word), "\(outcome.errors)")
    }

    @Test func `a command's exit code is passed on and is not the profiler's`() throws {
        let outcome = try Program.run(
            "perf-agent",
            [
                "profile", "--format", "json", "--", "/bin/sh", "-c",
                "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 7",
            ])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let command = try #require(try outcome.json()["command"] as? [String: Any])
        #expect(command["exitCode"] as? Int == 7)
    }
}

let checkoutShares = ["price_cart": 0.6, "apply_discounts": 0.3, "write_receipt": 0.1]
let checkoutFunctions = Array(checkoutShares.keys)

/// Whether this user may sample the whole host: asked of the program itself.
let canSample: Bool = {
    let outcome = try? Program.run("perf-agent", ["doctor", "--json"])
    return (try? outcome?.json()["canSample"] as? Bool) ?? false
}()
