import Profiles

/// What is known of the stacks that are not whole, from the markers at their root ends.
public struct IncompleteStacks: Hashable, Sendable {
    /// How many frames cut stacks have left.
    public struct Depths: Hashable, Sendable {
        public var least: Int
        /// Of samples.
        public var median: Int
        public var most: Int

        public init(least: Int, median: Int, most: Int) {
            self.least = least
            self.median = median
            self.most = most
        }
    }

    /// nil where no stack is cut. Inlined functions count as part of the one around them.
    public var cutDepths: Depths?
    /// Samples by the reason that their stacks broke for; at most `mostReasons`, what is more under `other`.
    public var brokenByReason: [String: UInt64]

    /// Agents name about a dozen; the rest of what a hostile one may send is not repeated.
    public static let mostReasons = 32

    public init(cutDepths: Depths? = nil, brokenByReason: [String: UInt64] = [:]) {
        self.cutDepths = cutDepths
        self.brokenByReason = brokenByReason
    }
}

extension IncompleteStacks {
    /// Adds up samples whose stacks carry a marker.
    struct Counter {
        private var byDepth: [Int32: UInt64] = [:]
        private var byMarker: [UInt32: UInt64] = [:]

        mutating func addCut(depth: Int32, samples: UInt64) {
            if samples > 0 { byDepth[depth, default: 0] &+= samples }
        }

        mutating func addBroken(_ marker: UInt32, samples: UInt64) {
            if samples > 0 { byMarker[marker, default: 0] &+= samples }
        }

        func result(frames: [NamedFrame]) -> IncompleteStacks {
            var result = IncompleteStacks()
            for (marker, samples) in byMarker {
                let reason = Frame.brokenReason(ofMarker: frames[Int(marker)].name) ?? ""
                result.brokenByReason[reason, default: 0] &+= samples
            }
            if result.brokenByReason.count > IncompleteStacks.mostReasons {
                let sorted = result.brokenByReason.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
                for (reason, samples) in sorted.dropFirst(IncompleteStacks.mostReasons - 1) {
                    result.brokenByReason[reason] = nil
                    result.brokenByReason["other", default: 0] &+= samples
                }
            }
            let sorted = byDepth.sorted { $0.key < $1.key }
            guard let first = sorted.first, let last = sorted.last else { return result }
            let all = sorted.reduce(UInt64(0)) { $0 &+ $1.value }
            var seen: UInt64 = 0
            var median = first.key
            for (depth, samples) in sorted where seen &* 2 < all {
                seen &+= samples
                median = depth
            }
            result.cutDepths = Depths(least: Int(first.key), median: Int(median), most: Int(last.key))
            return result
        }
    }
}

/// Samples by what the markers of their stacks say, before and after a limit on depth.
struct MarkedSamples {
    var cut: UInt64 = 0
    var broken: UInt64 = 0
    /// Cut by the limit and not before; `newlyCutBroken` of them had been broken.
    var newlyCut: UInt64 = 0
    var newlyCutBroken: UInt64 = 0

    /// What was measured, less what the limit changed. A number of cut or broken stacks that was not measured is known at
    /// least from the markers that are there.
    func corrected(_ measured: StackQuality) -> StackQuality {
        func known(_ count: UInt64?, marked: UInt64) -> UInt64? {
            count.map { max($0, marked) } ?? (marked > 0 ? marked : nil)
        }
        func less(_ count: UInt64?, _ other: UInt64) -> UInt64? { count.map { $0 - min($0, other) } }
        let allCut = known(measured.cut, marked: cut)
        return StackQuality(
            whole: less(measured.whole, newlyCut - newlyCutBroken),
            cut: allCut.map { $0 &+ newlyCut } ?? (newlyCut > 0 ? newlyCut : nil),
            broken: less(known(measured.broken, marked: broken), newlyCutBroken))
    }
}
