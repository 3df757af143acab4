/// Sets of CPUs as the kernel writes them: `0-3,8,10-11` (cpuset(7), "List format").
public enum CPUList {
    /// No kernel has more: the largest NR_CPUS of x86 and ARM is 8,192.
    public static let maximumCPU = 65_535

    /// CPUs in ascending order, each once; nil for anything malformed.
    public static func parse(_ text: some StringProtocol) -> [Int]? {
        var cpus: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard ends.count <= 2, let first = number(ends.first), let last = number(ends.last), first <= last else {
                return nil
            }
            cpus.formUnion(first...last)
        }
        return cpus.sorted()
    }

    /// CPUs that are online now; nil where /sys can't be read.
    public static func online() -> [Int]? {
        SmallFile.text("/sys/devices/system/cpu/online").flatMap { parse($0) }
    }

    private static func number(_ text: (some StringProtocol)?) -> Int? {
        guard let text, !text.isEmpty, text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let value = Int(text),
            value <= maximumCPU
        else { return nil }
        return value
    }
}
