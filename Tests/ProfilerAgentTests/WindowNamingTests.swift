import Profiles
import SymbolSources
import Testing
import Unwinding

@testable import ProfilerAgent

@Suite struct WindowNamingTests {
    /// Two processes of one program, one of another, over one window table.
    private func raw() -> RawWindow {
        var table = ProcessTable()
        let owner = MappedFileOwner(process: 10, start: 0x1000, end: 0x2000)
        let file = table.internFile(MappedFile(path: "/bin/app"), owner: owner).number
        let range = CodeMapping(start: 0x1000, end: 0x2000, fileOffset: 0x400, file: file)
        for process in [Int32(10), 11, 12] {
            let name = process == 12 ? "other" : "app"
            _ = table.found(process: process, parent: 1, startTime: 5, name: name, threads: 1, isKernelThread: false)
            if process != 12 { table.mapped(process: process, range: range, isFile: true) }
        }
        let thread = table.name("worker-#")
        var window = WindowTable(maximumNodes: 1000, maximumDepth: 16)
        var processes: [UInt32: SampledProcess] = [:]
        let kernel = UInt64(bitPattern: -128)
        let user = UInt64(bitPattern: -512)
        for (process, count) in [(Int32(10), 3), (11, 2), (12, 1)] {
            guard let slot = table.slot(of: process) else { continue }
            let entry = table.entries[Int(slot)]
            processes[slot] = SampledProcess(entry)
            let chain = [kernel, 0xFFFF_FFFF_8100_0010, user, 0x1800]
            var stack = SampledStack()
            for _ in 0..<count {
                stack.begin(kernelFramesOf: chain.span, isFull: process == 11)
                stack.addUserFrames(of: chain.span, space: entry.space, slot: slot)
                _ = window.add(
                    slot: slot, processName: entry.name, threadName: thread, stack: stack, weight: 100)
            }
        }
        return RawWindow(
            range: TimeRange(start: Timestamp(seconds: 10), end: Timestamp(seconds: 20)), samplesPerSecond: 100,
            table: window, processes: processes, names: table.names, files: table.files, ledger: Ledger())
    }

    private func naming() throws -> WindowNaming {
        let text = "ffffffff81000000 T do_work\nffffffff81000100 T after\n"
        let answer = ServiceNames.Answer(service: "web", version: "", labels: [Label(name: "container", value: "c")])
        return WindowNaming(
            modules: [
                1: ResolvedModule(
                    module: Module(identity: ModuleIdentity(kind: .buildID, bytes: [0xAB, 0x01]), name: "/bin/app"),
                    loadSegments: [
                        LoadSegment(fileOffset: 0, fileSize: 0x2000, virtualAddress: 0x40_0000, isExecutable: true)
                    ])
            ], services: [0: answer, 1: answer], kernel: try KernelSymbols(parsing: Array(text.utf8)),
            hostLabels: [Label(name: "zone", value: "a"), Label(name: "container", value: "host's")])
    }

    @Test func `processes of one service add up, and counts and weights are conserved`() throws {
        let series = try naming().name(raw()).series
        #expect(series.map(\.key.service) == ["other", "web"])
        #expect(series.map(\.stacks.sampleCount) == [1, 5] && series.map(\.stacks.totalWeight) == [100, 500])
        #expect(series[1].quality == StackQuality(whole: nil, cut: 2, broken: nil))
        #expect(series.allSatisfy { $0.stacks.nodes == $0.stacks.nodes.sorted() })
    }

    @Test func `the version is the program's build ID, and a process's own label wins over the host's`() throws {
        let series = try naming().name(raw()).series
        #expect(series[1].key.version == "ab01")
        #expect(series[1].key.labels == [Label(name: "container", value: "c"), Label(name: "zone", value: "a")])
    }

    @Test func `frames get the file's own addresses and the kernel's names`() throws {
        let named = try naming().name(raw())
        let (stacks, series) = (named.stacks, named.series)
        let node = try #require(series[1].stacks.nodes.first { stacks.stack(of: $0).count == 4 })
        let frames = stacks.stack(of: node)
        #expect(frames.map(\.kind) == [.process, .thread, .native, .kernel])
        #expect(frames[2].address == 0x40_0C00)
        #expect(stacks.strings[Int(frames[3].name)] == "do_work")
        #expect(stacks.modules[Int(frames[2].module)].identity.kind == .buildID)
    }

    @Test func `a file that can't be read keeps its path and offsets, without symbols no kernel frame is lost`() {
        let naming = WindowNaming(modules: [:], services: [:], kernel: nil, hostLabels: [])
        let named = naming.name(raw())
        let (stacks, series) = (named.stacks, named.series)
        #expect(series.reduce(0) { $0 + $1.stacks.sampleCount } == 6)
        #expect(stacks.modules.contains(Module(identity: .name, name: "/bin/app")))
        #expect(stacks.strings.contains(WindowNaming.unknownKernelFunction))
    }
}

@Suite struct HostClockTests {
    @Test func `a boundary lies at the wall clock's next whole multiple`() {
        let clock = HostClock(wallOffset: 1_700_000_003_000_000_000, bootOffset: 500)
        let boundary = clock.nextBoundary(after: 1_000_000_000, every: .seconds(10))
        #expect(clock.wall(boundary).nanoseconds == 1_700_000_010_000_000_000)
        #expect(clock.nextBoundary(after: boundary, every: .seconds(10)) == boundary + 10_000_000_000)
        #expect(clock.monotonic(clock.wall(77)) == 77)
    }
}
