import Foundation
import LinuxSystem
import Testing

@Suite struct DescriptorTests {
    @Test func `a descriptor is closed when its owner goes, and not when it was released`() throws {
        let closed: Int32
        do {
            let descriptor = try OwnedDescriptor.open("/dev/null")
            closed = descriptor.rawValue
            #expect(isSameFile(closed, "/dev/null"))
        }
        // The number may have been given to another thread's file meanwhile, but hardly to this device.
        #expect(!isSameFile(closed, "/dev/null"))
        let kept = try OwnedDescriptor.open("/dev/null").release()
        #expect(isSameFile(kept, "/dev/null"))
        close(kept)
    }

    @Test func `a file that is not there is named with its reason`() {
        let failure = #expect(throws: SystemCallError.self) { try SmallFile.bytes("/no/such/file") }
        #expect(failure?.description == "open /no/such/file: No such file or directory")
        #expect(SmallFile.text("/no/such/file") == nil)
    }

    @Test(arguments: [0, 1, 4095, 4096, 4097, 100_000]) func `files are read whole, up to the limit`(count: Int) throws
    {
        let path = FileManager.default.temporaryDirectory.appending(path: "small-file-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let content = Data((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        try content.write(to: URL(filePath: path))
        #expect(try SmallFile.bytes(path) == [UInt8](content))
        #expect(try SmallFile.bytes(path, limit: 10) == [UInt8](content.prefix(10)))
    }

    @Test func `numbers of the kernel are read`() {
        #expect((SmallFile.integer("/proc/sys/kernel/pid_max") ?? 0) > 0)
        #expect(SmallFile.integer("/proc/version") == nil)
    }

    @Test func `a signal from another thread is seen once`() async throws {
        let signal = try WakeSignal()
        #expect(!signal.clear())
        await Task.detached {
            signal.wake()
            signal.wake()
        }.value
        #expect(signal.clear())
        #expect(!signal.clear())
    }

    private func isSameFile(_ descriptor: Int32, _ path: String) -> Bool {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")) == path
    }
}

@Suite struct MemoryMappingTests {
    @Test func `a mapping shows the file's bytes and writes through`() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "mapping-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data([1, 2, 3, 4]).write(to: URL(filePath: path))
        let file = try OwnedDescriptor.open(path, flags: O_RDWR)
        var writable = try MemoryMapping(file, byteCount: 4, isWritable: true)
        let readable = try MemoryMapping(file, byteCount: 4)
        let before = unsafe readable.bytes.unsafeLoad(as: UInt32.self)
        #expect(before == 0x0403_0201)
        var bytes = writable.mutableBytes
        bytes.storeBytes(of: 9, toByteOffset: 1, as: UInt8.self)
        let after = unsafe readable.bytes.unsafeLoad(as: UInt32.self)
        #expect(after == 0x0403_0901)
        #expect(try Data(contentsOf: URL(filePath: path)) == Data([1, 9, 3, 4]))
    }

    @Test func `an empty or impossible mapping is an error`() throws {
        let file = try OwnedDescriptor.open("/dev/null")
        for count in [0, -1] {
            let isRefused: Bool
            do {
                _ = try MemoryMapping(file, byteCount: count)
                isRefused = false
            } catch {
                isRefused = true
            }
            #expect(isRefused)
        }
    }
}

@Suite struct CPUIdleTimesTests {
    @Test func `idle and waiting for input count as idle, CPU by CPU`() {
        var times = CPUIdleTimes()
        times.read(
            text: """
                cpu  9 9 9 9 9 9 9 9 9 9
                cpu0 1 2 3 400 50 6 7 8 9 10
                cpu3 1 2 3 7 0 6 7 8 9 10
                intr 1234 0 0
                cpu9 1 2 3 7 0
                """.utf8)
        #expect(times[0] == 4_500_000_000)
        #expect(times[1] == nil)
        #expect(times[3] == 70_000_000)
        #expect(times[9] == nil)
        #expect(times[-1] == nil)
    }

    @Test(arguments: [
        "", "cpu", "cpu0", "cpu0 1 2", "cpu0 a b c d e", "cpu99999999999999999999 1 2 3 4 5", "cpu0 1 2 3 4 ",
    ])
    func `a malformed text gives no time`(text: String) {
        var times = CPUIdleTimes()
        times.read(text: text.utf8)
        #expect(times[0] == nil)
    }

    @Test func `a CPU that disappears has no time any more`() {
        var times = CPUIdleTimes()
        times.read(text: "cpu0 1 2 3 4 5\ncpu1 1 2 3 4 5\n".utf8)
        times.read(text: "cpu0 1 2 3 5 5\n".utf8)
        #expect(times[0] == 100_000_000)
        #expect(times[1] == nil)
    }

    @Test func `this machine's idle time passes no faster than time`() throws {
        var times = CPUIdleTimes()
        try times.read()
        let cpu = try #require(CPUList.online()?.first)
        let before = try #require(times[cpu])
        let start = Clocks.monotonic()
        usleep(200_000)
        try times.read()
        let after = try #require(times[cpu])
        #expect(after >= before)
        #expect(after - before <= Clocks.monotonic() - start + 20_000_000)
    }
}
