internal import LinuxSystem
internal import Unwinding

/// Fills a process table from /proc: at the start, and after the kernel lost records of forks, execs or mappings.
enum ProcessScan {
    /// Everything that is there now. What the table knew and is gone is ended.
    static func all(into table: inout ProcessTable, clock: HostClock) {
        let processes = ProcFile.processes()
        for process in processes { one(process, into: &table, clock: clock) }
        let present = Set(processes)
        for process in table.liveProcesses where process > 0 && !present.contains(process) {
            table.vanished(process: process)
        }
    }

    /// One process; answers its slot, or nil where it is gone or the table is full.
    @discardableResult
    static func one(_ process: Int32, into table: inout ProcessTable, clock: HostClock) -> UInt32? {
        guard let status = ProcessStatus.read(process) else { return nil }
        let threads = status.isKernelThread ? [process] : ProcFile.threads(of: process)
        guard
            let slot = table.found(
                process: process, parent: status.parent,
                startTime: clock.monotonic(ofBootTicks: status.startTicks), name: status.command,
                threads: threads.count, isKernelThread: status.isKernelThread)
        else { return nil }
        for thread in threads {
            let name = thread == process ? status.command : ProcFile.command(of: process, thread: thread)
            if let name { table.foundThread(thread, of: process, name: name) }
        }
        guard !status.isKernelThread, let mappings = ProcessMaps.executable(of: process) else { return slot }
        let programPath = ProcFile.executable(of: process)
        var space = AddressSpace()
        var program: UInt32?
        for mapping in mappings {
            let isAnonymous = MappedFile.isAnonymous(path: mapping.path)
            let file =
                isAnonymous
                ? MappedFile.anonymous
                : MappedFile(
                    path: mapping.path, deviceMajor: mapping.deviceMajor, deviceMinor: mapping.deviceMinor,
                    inode: mapping.inode)
            let owner = MappedFileOwner(process: process, start: mapping.start, end: mapping.end)
            let number = table.internFile(file, owner: owner).number
            if program == nil, mapping.path == programPath { program = number }
            let range = CodeMapping(
                start: mapping.start, end: mapping.end, fileOffset: file.isFile ? mapping.fileOffset : 0, file: number)
            _ = space.map(range)
        }
        table.replaceSpace(slot, with: space, program: program)
        return slot
    }
}
