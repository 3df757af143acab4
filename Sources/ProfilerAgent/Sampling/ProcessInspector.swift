internal import LinuxSystem

/// Looks at processes that have samples, soon after the first one, and remembers what it saw, so that a process that
/// ends within its window still has a service.
actor ProcessInspector {
    private struct Known {
        var facts: ProcessFacts
        /// Number of the window that asked last.
        var lastUsed: UInt64
    }

    private var known: [UInt64: Known] = [:]
    private var window: UInt64 = 0
    private var wantsCommandLine: Bool
    /// Processes that are remembered; those not asked for in the longest time go first.
    private static let maximumKnown = 32_768
    /// From so many on, those that no window has asked for lately are forgotten: short-lived ones are 500 bytes each.
    private static let knownBeforeCleaning = 2048
    private static let windowsKept: UInt64 = 4

    init(wantsCommandLine: Bool) {
        self.wantsCommandLine = wantsCommandLine
    }

    func want(commandLine: Bool) { wantsCommandLine = commandLine }

    /// What is known of a process; looks now where it hasn't before.
    ///
    /// One that has gone already takes environment and control group from the one that it came from by fork or exec, or
    /// from its parent, whose children inherit both.
    @discardableResult
    func facts(of process: SampledProcess) -> ProcessFacts {
        if let seen = known[process.serial] {
            known[process.serial]?.lastUsed = window
            return seen.facts
        }
        var facts = process.isKernelThread || process.process <= 0 ? ProcessFacts() : look(at: process)
        if facts == ProcessFacts(), !process.isKernelThread, process.process > 0 {
            facts = known[process.origin]?.facts ?? inherited(from: process.parent)
            facts.program = nil
            facts.commandLine = nil
        }
        known[process.serial] = Known(facts: facts, lastUsed: window)
        return facts
    }

    /// To be called once a window, so that what nobody asks for any more can be forgotten.
    func endWindow() {
        window += 1
        guard known.count > Self.knownBeforeCleaning else { return }
        known = known.filter { $0.value.lastUsed + Self.windowsKept >= window }
        guard known.count > Self.maximumKnown else { return }
        let kept = known.sorted { $0.value.lastUsed > $1.value.lastUsed }.prefix(Self.maximumKnown / 2)
        known = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }

    private func look(at process: SampledProcess) -> ProcessFacts {
        let clock = HostClock.now()
        func isSame() -> Bool {
            guard let status = ProcessStatus.read(process.process) else { return false }
            let start = clock.monotonic(ofBootTicks: status.startTicks)
            let distance = start > process.startTime ? start - process.startTime : process.startTime - start
            return distance <= ProcessTable.startTolerance
        }
        guard isSame() else { return ProcessFacts() }
        var facts = Self.read(process.process)
        if wantsCommandLine { facts.commandLine = Self.commandLine(of: process.process) }
        // The PID may have gone to another process while we read.
        return isSame() ? facts : ProcessFacts()
    }

    private func inherited(from parent: Int32) -> ProcessFacts {
        parent > 1 ? Self.read(parent) : ProcessFacts()
    }

    static func read(_ process: Int32) -> ProcessFacts {
        ProcessFacts(
            environment: ProcessEnvironment.variables(ServiceNames.variables, of: process) ?? [:],
            controlGroup: ControlGroup.read(process)?.path, program: ProcFile.executable(of: process))
    }

    private static func commandLine(of process: Int32) -> String? {
        guard var bytes = ProcFile.read("/proc/\(process)/cmdline", limit: 4096) else { return nil }
        while bytes.last == 0 { bytes.removeLast() }
        return String(decoding: bytes.map { $0 == 0 ? 32 : $0 }, as: UTF8.self)
    }
}
