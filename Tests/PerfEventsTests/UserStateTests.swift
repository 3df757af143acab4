import CLinux
import Foundation
import LinuxSystem
import PerfEvents
import Testing

/// rsp and rip of x86-64, sp and pc of AArch64 (asm/perf_regs.h).
#if arch(x86_64)
private let registerMask: UInt64 = 1 << 7 | 1 << 8
#else
private let registerMask: UInt64 = 1 << 31 | 1 << 32
#endif

@Suite struct UserStateTests {
    private func decode(_ bytes: [UInt8]) throws -> (registers: [UInt64], stack: [UInt8]) {
        guard case .sample(let sample) = try unsafe RecordDecoder.decode(bytes.span.bytes, registers: 2) else {
            throw CancellationError()
        }
        var registers: [UInt64] = []
        for index in sample.user.registers.indices { registers.append(sample.user.registers[index]) }
        return (registers, unsafe sample.user.stack.withUnsafeBytes { unsafe [UInt8]($0) })
    }

    private let stack: [UInt8] = Array(1...16)

    @Test func `registers and the valid part of the stack are read behind the chain`() throws {
        let record = RecordBytes.sample(
            time: 1, chain: [.max - 511, 5],
            user: RecordBytes.UserPart(registers: [0x7000, 0x4000], stack: stack, valid: 8))
        let found = try decode(record)
        #expect(found.registers == [0x7000, 0x4000])
        #expect(found.stack == Array(1...8))
    }

    @Test(arguments: [
        RecordBytes.UserPart(abi: 0),
        RecordBytes.UserPart(abi: 1, registers: [1, 2], stack: [1, 2, 3, 4, 5, 6, 7, 8]),
    ])
    func `a kernel thread and a process of 32 bits have no user side`(part: RecordBytes.UserPart) throws {
        let found = try decode(RecordBytes.sample(time: 1, user: part))
        #expect(found.registers.isEmpty && found.stack.isEmpty)
    }

    @Test func `a copy that says more than the record holds is refused, and so is every cut`() throws {
        let good = RecordBytes.UserPart(registers: [1, 2], stack: stack, valid: 16)
        let record = RecordBytes.sample(time: 1, chain: [1], user: good)
        for end in stride(from: 40, to: record.count, by: 8) {
            var cut = Array(record[..<end])
            cut[6] = UInt8(end & 0xFF)
            cut[7] = UInt8(end >> 8)
            #expect(throws: RecordError.self) { try decode(cut) }
        }
        var tooMuch = good
        tooMuch.valid = 17
        #expect(throws: RecordError.badUserStack(bytes: 17, size: record.count)) {
            try decode(RecordBytes.sample(time: 1, chain: [1], user: tooMuch))
        }
        let sizeAt = 40 + 8 + 8 + 16
        for size: UInt64 in [24, 1 << 40, .max] {
            var damaged = record
            for byte in 0..<8 { damaged[sizeAt + byte] = UInt8(truncatingIfNeeded: size >> UInt64(8 * byte)) }
            #expect(throws: RecordError.self) { try decode(damaged) }
        }
    }
}

@Suite struct TakenStackTests {
    @Test(arguments: [UInt64(0), 1, 8, 4000, 4096])
    func `of a stack's copy the valid bytes leave the ring, also over its end`(valid: UInt64) throws {
        let stack = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let ring = try RingBuffer(detachedDataPages: 2)
        var stream = RecordStream(maximumCallChain: 127, userRegisters: 2)
        stream.add(ring, kind: .samples, cpu: 0)
        for time: UInt64 in 1...5 {
            let record = RecordBytes.sample(
                time: time, chain: [.max - 511, 5],
                user: RecordBytes.UserPart(registers: [0x7000, time], stack: stack, valid: valid))
            let isWritten = ring.write(record.span)
            #expect(isWritten)
            var records = RecordCollector()
            stream.collect(now: 100)
            stream.release(upTo: 100, into: &records)
            #expect(records.malformed == 0 && records.samples.count == 1)
            let sample = try #require(records.samples.first)
            #expect(sample.time == time && sample.registers == [0x7000, time] && sample.callChain == [.max - 511, 5])
            #expect(sample.stack == Array(stack[..<Int(valid)]))
        }
    }
}

extension KernelTests {
    @Suite struct UserStates {
        @Test(arguments: [4096, 16_384, 1 << 20])
        func `the copy holds what lies on the sampled thread's stack`(byteCount: Int) throws {
            let copy = UserStackCopy(byteCount: byteCount, registers: registerMask)
            var sampler = try Sampler(SamplingOptions(samplesPerSecond: 200, userStack: copy))
            var records = RecordCollector()
            sampler.start()
            // The kernel writes the pattern before and after, so that it must be in memory in between.
            let pattern = unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 32) { words -> [UInt64] in
                _ = unsafe getentropy(words.baseAddress, 256)
                let pattern = unsafe Array(words)
                let end = Clocks.threadCPU() + 500_000_000
                while Clocks.threadCPU() < end {}
                _ = unsafe getentropy(words.baseAddress, 256)
                return pattern
            }
            sampler.drainAll(into: &records)
            let own = records.samples.filter { $0.pid == getpid() && $0.tid == linux_thread_id() && !$0.stack.isEmpty }
            #expect(own.count > 40)
            let bytes = pattern.withUnsafeBytes { unsafe [UInt8]($0) }
            let holding = own.count { sample in Self.contains(bytes, in: sample.stack) }
            #expect(holding > own.count / 2)
            #expect(own.allSatisfy { $0.registers.count == 2 && $0.stack.count <= copy.byteCount })
            // The kernel's frames alone are left in the chain.
            #expect(own.allSatisfy { !$0.callChain.contains(CallChain.user) })
            #expect(records.malformed == 0)
        }

        @Test func `a watch shows each sample as the sampler hands it on, and takes none away`() throws {
            let copy = UserStackCopy(byteCount: 16_384, registers: registerMask)
            var sampler = try Sampler(SamplingOptions(samplesPerSecond: 200, userStack: copy))
            let watches = try sampler.watches()
            var records = RecordCollector()
            sampler.start()
            let end = Clocks.threadCPU() + 150_000_000
            while Clocks.threadCPU() < end {}
            var seen: [UInt64: [UInt8]] = [:]
            for watch in watches {
                watch.look(where: { $0 == getpid() }) { sample in
                    seen[sample.time] = unsafe sample.user.stack.withUnsafeBytes { unsafe [UInt8]($0) }
                }
            }
            sampler.drainAll(into: &records)
            let own = records.samples.filter { $0.pid == getpid() }
            #expect(seen.count > 10 && own.count >= seen.count)
            for (time, stack) in seen { #expect(own.contains { $0.time == time && $0.stack == stack }) }
            var again = 0
            for watch in watches { watch.look(where: { _ in true }) { _ in again += 1 } }
            #expect(again == 0)
        }

        private static func contains(_ part: [UInt8], in stack: [UInt8]) -> Bool {
            for start in stride(from: 0, through: stack.count - part.count, by: 8)
            where stack[start..<start + part.count].elementsEqual(part) {
                return true
            }
            return false
        }
    }
}
