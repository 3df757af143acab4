internal import LanguageRuntimes
internal import LinuxSystem
internal import Logging
internal import Profiles
internal import SymbolSources

/// Makes a profile of a raw window: looks up what its numbers stand for and names it.
actor WindowFinisher {
    private let resolver: ModuleResolver
    private let inspector: ProcessInspector
    private let runtimes: RuntimeNaming
    private var names: ServiceNames
    private var hostLabels: [Label]
    private var kernel: KernelSymbols?
    private var kernelReadAt: ContinuousClock.Instant?
    private let logger: Logger?
    private var hasSaidWhyNoKernel = false

    init(
        resolver: ModuleResolver, inspector: ProcessInspector, names: ServiceNames, hostLabels: [Label],
        runtimes: RuntimeNaming = RuntimeNaming(), logger: Logger? = nil
    ) {
        self.runtimes = runtimes
        self.logger = logger
        self.resolver = resolver
        self.inspector = inspector
        self.names = names
        self.hostLabels = hostLabels
    }

    /// Other rules and labels, from the next window on.
    func use(names: ServiceNames, hostLabels: [Label]) async {
        self.names = names
        self.hostLabels = hostLabels
        await inspector.want(commandLine: names.needsCommandLine)
    }

    func finish(_ raw: RawWindow) async -> NamedWindow {
        readKernelSymbols()
        var used: Set<UInt32> = []
        for frame in raw.table.stacks.frames where frame.kind == .native && frame.module != Frame.none {
            used.insert(frame.module)
        }
        var services: [UInt32: ServiceNames.Answer] = [:]
        for (slot, process) in raw.processes {
            var facts = await inspector.facts(of: process)
            if process.program != ProcessEntry.unknownName {
                used.insert(process.program)
                if facts.program == nil, raw.files.files.indices.contains(Int(process.program)) {
                    facts.program = raw.files.files[Int(process.program)].path
                }
            }
            services[slot] = names.answer(
                for: facts, name: raw.names[process.name], isKernelThread: process.isKernelThread)
        }
        var modules: [UInt32: ResolvedModule] = [:]
        for number in used where raw.files.files.indices.contains(Int(number)) {
            modules[number] = await resolver.resolve(
                raw.files.files[Int(number)], owner: raw.files.owners[Int(number)])
        }
        let runtimeNames = await runtimes.names(of: raw)
        await inspector.endWindow()
        await resolver.endWindow()
        return WindowNaming(
            modules: modules, services: services, kernel: kernel, runtimes: runtimeNames, hostLabels: hostLabels
        ).name(raw)
    }

    /// Modules of the kernel come and go, so the table is read again now and then.
    private func readKernelSymbols() {
        let now = ContinuousClock.now
        if let kernelReadAt, now - kernelReadAt < .seconds(600) { return }
        kernelReadAt = now
        do { kernel = try KernelSymbols.read() } catch {
            if !hasSaidWhyNoKernel { logger?.warning("kernel functions have no names: \(error)") }
            hasSaidWhyNoKernel = true
        }
    }

    /// Reads some memory of the process, no file of it.
    private static func look(
        for kind: InterpreterKind, in process: SampledProcess, _ interpreters: SampledInterpreters
    ) {
        switch kind {
        case .python:
            guard let maps = ProcFile.read("/proc/\(process.process)/maps") else { return }
            let found = PythonProcess.detect(process: process.process, mappings: ProcessMaps.parse(maps))
            if case .python(let python) = found { interpreters.pythons.found(python, serial: process.serial) }
        case .v8:
            // Where it can't be read, doctor says why.
            guard let v8 = try? V8Process(process: process.process) else { return }
            interpreters.v8s.found(v8, serial: process.serial)
        }
    }

    /// Answers what the sampling thread asks, until it has ended; reads the kernel's symbols meanwhile, before the first
    /// window needs them. That takes a moment: interpreters are found at once, their samples are no good before.
    nonisolated func answer(_ questions: AsyncStream<SamplerQuestion>, from thread: SamplingThread) async {
        async let readsKernel: Void = readKernelSymbols()
        // Reading a module may take seconds; a process that is asked about may be gone by then.
        let (modules, modulesIn) = AsyncStream<SamplerQuestion>.makeStream(bufferingPolicy: .bufferingNewest(1024))
        let (runtimes, runtimesIn) = AsyncStream<SamplerQuestion>.makeStream(bufferingPolicy: .bufferingNewest(256))
        let (interpreters, interpretersIn) = AsyncStream<SamplerQuestion>.makeStream(
            bufferingPolicy: .bufferingNewest(4096))
        async let readsInterpreters: Void = {
            for await question in interpreters { await answer(question, thread) }
        }()
        async let readsModules: Void = {
            for await question in modules { await answer(question, thread) }
        }()
        async let readsRuntimes: Void = {
            for await question in runtimes { await answer(question, thread) }
        }()
        for await question in questions {
            switch question {
            case .process: await answer(question, thread)
            case .interpreter: interpretersIn.yield(question)
            case .file, .unwindSections: modulesIn.yield(question)
            case .runtime: runtimesIn.yield(question)
            }
        }
        interpretersIn.finish()
        modulesIn.finish()
        runtimesIn.finish()
        await readsInterpreters
        await readsModules
        await readsRuntimes
        await readsKernel
    }

    private nonisolated func answer(_ question: SamplerQuestion, _ thread: SamplingThread) async {
        switch question {
        case .process(let process): await inspector.facts(of: process)
        case .file(let file, let owner): await resolver.resolve(file, owner: owner)
        case .interpreter(let process, let kind): Self.look(for: kind, in: process, thread.interpreters)
        case .unwindSections(let file, let owner, let number, let numbering):
            let table = await resolver.unwindTable(of: file, owner: owner)
            thread.unwindTables.put(UnwindTableAnswer(file: number, numbering: numbering, table: table))
        case .runtime(let process, let slot, let places):
            await self.runtimes.look(at: process, slot: slot, places: places)
        }
    }
}
