public import Analysis
internal import Profiles

/// The Firefox profiler's processed format in version 48 (firefox-devtools/profiler, src/types/profile.js and
/// docs-developer/CHANGELOG-formats.md of that version), in which every thread has tables of its own; newer profilers
/// upgrade it when they load it.
///
/// A thread of ours, all of its kind on all hosts added up, becomes a thread there. Samples that were added up have no
/// times, so they stand one behind the other, evenly, over the range.
public struct FirefoxProfile {
    static let version = 48
    /// Wants to be there, and grey.
    private static let categories: [(name: String, color: String)] = [
        ("Other", "grey"), ("Native", "blue"), ("Kernel", "orange"), ("JIT", "green"), ("Interpreted", "yellow"),
    ]

    private let tree: CallTree
    private let profile: NamedProfile
    private let libraries: [String]
    private let libraryIndex: [String: Int]

    /// - Parameter name: what the profiler shows as the product.
    public static func file(of profile: NamedProfile, name: String) -> [UInt8] {
        var writer = JSONWriter()
        FirefoxProfile(profile).write(to: &writer, name: name)
        return writer.bytes + [0x0A]
    }

    private init(_ profile: NamedProfile) {
        self.profile = profile
        tree = profile.callTree(withThreads: true, byLine: true)
        libraries = Set(tree.frames.map(\.module)).subtracting([""]).sorted()
        libraryIndex = Dictionary(uniqueKeysWithValues: libraries.enumerated().map { ($1, $0) })
    }

    /// Milliseconds since 1970, or of a span.
    private static func milliseconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1e6 }

    private func write(to writer: inout JSONWriter, name: String) {
        writer.beginObject()
        writer.key("meta")
        writer.object {
            let rate = profile.sampleCount > 0 ? Double(profile.totalValue) / Double(profile.sampleCount) / 1e6 : 1
            $0.member("interval", profile.type.unit == "nanoseconds" && rate > 0 ? rate : 1)
            $0.member("startTime", Self.milliseconds(profile.range.start.nanoseconds))
            $0.member("processType", 0)
            $0.member("product", name)
            $0.member("stackwalk", 1)
            $0.member("version", 29)
            $0.member("preprocessedProfileVersion", Self.version)
            $0.member("symbolicated", true)
            $0.member("debug", false)
            $0.member("sourceCodeIsNotOnSearchfox", true)
            $0.column("markerSchema", [Int]())
            $0.key("categories")
            $0.beginArray()
            for category in Self.categories {
                $0.object {
                    $0.member("name", category.name)
                    $0.member("color", category.color)
                    $0.column("subcategories", ["Other"])
                }
            }
            $0.endArray()
        }
        writer.key("libs")
        writer.beginArray()
        for library in libraries {
            writer.object {
                for key in ["name", "path", "debugName", "debugPath"] { $0.member(key, library) }
                $0.member("breakpadId", String(repeating: "0", count: 33))
                $0.member("codeId", nil as String?)
                $0.member("arch", "")
            }
        }
        writer.endArray()
        writer.column("pages", [Int]())
        writer.key("threads")
        writer.beginArray()
        var process = 0
        var processName = ""
        var threads = 0
        var isFirst = true
        for index in tree.nodes.indices {
            let node = tree.nodes[index]
            if node.depth == 1 {
                process += 1
                processName = tree.frame(of: node).name
                isFirst = true
            } else if node.depth == 2 {
                threads += 1
                writeThread(
                    index, process: process, processName: processName, number: threads, isMain: isFirst, to: &writer)
                isFirst = false
            }
        }
        writer.endArray()
        writer.endObject()
    }

    private func writeThread(
        _ root: Int, process: Int, processName: String, number: Int, isMain: Bool, to writer: inout JSONWriter
    ) {
        let duration = Self.milliseconds(profile.range.end.nanoseconds &- profile.range.start.nanoseconds)
        var tables = ThreadTables()
        let nodes = root + 1..<Int(tree.nodes[root].end)
        // By node, from the thread's own on, its place among the stacks.
        var stackOfNode: [Int?] = [nil]
        for index in nodes {
            let node = tree.nodes[index]
            let frame = tree.frame(of: node)
            tables.add(
                frame, index: node.frame, prefix: stackOfNode[Int(node.parent) - root],
                library: libraryIndex[frame.module])
            stackOfNode.append(tables.stackFrame.count - 1)
        }
        let samples = ([root] + nodes).filter { tree.nodes[$0].selfSamples > 0 }
        writer.object { writer in
            writer.member("processType", "default")
            writer.member("processName", processName)
            writer.member("processStartupTime", 0)
            writer.member("processShutdownTime", nil as Double?)
            writer.member("registerTime", 0)
            writer.member("unregisterTime", nil as Double?)
            writer.column("pausedRanges", [Int]())
            writer.member("name", tree.frame(of: tree.nodes[root]).name)
            writer.member("isMainThread", isMain)
            writer.member("pid", String(process))
            writer.member("tid", number)
            writer.key("samples")
            writer.object {
                $0.optionalColumn("stack", samples.map { stackOfNode[$0 - root] })
                $0.column("time", samples.indices.map { duration * Double($0) / Double(max(1, samples.count)) })
                switch profile.type.unit {
                case "nanoseconds":
                    $0.member("weightType", "tracing-ms")
                    $0.column("weight", samples.map { Double(tree.nodes[$0].selfValue) / 1e6 })
                case "bytes":
                    $0.member("weightType", "bytes")
                    $0.column("weight", samples.map { tree.nodes[$0].selfValue })
                default:
                    $0.member("weightType", "samples")
                    $0.column("weight", samples.map { tree.nodes[$0].selfValue })
                }
                $0.member("length", samples.count)
            }
            tables.write(to: &writer)
        }
    }
}

