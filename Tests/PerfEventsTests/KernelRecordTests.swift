import CLinux
import Foundation
import LinuxSystem
import PerfEvents
import Testing

extension KernelTests {
    @Suite struct Records {
        @Test func `a command's whole life is told: fork, name by exec, mapping with the build ID of readelf, exit`()
            throws
        {
            var sampler = try Sampler(SamplingOptions(samplesPerSecond: 10))
            var records = RecordCollector()
            sampler.start()
            let process = try Process.run(URL(filePath: "/usr/bin/true"), arguments: [])
            process.waitUntilExit()
            sampler.drainAll(into: &records)
            let pid = process.processIdentifier
            #expect(records.forks.contains { $0.pid == pid && $0.tid == pid })
            #expect(records.names.contains { $0.pid == pid && $0.isExec && $0.name == "true" })
            #expect(records.exits.contains { $0.pid == pid })
            let mapping = try #require(records.mappings.first { $0.pid == pid && $0.name == "/usr/bin/true" })
            if sampler.features.contains(.buildIDs) {
                let readelf = try output(of: "/usr/bin/readelf", ["-n", "/usr/bin/true"])
                let hexadecimal = mapping.buildID.map { String(format: "%02x", $0) }.joined()
                #expect(readelf.contains("Build ID: \(hexadecimal)"))
            }
            #expect(records.times == records.times.sorted())
            #expect(records.malformed == 0)
        }

        @Test func `the kernel's own records, cut and with flipped bits, trap nowhere and keep their order`() throws {
            var generator = SeededGenerator()
            print("PERF_FLEET_SEED=\(generator.seed)")
            let captured = try capture()
            #expect(captured.count > 100)
            for record in captured {
                // Whole, it decodes; cut short anywhere, it does not.
                #expect((try? decodes(record)) == true)
                for end in 0..<record.count where (try? decodes(Array(record[..<end]))) == true {
                    Issue.record("a record of \(record.count) bytes decodes with \(end)")
                }
            }
            for _ in 0..<3000 {
                var stream = RecordStream(maximumCallChain: 127)
                let ring = try RingBuffer(detachedDataPages: 2)
                stream.add(
                    ring, kind: .samples, cpu: 0, weights: TickWeights(period: 10, startedBetween: 0, and: 0))
                var records = RecordCollector()
                for _ in 0..<5 {
                    var record = captured[Int.random(in: 0..<captured.count, using: &generator)]
                    for _ in 0..<Int.random(in: 0..<4, using: &generator) {
                        let bit = Int.random(in: 0..<8 * record.count, using: &generator)
                        record[bit / 8] ^= 1 << UInt8(bit % 8)
                    }
                    ring.write(record.span)
                    stream.collect(now: Clocks.monotonic())
                }
                stream.release(upTo: .max, into: &records)
                #expect(records.times.count + records.malformed <= 40)
            }
        }

        @Test func `ticks that find no room are counted: seen and lost make up the time`() throws {
            let cpu = try #require(CPUList.online()?.last)
            let thread = BusyThread(cpu: cpu)
            defer { thread.stop() }
            // Chains of one frame make a small ring, and nobody empties it for a second and a half.
            let options = SamplingOptions(samplesPerSecond: 10_000, maximumCallChain: 1)
            var sampler = try Sampler(options)
            var records = RecordCollector()
            sampler.start()
            let start = Clocks.monotonic()
            usleep(1_500_000)
            let elapsed = Double(Clocks.monotonic() - start)
            sampler.drainAll(into: &records)
            let seen = Double(records.samples.count { $0.cpu == cpu })
            let lost = Double(records.lostSamplesByCPU[cpu] ?? 0)
            print("seen \(seen), lost \(lost), throttled \(records.throttled)")
            #expect(lost > 1000)
            // Where the kernel throttled, fewer ticks were due.
            #expect((seen + lost) * 1e5 <= 1.15 * elapsed)
            #expect(records.throttled > 0 || (seen + lost) * 1e5 >= 0.85 * elapsed)
        }

        private func decodes(_ record: [UInt8]) throws -> Bool {
            switch try unsafe RecordDecoder.decode(record.span.bytes) {
            case .other: return false
            default: return true
            }
        }

        /// Records as the kernel wrote them, samples and others.
        private func capture() throws -> [[UInt8]] {
            var sampler = try Sampler(SamplingOptions(samplesPerSecond: 1000))
            sampler.start()
            for _ in 0..<5 { try Process.run(URL(filePath: "/usr/bin/true"), arguments: []).waitUntilExit() }
            // Something to sample, on an idle machine too.
            let end = Clocks.threadCPU() + 300_000_000
            while Clocks.threadCPU() < end {}
            var records: [[UInt8]] = []
            for ring in sampler.rings {
                let bytes = ring.takeAll()
                var offset = 0
                while offset + 8 <= bytes.count {
                    let size = Int(bytes[offset + 6]) | Int(bytes[offset + 7]) << 8
                    guard size >= 8, offset + size <= bytes.count else { break }
                    if records.count < 2000 { records.append(Array(bytes[offset..<offset + size])) }
                    offset += size
                }
            }
            return records
        }
    }
}

/// What a program writes to its standard output.
func output(of program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardOutput = pipe
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
}
