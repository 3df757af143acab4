internal import Formats
internal import LanguageRuntimes
internal import LinuxSystem

/// Running programs that compile or interpret code at run time, and what would make their stacks better.
struct RuntimeFinding: Hashable, Sendable {
    /// As the check is named: java, node, python; the program's name for what is not known.
    var name: String
    /// nil for a runtime that nothing is known of.
    var advice: RuntimeAdvice?
    var processes: [Int32]

    /// Of so many processes the maps are read.
    private static let mostProcesses = 4096
    private static let optionVariables = ["NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"]
    private static let otherRuntimes = ["ruby", "php", "dotnet", "beam.smp", "luajit"]

    /// Looks at every process.
    static func look() -> [RuntimeFinding] {
        var found: [RuntimeFinding] = []
        for process in ProcFile.processes().prefix(mostProcesses) {
            guard let program = ProcFile.executable(of: process) else { continue }
            let name = program.split(separator: "/").last.map(String.init) ?? program
            let advice = facts(of: process, program: program).flatMap(RuntimeAdvice.about)
            let known = advice?.runtime.rawValue
            guard let shown = known ?? (otherRuntimes.contains { name.hasPrefix($0) } ? name : nil) else { continue }
            if let index = found.firstIndex(where: { $0.name == shown && $0.advice == advice }) {
                found[index].processes.append(process)
            } else {
                found.append(RuntimeFinding(name: shown, advice: advice, processes: [process]))
            }
        }
        return found.sorted { ($0.name, $0.processes.first ?? 0) < ($1.name, $1.processes.first ?? 0) }
    }

    private static func facts(of process: Int32, program: String) -> RuntimeAdvice.Facts? {
        guard let mappings = ProcessMaps.executable(of: process) else { return nil }
        let hasJVM = mappings.contains { $0.path.hasSuffix("/libjvm.so") }
        let arguments = (ProcFile.read("/proc/\(process)/cmdline", limit: 1 << 16) ?? []).split(
            separator: 0, omittingEmptySubsequences: false
        ).map { String(decoding: $0, as: UTF8.self) }
        return RuntimeAdvice.Facts(
            program: program, arguments: arguments,
            environment: ProcessEnvironment.variables(optionVariables, of: process) ?? [:], hasJVM: hasJVM,
            hasV8Symbols: mappings.contains { V8Process.mayHoldV8($0.path) }
                && (try? V8Process(process: process)) != nil,
            hasJVMTables: hasJVM && (try? JVMReader(process: process)) != nil)
    }

    static func checks(_ found: [RuntimeFinding]) -> [DoctorAnswer.Check] {
        guard !found.isEmpty else {
            return [
                DoctorAnswer.Check(
                    name: "runtimes", state: .ok, detail: "no interpreter or JIT compiler is seen to run")
            ]
        }
        return found.map(\.check)
    }

    private var check: DoctorAnswer.Check {
        let shown = processes.prefix(5).map(String.init).joined(separator: ", ")
        let place = "\(name) (\(shown)\(processes.count > 5 ? " and \(processes.count - 5) more" : ""))"
        guard let advice else {
            return DoctorAnswer.Check(
                name: "runtimes", state: .limited,
                detail:
                    "\(place): frames of the runtime's own machine code have names, functions of the language have none"
                    + " unless the runtime writes a perf map")
        }
        guard !advice.flags.isEmpty else {
            return DoctorAnswer.Check(
                name: "runtimes", state: .ok, detail: "\(place): \(advice.given); \(advice.gain)")
        }
        return DoctorAnswer.Check(
            name: "runtimes", state: .limited, detail: "\(place): \(advice.given)",
            remedy: "start it with \(advice.flags.joined(separator: " ")): \(advice.gain)")
    }
}
