internal import Analysis
public import Profiles

/// The text that `perf script` prints (perf 6.1), as flame graph scripts and the Firefox profiler read it.
///
/// One record for each stack of a host in a window, with what its samples weigh as the period: who counts periods, as
/// stackcollapse-perf.pl does, gets the totals. COMM is the process's name; process and thread numbers only tell
/// processes and threads apart.
public enum PerfScript {
    /// - Parameters:
    ///   - depth: frames kept per stack, counted from the leaf.
    ///   - remark: becomes a comment.
    public static func text(
        of samples: SampleSet, symbolizer: some Symbolizer, depth: Int = .max, remark: String
    ) -> [UInt8] {
        let source = SourceLocations(samples, symbolizer: symbolizer)
        var numbers = TaskNumbers()
        var text = Array("# ".utf8)
        EscapedText.append(remark, to: &text)
        text.append(0x0A)
        for slice in samples.slices {
            let type = samples.keys[Int(slice.key)].type
            let event = type == .cpu ? "cpu-clock" : type.name
            let microseconds = max(0, slice.window.start.nanoseconds / 1000)
            let fraction = String(microseconds % 1_000_000)
            let time =
                "\(microseconds / 1_000_000).\(String(repeating: "0", count: 6 - fraction.utf8.count))\(fraction)"
            for (index, node) in slice.stacks.nodes.enumerated() where slice.stacks.weights[index] > 0 {
                let head = samples.stacks.stack(of: node).prefix(2)
                func name(_ kind: Frame.Kind) -> String {
                    head.first { $0.kind == kind && $0.name != Frame.none }.map {
                        samples.stacks.strings[Int($0.name)]
                    } ?? ""
                }
                let (process, thread) = (name(.process), name(.thread))
                let (pid, tid) = numbers.numbers(host: slice.host, process: process, thread: thread)
                let start = text.count
                EscapedText.append(process, to: &text)
                // A header begins with something else than white space, else it would be taken for a frame.
                if text.count == start || text[start] == 0x20 { text.insert(0x3F, at: start) }
                text.append(
                    contentsOf: " \(pid)/\(tid) [000] \(time): \(slice.stacks.weights[index]) \(event): \n".utf8)
                append(source.locations(of: node), of: source, depth: depth, process: pid, to: &text)
                text.append(0x0A)
            }
        }
        return text
    }

    private static func append(
        _ stack: [UInt32], of source: SourceLocations, depth: Int, process: Int, to text: inout [UInt8]
    ) {
        var count = 0
        for number in stack {
            let location = source.locations[Int(number)]
            guard location.kind == .marker || count < depth else {
                line(0, Frame.truncatedMarker, "[unknown]", to: &text)
                return
            }
            count += 1
            var module = location.mapping == Frame.none ? "" : source.mappings[Int(location.mapping)].name
            if module.isEmpty {
                let file = location.lines.last.map { source.functions[Int($0.function)].file } ?? ""
                module = location.kind == .jit ? "/tmp/perf-\(process).map" : file.isEmpty ? "[unknown]" : file
            }
            if location.lines.isEmpty { line(location.address, "[unknown]", module, to: &text) }
            for entry in location.lines {
                line(
                    location.address, source.functions[Int(entry.function)].name,
                    entry.isInlined ? "inlined" : module, to: &text)
            }
        }
    }

    private static func line(_ address: UInt64, _ name: String, _ module: String, to text: inout [UInt8]) {
        let digits = String(address, radix: 16)
        text.append(0x09)
        text.append(contentsOf: String(repeating: " ", count: max(0, 16 - digits.utf8.count)).utf8)
        text.append(contentsOf: "\(digits) ".utf8)
        EscapedText.append(name.isEmpty ? "[unknown]" : name, to: &text)
        text.append(contentsOf: " (".utf8)
        EscapedText.append(module, to: &text)
        text.append(contentsOf: ")\n".utf8)
    }
}

/// Numbers for processes and threads that have only names; a process's first thread has its number.
private struct TaskNumbers {
    private struct Task: Hashable {
        var host: UInt32
        var process: String
        var thread: String?
    }

    private var known: [Task: Int] = [:]
    private var last = 0

    mutating func numbers(host: UInt32, process: String, thread: String) -> (process: Int, thread: Int) {
        let isNew = known[Task(host: host, process: process)] == nil
        let pid = number(Task(host: host, process: process))
        if isNew { known[Task(host: host, process: process, thread: thread)] = pid }
        return (pid, number(Task(host: host, process: process, thread: thread)))
    }

    private mutating func number(_ task: Task) -> Int {
        if let number = known[task] { return number }
        last += 1
        known[task] = last
        return last
    }
}