/// The tables of one thread, as columns.
private struct ThreadTables {
    private(set) var stackFrame: [Int] = []
    private var stackPrefix: [Int?] = []
    private var stackCategory: [Int] = []
    private var frameFunction: [Int] = []
    private var frameLine: [Int?] = []
    private var frameCategory: [Int] = []
    private var functionName: [Int] = []
    private var functionFile: [Int?] = []
    private var functionResource: [Int] = []
    private var resourceLibrary: [Int] = []
    private var resourceName: [Int] = []
    private var strings: [String] = []
    private var frameIndex: [UInt32: Int] = [:]
    private var functionIndex: [NamedFrame: Int] = [:]
    private var resourceIndex: [Int: Int] = [:]
    private var stringIndex: [String: Int] = [:]

    mutating func add(_ frame: NamedFrame, index: UInt32, prefix: Int?, library: Int?) {
        let category =
            switch frame.kind {
            case .native, .inlined: 1
            case .kernel: 2
            case .jit: 3
            case .interpreted: 4
            case .process, .thread, .marker: 0
            }
        let place = frameIndex[index] ?? frameFunction.count
        if place == frameFunction.count {
            frameIndex[index] = place
            frameFunction.append(function(of: frame, library: library))
            frameLine.append(frame.line > 0 ? Int(frame.line) : nil)
            frameCategory.append(category)
        }
        stackFrame.append(place)
        stackPrefix.append(prefix)
        stackCategory.append(category)
    }

    private mutating func function(of frame: NamedFrame, library: Int?) -> Int {
        var key = frame
        key.line = 0
        if let known = functionIndex[key] { return known }
        let index = functionName.count
        functionIndex[key] = index
        functionName.append(string(frame.name))
        functionFile.append(frame.file.isEmpty ? nil : string(frame.file))
        functionResource.append(library.map { resource($0, name: frame.module) } ?? -1)
        return index
    }

    private mutating func resource(_ library: Int, name: String) -> Int {
        if let known = resourceIndex[library] { return known }
        resourceIndex[library] = resourceLibrary.count
        resourceLibrary.append(library)
        resourceName.append(string(name))
        return resourceLibrary.count - 1
    }

    private mutating func string(_ text: String) -> Int {
        if let known = stringIndex[text] { return known }
        stringIndex[text] = strings.count
        strings.append(text)
        return strings.count - 1
    }

    func write(to writer: inout JSONWriter) {
        func same<Value>(_ value: Value, _ count: Int) -> [Value] { Array(repeating: value, count: count) }
        let nothing: Int? = nil
        writer.key("stackTable")
        writer.object {
            $0.column("frame", stackFrame)
            $0.optionalColumn("prefix", stackPrefix)
            $0.column("category", stackCategory)
            $0.column("subcategory", same(0, stackFrame.count))
            $0.member("length", stackFrame.count)
        }
        writer.key("frameTable")
        writer.object {
            let count = frameFunction.count
            $0.column("address", same(-1, count))
            $0.column("inlineDepth", same(0, count))
            $0.column("category", frameCategory)
            $0.column("subcategory", same(0, count))
            $0.column("func", frameFunction)
            $0.optionalColumn("nativeSymbol", same(nothing, count))
            $0.optionalColumn("innerWindowID", same(nothing, count))
            $0.optionalColumn("implementation", same(nothing, count))
            $0.optionalColumn("line", frameLine)
            $0.optionalColumn("column", same(nothing, count))
            $0.member("length", count)
        }
        writer.key("funcTable")
        writer.object {
            let count = functionName.count
            $0.column("name", functionName)
            $0.column("isJS", same(false, count))
            $0.column("relevantForJS", same(false, count))
            $0.column("resource", functionResource)
            $0.optionalColumn("fileName", functionFile)
            $0.optionalColumn("lineNumber", same(nothing, count))
            $0.optionalColumn("columnNumber", same(nothing, count))
            $0.member("length", count)
        }
        writer.key("resourceTable")
        writer.object {
            $0.column("lib", resourceLibrary)
            $0.column("name", resourceName)
            $0.optionalColumn("host", same(nothing, resourceName.count))
            // 1 is a library.
            $0.column("type", same(1, resourceName.count))
            $0.member("length", resourceName.count)
        }
        writer.key("nativeSymbols")
        writer.object {
            for key in ["libIndex", "address", "name", "functionSize"] { $0.column(key, [Int]()) }
            $0.member("length", 0)
        }
        writer.key("markers")
        writer.object {
            for key in ["data", "name", "startTime", "endTime", "phase", "category"] { $0.column(key, [Int]()) }
            $0.member("length", 0)
        }
        writer.column("stringArray", strings)
    }
}

extension JSONWriter {
    fileprivate mutating func object(_ body: (inout JSONWriter) -> Void) {
        beginObject()
        body(&self)
        endObject()
    }

    fileprivate mutating func column(_ name: String, _ values: [some FixedWidthInteger]) {
        list(name, values) { $0.value($1) }
    }

    fileprivate mutating func column(_ name: String, _ values: [String]) { list(name, values) { $0.value($1) } }
    fileprivate mutating func column(_ name: String, _ values: [Double]) { list(name, values) { $0.value($1) } }
    fileprivate mutating func column(_ name: String, _ values: [Bool]) { list(name, values) { $0.value($1) } }

    fileprivate mutating func optionalColumn(_ name: String, _ values: [Int?]) {
        list(name, values) { writer, value in if let value { writer.value(value) } else { writer.null() } }
    }

    private mutating func list<Value>(
        _ name: String, _ values: [Value], _ write: (inout JSONWriter, Value) -> Void
    ) {
        key(name)
        beginArray()
        for value in values { write(&self, value) }
        endArray()
    }
}
