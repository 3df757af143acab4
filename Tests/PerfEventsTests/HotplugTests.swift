import Foundation
import LinuxSystem
import PerfEvents
import Testing

private let cpuSwitch = "/sys/devices/system/cpu/cpu1/online"

extension KernelTests {
    /// Takes a CPU away for less than a second; another process brings it back, whatever happens to this one.
    @Suite(
        .enabled(
            if: FileManager.default.isWritableFile(atPath: cpuSwitch),
            "takes CPU 1 offline for a moment: wants root and a kernel that lets it go"))
    struct Hotplug {
        @Test(arguments: [0.1, 0.9]) func `a CPU that was offline is sampled again`(seconds: Double) throws {
            var sampler = try Sampler(SamplingOptions(samplesPerSecond: 200))
            var records = RecordCollector()
            sampler.start()
            func run(_ span: UInt64, _ sampler: inout Sampler) {
                let end = Clocks.monotonic() + span
                while Clocks.monotonic() < end {
                    _ = sampler.wait(upTo: .milliseconds(50))
                    sampler.drain(into: &records)
                }
            }
            run(1_500_000_000, &sampler)
            let restore = try Process.run(
                URL(filePath: "/bin/sh"), arguments: ["-c", "sleep \(seconds); echo 1 > \(cpuSwitch)"])
            let offline = Clocks.monotonic()
            try Data("0".utf8).write(to: URL(filePath: cpuSwitch))
            run(UInt64(seconds * 1e9), &sampler)
            restore.waitUntilExit()
            #expect(CPUList.online()?.contains(1) == true)
            let online = Clocks.monotonic()
            run(3_500_000_000, &sampler)
            let load = BusyThread(cpu: 1)
            defer { load.stop() }
            run(1_000_000_000, &sampler)
            sampler.drainAll(into: &records)
            let busy = records.samples.filter { $0.cpu == 1 && $0.tid == load.tid }
            print("offline \(Double(online - offline) / 1e9) s, samples of CPU 1 after it \(busy.count)")
            #expect(busy.count >= 20)
            #expect(sampler.openCPUs.contains(1))
            #expect(records.samples.contains { $0.cpu == 0 })
            #expect(records.malformed == 0)
        }
    }
}
