import Foundation
import LinuxSystem
import PerfEvents
import Testing

extension KernelTests {
    @Suite struct ProcessScope {
        private static let loop = "BEGIN { for (i = 0; i < 60000000; i++) n += i }"

        /// A shell that waits for a line and then becomes an awk that computes for about a second.
        private func waitingShell() throws -> (process: Process, go: Pipe) {
            let process = Process()
            let pipe = Pipe()
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments = ["-c", "read line; exec awk '\(Self.loop)'"]
            process.standardInput = pipe
            try process.run()
            return (process, pipe)
        }

        private func run(_ options: SamplingOptions, _ shell: (process: Process, go: Pipe)) throws -> RecordCollector {
            var sampler = try Sampler(options)
            var records = RecordCollector()
            sampler.start()
            try shell.go.fileHandleForWriting.write(contentsOf: Data("go\n".utf8))
            while shell.process.isRunning {
                _ = sampler.wait(upTo: .milliseconds(50))
                sampler.drain(into: &records)
            }
            sampler.drainAll(into: &records)
            return records
        }

        @Test(arguments: [true, false])
        func `a started command is sampled from its execve on, and nobody else`(enableOnExec: Bool) throws {
            let shell = try waitingShell()
            let pid = shell.process.processIdentifier
            // From the shell to awk: with enableOnExec nothing of the shell is seen.
            usleep(50_000)
            var usage = rusage()
            _ = unsafe getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
            let before = cpuSeconds(usage)
            let records = try run(
                SamplingOptions(samplesPerSecond: 500, scope: .processes([pid]), enableOnExec: enableOnExec), shell)
            _ = unsafe getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
            let truth = cpuSeconds(usage) - before
            #expect(records.samples.allSatisfy { $0.pid == pid })
            let seen = Double(records.samples.reduce(0) { $0 + $1.weight }) / 1e9
            print("CPU used \(truth) s, seen \(seen) s")
            #expect(abs(seen - truth) < 0.1 * truth + 0.05)
            let exec = try #require(records.names.first { $0.isExec })
            #expect(exec.name == "awk")
            #expect(records.mappings.contains { $0.pid == pid && $0.name.hasSuffix("awk") })
            #expect(!enableOnExec || records.samples.allSatisfy { $0.time >= exec.time - 10_000_000 })
        }

        @Test func `children of a sampled process are sampled`() throws {
            let process = Process()
            let pipe = Pipe()
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments = ["-c", "read line; awk '\(Self.loop)'; true"]
            process.standardInput = pipe
            try process.run()
            let pid = process.processIdentifier
            let records = try run(
                SamplingOptions(samplesPerSecond: 500, scope: .processes([pid])), (process, pipe))
            #expect(records.samples.count { $0.pid != pid } > 100)
            #expect(records.forks.contains { $0.parentPID == pid })
        }

        @Test func `a process that is not there is named`() {
            #expect(throws: PerfEventError.noSuchProcess(pid: 4_194_303)) {
                _ = try Sampler(SamplingOptions(scope: .processes([4_194_303])))
            }
        }

        private func cpuSeconds(_ usage: rusage) -> Double {
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
                + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        }
    }
}
