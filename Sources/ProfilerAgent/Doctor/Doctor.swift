internal import CLinux
public import Formats
internal import Glibc
internal import LinuxSystem
internal import PerfEvents
public import Settings
internal import SymbolSources

/// Says what can be sampled on this host and how well, and what to change to make it better.
public enum Doctor {
    /// Everything the checks look at, so that they can be tested without the host.
    struct Findings {
        var kernelRelease: String
        var probe: SamplingProbe
        var rights: CapabilitySet
        var isRoot: Bool
        /// Functions in the kernel's own table; nil with the reason where it can't be used.
        var kernelFunctions: Result<Int, KernelSymbolsError>
        var hasTypeFormat: Bool
        var containers: ContainerFindings
        var onlineCPUs: Int
        /// Running programs that compile or interpret code at run time.
        var runtimes: [RuntimeFinding]
        var debugServers: [DebugServer]
        /// Where there are servers to ask: whether the library that asks them is there.
        var canFetch: Bool
    }

    public static func examine(debugServers: [DebugServer]) -> DoctorAnswer { answer(look(debugServers)) }

    static func look(_ debugServers: [DebugServer]) -> Findings {
        let symbols: Result<Int, KernelSymbolsError>
        do throws(KernelSymbolsError) { symbols = .success(try KernelSymbols.read().count) } catch {
            symbols = .failure(error)
        }
        return Findings(
            kernelRelease: KernelRelease.current(), probe: .run(), rights: .effective(), isRoot: geteuid() == 0,
            kernelFunctions: symbols, hasTypeFormat: unsafe access("/sys/kernel/btf/vmlinux", R_OK) == 0,
            containers: .look(), onlineCPUs: CPUList.online()?.count ?? 1, runtimes: RuntimeFinding.look(),
            debugServers: debugServers, canFetch: debugServers.isEmpty || linux_can_fetch() != 0)
    }

    static func answer(_ found: Findings) -> DoctorAnswer {
        let probe = found.probe
        var checks = [kernel(found), sampling(found), clock(probe), paranoia(probe)]
        checks += rights(found)
        checks += buffers(found)
        checks += [
            feature(
                "build_id", probe.buildIDs, "build IDs come with the kernel's records of mappings",
                without: "programs that end at once may stay without names", since: "5.12"),
            feature(
                "cgroup", probe.cgroups, "records of new control groups are there",
                without: "control groups are read from /proc alone", since: "5.7"),
            feature(
                "lost_counts", probe.lostCounts, "the kernel counts lost records beside each event",
                without: "losses are known only when the ring has room again", since: "6.0"),
            kernelNames(found), typeFormat(found), found.containers.check(), symbols(), debugInformation(),
            debuginfod(found),
        ]
        checks += RuntimeFinding.checks(found.runtimes)
        return DoctorAnswer(canSample: probe.wholeHost || probe.ownProcesses, checks: checks)
    }

    private typealias Check = DoctorAnswer.Check

    // MARK: Checks

    private static func kernel(_ found: Findings) -> Check {
        let numbers = found.kernelRelease.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        let isOld = numbers.count == 2 && (numbers[0], numbers[1]) < (5, 4)
        return Check(
            name: "kernel", state: isOld ? .limited : .ok, detail: "Linux \(found.kernelRelease)",
            remedy: isOld ? "use Linux 5.4 or newer; nothing older is tested" : nil)
    }

    private static func sampling(_ found: Findings) -> Check {
        let probe = found.probe
        if probe.wholeHost {
            return Check(name: "sampling", state: .ok, detail: "every process of this host can be sampled")
        }
        let remedy =
            "run as root, or give the program the right: setcap cap_perfmon,cap_sys_ptrace+ep perf-agent, or set"
            + " /proc/sys/kernel/perf_event_paranoid to 0"
        if probe.ownProcesses {
            return Check(
                name: "sampling", state: .limited,
                detail: "only processes of this user can be sampled"
                    + (probe.kernelFrames ? "" : ", without kernel frames"), remedy: remedy)
        }
        return Check(name: "sampling", state: .missing, detail: "the kernel lets nothing be sampled", remedy: remedy)
    }

    private static func clock(_ probe: SamplingProbe) -> Check {
        probe.hardwareCycles
            ? Check(name: "pmu", state: .ok, detail: "cpu-clock ticks, and a hardware counter of cycles is there")
            : Check(
                name: "pmu", state: .limited,
                detail: "no hardware counters here (a virtual machine's usual state); cpu-clock stands in, CPU profiles"
                    + " are complete without them",
                remedy: "let the hypervisor pass the PMU on if cycles or cache misses are wanted")
    }

    private static func paranoia(_ probe: SamplingProbe) -> Check {
        guard let value = probe.paranoid else {
            return Check(
                name: "perf_event_paranoid", state: .missing,
                detail: "/proc/sys/kernel/perf_event_paranoid is not there",
                remedy: "use a kernel with CONFIG_PERF_EVENTS")
        }
        let mayPass = value <= 0 || probe.isRoot || probe.hasPerformanceMonitoring
        return Check(
            name: "perf_event_paranoid", state: mayPass ? .ok : .limited,
            detail: "perf_event_paranoid is \(value)"
                + (value > 0 && mayPass ? ", which does not bind root or CAP_PERFMON" : ""),
            remedy: mayPass ? nil : "sysctl kernel.perf_event_paranoid=0, or give CAP_PERFMON")
    }

