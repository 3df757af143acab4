/// What a process with a language runtime lacks for whole, named stacks, and which flag brings it.
public struct RuntimeAdvice: Hashable, Sendable {
    public enum Runtime: String, Hashable, Sendable {
        case node, java, python
    }

    /// What is known of a process.
    public struct Facts: Hashable, Sendable {
        /// The program's path.
        public var program: String
        /// Its arguments, the program's name first.
        public var arguments: [String]
        /// Variables that hold options: NODE_OPTIONS, JAVA_TOOL_OPTIONS, JDK_JAVA_OPTIONS, _JAVA_OPTIONS.
        public var environment: [String: String]
        /// libjvm.so is mapped.
        public var hasJVM: Bool
        /// V8's objects can be read (`V8Process` opens).
        public var hasV8Symbols: Bool
        /// The JVM's tables can be read (`JVMReader` opens).
        public var hasJVMTables: Bool

        public init(
            program: String, arguments: [String], environment: [String: String] = [:], hasJVM: Bool = false,
            hasV8Symbols: Bool = false, hasJVMTables: Bool = false
        ) {
            self.program = program
            self.arguments = arguments
            self.environment = environment
            self.hasJVM = hasJVM
            self.hasV8Symbols = hasV8Symbols
            self.hasJVMTables = hasJVMTables
        }
    }

    public var runtime: Runtime
    /// What is there without doing anything.
    public var given: String
    /// Flags to start it with for more, in order; empty where nothing is missing.
    public var flags: [String]
    /// What the flags bring, and cost.
    public var gain: String

    /// nil where the process runs no runtime that is known here.
    public static func about(_ facts: Facts) -> RuntimeAdvice? {
        let name = facts.program.split(separator: "/").last.map(String.init) ?? facts.program
        let options =
            facts.arguments.dropFirst()
            + ["NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"].flatMap {
                (facts.environment[$0] ?? "").split(separator: " ").map(String.init)
            }
        func has(_ flag: String) -> Bool {
            // node takes dashes and underscores alike.
            options.contains { $0 == flag || $0.replacing("_", with: "-") == flag }
        }
        if facts.hasJVM {
            return java(has, facts)
        }
        if facts.hasV8Symbols || name == "node" || name == "nodejs" {
            return node(has, facts)
        }
        if isPython(name) {
            return RuntimeAdvice(
                runtime: .python, given: "functions, files and lines of Python, read from the interpreter", flags: [],
                gain: "nothing is missing; -X perf is not needed")
        }
        return nil
    }

    private static func java(_ has: (String) -> Bool, _ facts: Facts) -> RuntimeAdvice {
        var advice = RuntimeAdvice(runtime: .java, given: "", flags: [], gain: "")
        if facts.hasJVMTables {
            advice.given = "whole stacks; methods, inlined ones too, and lines, read from the code cache"
            if !has("-XX:+DebugNonSafepoints") {
                advice.flags = ["-XX:+UnlockDiagnosticVMOptions", "-XX:+DebugNonSafepoints"]
                advice.gain = "exact lines and inlined methods of leaf frames; without it those of the next safepoint"
            } else {
                advice.gain = "nothing is missing"
            }
        } else {
            advice.given =
                "the code cache can't be read; names come from a perf map where the JVM writes one: jcmd PID"
                + " Compiler.perfmap (JDK 17 and later), or jvm_attach: true in agent.yaml, which asks a HotSpot for it"
            if !has("-XX:+PreserveFramePointer") {
                advice.flags = ["-XX:+PreserveFramePointer"]
                advice.gain = "whole stacks through compiled methods, for 1 to 3 % of their speed"
            } else {
                advice.gain = "nothing more can be done by flags"
            }
        }
        return advice
    }

    private static func node(_ has: (String) -> Bool, _ facts: Facts) -> RuntimeAdvice {
        var advice = RuntimeAdvice(runtime: .node, given: "whole stacks", flags: [], gain: "")
        let missing = "functions that V8 has compiled into their callers are missing: V8 does not tell of them"
        let hasMap = has("--perf-basic-prof")
        if facts.hasV8Symbols {
            advice.given += "; functions of JavaScript with file and first line, read when a sample is taken"
            advice.gain =
                hasMap
                ? missing
                : "--perf-basic-prof would add names of WebAssembly and of V8's stubs, for a file in /tmp that grows; "
                    + missing
            return advice
        }
        advice.given += "; V8's objects can't be read here, names come from a perf map"
        if !hasMap { advice.flags.append("--perf-basic-prof") }
        if !has("--interpreted-frames-native-stack") { advice.flags.append("--interpreted-frames-native-stack") }
        advice.gain =
            advice.flags.isEmpty
            ? missing
            : "each function by its own name; a file in /tmp that grows; functions compiled into their callers"
                + " stay missing"
        return advice
    }

    /// python, python3, python3.12.
    private static func isPython(_ name: String) -> Bool {
        name.hasPrefix("python") && name.dropFirst(6).allSatisfy { $0.isNumber || $0 == "." }
    }
}
