import Glibc
import Testing
import Unwinding

@testable import ProfilerAgent

@Suite struct ProcessTableTests {
    private func table() -> ProcessTable {
        var table = ProcessTable()
        let file = table.internFile(
            MappedFile(path: "/bin/sh"), owner: MappedFileOwner(process: 10, start: 0x1000, end: 0x2000)
        ).number
        _ = table.found(process: 10, parent: 1, startTime: 5, name: "sh", threads: 1, isKernelThread: false)
        table.foundThread(10, of: 10, name: "sh")
        table.mapped(
            process: 10, range: CodeMapping(start: 0x1000, end: 0x2000, fileOffset: 0, file: file), isFile: true)
        return table
    }

    private func find(_ table: ProcessTable, _ process: Int32) -> ProcessEntry? {
        table.slot(of: process).map { table.entries[Int($0)] }
    }

    @Test func `a fork begins with its parent's mappings, name and target mark`() throws {
        var table = table()
        table.markTarget(try #require(table.slot(of: 10)))
        table.forked(process: 11, thread: 11, parentProcess: 10, parentThread: 10, time: 100)
        let child = try #require(find(table, 11))
        #expect(child.space.range(holding: 0x1800)?.file == 1)
        #expect(table.names[child.name] == "sh" && child.isTarget && child.parent == 10)
        #expect(child.origin == find(table, 10)?.serial)
    }

    @Test func `an exec clears mappings and begins another entry of the same process`() throws {
        var table = table()
        let before = try #require(table.slot(of: 10))
        table.markTarget(before)
        let slot = table.named(process: 10, thread: 10, name: "cc1", isExec: true, time: 200)
        #expect(slot != before && table.slot(of: 10) == slot)
        let entry = try #require(find(table, 10))
        #expect(entry.space.ranges.isEmpty && entry.isTarget && entry.startTime == 5)
        #expect(entry.program == ProcessEntry.unknownName)
        // What was sampled before keeps its program until the window closes.
        #expect(table.entries[Int(before)].space.ranges.count == 1)
    }

    @Test func `a PID used again is another process`() throws {
        var table = table()
        let before = try #require(find(table, 10))
        table.exited(process: 10, thread: 10)
        table.forked(process: 10, thread: 10, parentProcess: 1, parentThread: 1, time: 900)
        let after = try #require(find(table, 10))
        #expect(after.serial != before.serial && after.space.ranges.isEmpty)
    }

    @Test func `a process found again with the same start keeps its entry, with another start it does not`() {
        var table = table()
        let first = table.slot(of: 10)
        let again = table.found(
            process: 10, parent: 1, startTime: 9_000_000, name: "sh", threads: 1, isKernelThread: false)
        #expect(again == first)
        let other = table.found(
            process: 10, parent: 1, startTime: 900_000_000, name: "sh", threads: 1, isKernelThread: false)
        #expect(other != first)
    }

    @Test func `an exited process stays until the window closes and is gone afterwards`() {
        var table = table()
        table.exited(process: 10, thread: 10)
        #expect(find(table, 10)?.isEnded == true && table.threads[10] != nil)
        table.closeWindow()
        #expect(table.slot(of: 10) == nil && table.threads[10] == nil)
    }

    @Test func `a process lives until its last thread exits`() {
        var table = table()
        table.forked(process: 10, thread: 12, parentProcess: 10, parentThread: 10, time: 100)
        table.exited(process: 10, thread: 10)
        #expect(find(table, 10)?.isEnded == false)
        table.exited(process: 10, thread: 12)
        #expect(find(table, 10)?.isEnded == true)
    }

    @Test func `thread names are folded, process names are not`() throws {
        var table = table()
        table.forked(process: 10, thread: 12, parentProcess: 10, parentThread: 10, time: 100)
        table.named(process: 10, thread: 12, name: "worker-17", isExec: false, time: 101)
        table.named(process: 10, thread: 10, name: "sh2", isExec: false, time: 102)
        #expect(table.names[try #require(table.threads[12]?.name)] == "worker-#")
        #expect(table.names[try #require(find(table, 10)?.name)] == "sh2")
        #expect(table.names[try #require(table.threads[10]?.name)] == "sh#")
    }

    @Test func `a storm of short processes leaves the table as small as it was`() {
        var table = table()
        for window in 0..<20 {
            for number in 0..<1000 {
                let process = Int32(1000 + number)
                let time = UInt64(window * 1_000_000 + number)
                table.forked(process: process, thread: process, parentProcess: 10, parentThread: 10, time: time)
                table.named(process: process, thread: process, name: "p\(window)-\(number)", isExec: true, time: time)
                table.exited(process: process, thread: process)
            }
            table.closeWindow()
        }
        #expect(table.entries.count <= 2001)
        #expect(table.threads.count == 1)
        #expect(table.names.names.count <= ProcessTable.namesBeforeCleaning + 2000)
    }

    @Test func `forgetting files renumbers what live processes have mapped`() throws {
        var table = ProcessTable()
        for number in 0..<(ProcessTable.filesBeforeCleaning + 10) {
            _ = table.internFile(
                MappedFile(path: "/tmp/\(number)"), owner: MappedFileOwner(process: 1, start: 0, end: 1))
        }
        _ = table.found(process: 7, parent: 1, startTime: 5, name: "x", threads: 1, isKernelThread: false)
        table.mapped(process: 7, range: CodeMapping(start: 1, end: 2, fileOffset: 0, file: 16_000), isFile: true)
        table.closeWindow()
        #expect(table.files.files.map(\.path) == ["[anon]", "/tmp/15999"])
        let entry = try #require(find(table, 7))
        #expect(entry.space.ranges.first?.file == 1 && entry.program == 1)
    }

    @Test func `the scan of this host knows this process, its program and its mappings`() throws {
        var table = ProcessTable()
        ProcessScan.all(into: &table, clock: .now())
        let own = try #require(find(table, getpid()))
        #expect(own.parent == getppid() && !own.isKernelThread)
        let program = table.files.files[Int(own.program)]
        #expect(program.path.hasPrefix("/"))
        #expect(own.space.ranges.contains { table.files.files[Int($0.file)].path == "[vdso]" })
        #expect(find(table, 2)?.isKernelThread == true)
    }
}