    private static func rights(_ found: Findings) -> [Check] {
        let wanted: [(name: String, right: CapabilitySet, lost: String)] = [
            ("CAP_PERFMON", .performanceMonitoring, "sampling the whole host at perf_event_paranoid above 0"),
            (
                "CAP_SYS_PTRACE", .traceProcesses,
                "files, environment and mappings of other users' processes: their functions and services have no names"
            ),
            (
                "CAP_CHECKPOINT_RESTORE", .checkpointRestore,
                "programs and libraries that were deleted or replaced while they run (needs CAP_SYS_PTRACE and"
                    + " CAP_DAC_READ_SEARCH besides)"
            ),
            ("CAP_DAC_READ_SEARCH", .readSearch, "programs and libraries that only their owner may read"),
            ("CAP_SYSLOG", .systemLog, "names of kernel functions at kptr_restrict 1 or perf_event_paranoid 2"),
        ]
        return wanted.map { wanted in
            let covered =
                found.rights.contains(wanted.right)
                || (found.rights.contains(.administer)
                    && (wanted.right == .performanceMonitoring || wanted.right == .checkpointRestore))
            return Check(
                name: wanted.name, state: covered ? .ok : .limited,
                detail: covered ? "there" : "not there; lost without it: \(wanted.lost)",
                remedy: covered
                    ? nil
                    : "setcap \(wanted.name.lowercased())+ep perf-agent, or AmbientCapabilities=\(wanted.name) in its unit"
            )
        }
    }

    private static func buffers(_ found: Findings) -> [Check] {
        let probe = found.probe
        let kilobytes = probe.lockedKilobytesPerCPU
        // Two rings a CPU at 100 Hz take well below this.
        let suffices = (kilobytes ?? 0) >= 256 || probe.isRoot || found.rights.contains(.lockMemory)
        let stack = probe.maximumCallChain ?? 0
        return [
            Check(
                name: "mlock_kb", state: suffices ? .ok : .limited,
                detail: "perf_event_mlock_kb is \(kilobytes.map(String.init) ?? "unreadable") for each CPU",
                remedy: suffices ? nil : "sysctl kernel.perf_event_mlock_kb=516, or give CAP_IPC_LOCK"),
            Check(
                name: "max_stack", state: stack >= 127 ? .ok : .limited,
                detail: "perf_event_max_stack is \(probe.maximumCallChain.map(String.init) ?? "unreadable"); deeper"
                    + " stacks end in [truncated]",
                remedy: stack >= 127
                    ? (stack < 512 ? "sysctl kernel.perf_event_max_stack=1024 keeps deeper stacks" : nil)
                    : "sysctl kernel.perf_event_max_stack=127"),
            Check(
                name: "max_sample_rate", state: (probe.maximumSampleRate ?? 0) >= 1000 ? .ok : .limited,
                detail: "perf_event_max_sample_rate is \(probe.maximumSampleRate.map(String.init) ?? "unreadable")",
                remedy: (probe.maximumSampleRate ?? 0) >= 1000
                    ? nil
                    : "sysctl kernel.perf_event_max_sample_rate=100000 (the kernel lowers it when sampling is slow)"),
        ]
    }

    private static func feature(
        _ name: String, _ isThere: Bool, _ detail: String, without: String, since: String
    ) -> Check {
        Check(
            name: name, state: isThere ? .ok : .limited, detail: isThere ? detail : "not there; \(without)",
            remedy: isThere ? nil : "use Linux \(since) or newer")
    }

    private static func kernelNames(_ found: Findings) -> Check {
        switch found.kernelFunctions {
        case .success(let count): Check(name: "kallsyms", state: .ok, detail: "\(count) kernel functions have names")
        case .failure(let error):
            Check(
                name: "kallsyms", state: .limited, detail: "kernel functions stay without names: \(error)",
                remedy: "give CAP_SYSLOG, or sysctl kernel.kptr_restrict=0")
        }
    }

    private static func typeFormat(_ found: Findings) -> Check {
        found.hasTypeFormat
            ? Check(name: "btf", state: .ok, detail: "/sys/kernel/btf/vmlinux describes the kernel's types")
            : Check(
                name: "btf", state: .limited, detail: "no BTF; nothing that is measured today needs it",
                remedy: "use a kernel with CONFIG_DEBUG_INFO_BTF for later types of profiles")
    }

    private static func symbols() -> Check {
        Check(
            name: "symbols", state: .limited,
            detail:
                "functions are named by .symtab, .gnu_debugdata and .dynsym; stripped programs without debug files show"
                + " the functions that they export",
            remedy: "install or keep symbol tables of your own programs (build without -s)")
    }

    private static func debugInformation() -> Check {
        Check(
            name: "debug_information", state: .ok,
            detail: "source lines and inlined functions come from the DWARF of a program, or of its debug file in"
                + " \(DebugFileSearch.directory) or beside it",
            remedy: "build your own programs with -g, and install the -dbgsym packages of others")
    }

    private static func debuginfod(_ found: Findings) -> Check {
        let name = "debuginfod"
        guard !found.debugServers.isEmpty else {
            return Check(
                name: name, state: .ok, detail: "no server is asked for debug files that this host does not have",
                remedy:
                    "DEBUGINFOD_URLS or symbols.debuginfod name some, as https://debuginfod.debian.net; they learn the"
                    + " build IDs of programs without debug information")
        }
        let servers = found.debugServers.map(\.description).joined(separator: ", ")
        guard found.canFetch else {
            return Check(
                name: name, state: .limited, detail: "can't ask \(servers): libcurl is not there",
                remedy: "install libcurl4 (libcurl.so.4)")
        }
        return Check(
            name: name, state: .ok, detail: "asked for debug files that this host does not have: \(servers)")
    }
}

/// The running kernel's version, as uname -r prints it.
enum KernelRelease {
    static func current() -> String {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return "unknown" }
        return unsafe withUnsafeBytes(of: &names.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
