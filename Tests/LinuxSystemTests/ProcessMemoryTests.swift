import Glibc
import LinuxSystem
import Testing

@Suite struct ProcessMemoryTests {
    private let memory = ProcessMemory(process: getpid())

    /// Two pages of which only the first can be read.
    private func halfReadable() throws -> UInt64 {
        let start = try #require(unsafe mmap(nil, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        unsafe memset(start, 7, 4096)
        unsafe mprotect(start.advanced(by: 4096), 4096, PROT_NONE)
        return UInt64(UInt(bitPattern: start))
    }

    @Test func `bytes and words are those of the process`() throws {
        let address = try halfReadable()
        #expect(try memory.bytes(at: address, count: 3) == [7, 7, 7])
        #expect(try memory.word(at: address) == 0x0707_0707_0707_0707)
        #expect(try memory.bytes(at: address, count: 0) == [])
    }

    @Test func `several ranges are read at once`() throws {
        let address = try halfReadable()
        var bytes = [UInt8](repeating: 1, count: 10)
        let ranges = [MemoryRange(address: address, byteCount: 2), MemoryRange(address: address + 4000, byteCount: 3)]
        #expect(try memory.read(ranges, into: &bytes, at: 1) == 5)
        #expect(bytes == [1, 7, 7, 7, 7, 7, 1, 1, 1, 1])
    }

    @Test func `what ends at a page that can't be read is short`() throws {
        let address = try halfReadable()
        #expect(throws: ProcessMemoryError.short(process: getpid(), address: address + 4090, wanted: 16, read: 6)) {
            try memory.bytes(at: address + 4090, count: 16)
        }
        var bytes = [UInt8](repeating: 0, count: 64)
        let ranges = [
            MemoryRange(address: address, byteCount: 8), MemoryRange(address: address + 4096, byteCount: 8),
            MemoryRange(address: address, byteCount: 8),
        ]
        #expect(try memory.read(ranges, into: &bytes) == 8)
    }

    @Test func `what can't be read at all is an error`() throws {
        let address = try halfReadable() + 4096
        #expect(throws: ProcessMemoryError.unreadable(process: getpid(), address: address)) {
            try memory.bytes(at: address, count: 8)
        }
        #expect(throws: ProcessMemoryError.unreadable(process: getpid(), address: 0)) { try memory.word(at: 0) }
        #expect(throws: ProcessMemoryError.self) { try memory.bytes(at: .max - 3, count: 8) }
    }

    @Test func `a process that has ended is gone`() throws {
        var child: pid_t = 0
        let status = unsafe posix_spawn(&child, "/bin/true", nil, nil, [nil], environ)
        try #require(status == 0)
        _ = waitpid(child, nil, 0)
        #expect(throws: ProcessMemoryError.gone(process: child)) {
            try ProcessMemory(process: child).word(at: 0x1000)
        }
    }

    @Test func `more than the limits is refused`() throws {
        #expect(throws: ProcessMemoryError.self) { try memory.bytes(at: 0x1000, count: ProcessMemory.maximumBytes + 1) }
        #expect(throws: ProcessMemoryError.self) { try memory.bytes(at: 0x1000, count: -1) }
        var bytes = [UInt8](repeating: 0, count: 4)
        let range = MemoryRange(address: 0x1000, byteCount: 8)
        #expect(throws: ProcessMemoryError.overLimit(byteCount: 8, limit: 4)) { try memory.read([range], into: &bytes) }
        let many = [MemoryRange](repeating: MemoryRange(address: 0x1000, byteCount: 0), count: 1025)
        #expect(throws: ProcessMemoryError.overLimit(byteCount: 1025, limit: 1024)) {
            try memory.read(many, into: &bytes)
        }
        #expect(throws: ProcessMemoryError.self) {
            try memory.read([MemoryRange(address: 0x1000, byteCount: .max), range], into: &bytes)
        }
    }
}
