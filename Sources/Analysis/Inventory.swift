public import Profiles

/// One thing that exists in some samples, with what it used.
public struct InventoryRow: Hashable, Sendable {
    public var name: String
    /// A label's value or a type's unit; empty for services and hosts.
    public var detail: String
    public var samples: UInt64
    /// nil where the samples are no CPU time.
    public var cores: Double?
    /// Distinct hosts behind it.
    public var hosts: Int
    /// Distinct services behind it.
    public var services: Int
}

/// What exists in some samples, from heavy to light.
public enum Inventory {
    public static func services(_ samples: SampleSet, range: TimeRange? = nil) -> [InventoryRow] {
        rows(samples, range: range) { slice in [(samples.keys[Int(slice.key)].service, "")] }
    }

    /// Hosts that share a name are told apart by the beginning of their agent's identifier.
    public static func hosts(_ samples: SampleSet, range: TimeRange? = nil) -> [InventoryRow] {
        let names = Host.distinctNames(samples.hosts)
        return rows(samples, range: range) { slice in [(names[Int(slice.host)], "")] }
    }

    /// One row for each label's name and value.
    public static func labels(_ samples: SampleSet, range: TimeRange? = nil) -> [InventoryRow] {
        rows(samples, range: range) { slice in samples.keys[Int(slice.key)].labels.map { ($0.name, $0.value) } }
    }

    /// The profile types, with their units.
    public static func types(_ samples: SampleSet, range: TimeRange? = nil) -> [InventoryRow] {
        rows(samples, range: range) { slice in
            let type = samples.keys[Int(slice.key)].type
            return [(type.name, type.unit)]
        }
    }

    /// The processes, or else the threads, that samples are of, sorted by name.
    public static func names(of kind: Frame.Kind, in samples: SampleSet) -> [String] {
        let elements = StackElements(samples.stacks)
        let names = kind == .process ? elements.process : elements.thread
        var seen: Set<UInt32> = []
        for slice in samples.slices { for node in slice.stacks.nodes { seen.insert(names[Int(node)]) } }
        seen.remove(Frame.none)
        return seen.map { samples.stacks.strings[Int($0)] }.sorted()
    }

    private struct Tally {
        var samples: UInt64 = 0
        var nanoseconds: UInt64?
        var hosts: Set<UInt32> = []
        var services: Set<String> = []
    }

    private struct Name: Hashable {
        var name: String
        var detail: String
    }

    private static func rows(
        _ samples: SampleSet, range: TimeRange?, names: (SampleSlice) -> [(String, String)]
    ) -> [InventoryRow] {
        let zero = Timestamp(nanoseconds: 0)
        let range = range ?? samples.range ?? TimeRange(start: zero, end: zero)
        var tallies: [Name: Tally] = [:]
        for slice in samples.slices {
            let key = samples.keys[Int(slice.key)]
            for (name, detail) in names(slice) {
                var tally = tallies.removeValue(forKey: Name(name: name, detail: detail)) ?? Tally()
                tally.samples &+= slice.stacks.sampleCount
                if key.type == .cpu { tally.nanoseconds = (tally.nanoseconds ?? 0) &+ slice.stacks.totalWeight }
                tally.hosts.insert(slice.host)
                tally.services.insert(key.service)
                tallies[Name(name: name, detail: detail)] = tally
            }
        }
        return tallies.map { name, tally in
            InventoryRow(
                name: name.name, detail: name.detail, samples: tally.samples,
                cores: tally.nanoseconds.flatMap { cores($0, type: .cpu, range: range) },
                hosts: tally.hosts.count, services: tally.services.count)
        }
        .sorted { left, right in
            if left.cores != right.cores { return (left.cores ?? -1) > (right.cores ?? -1) }
            if left.samples != right.samples { return left.samples > right.samples }
            return (left.name, left.detail) < (right.name, right.detail)
        }
    }
}

extension Host {
    /// The names of hosts; where several share one, each with the first digits of its agent's identifier, since two
    /// agents stay two hosts.
    static func distinctNames(_ hosts: [Host]) -> [String] {
        var agents: [String: Set<Identifier>] = [:]
        for host in hosts { agents[host.name, default: []].insert(host.agent) }
        return hosts.map { host in
            (agents[host.name]?.count ?? 0) > 1 ? "\(host.name) (\(host.agent.description.prefix(8)))" : host.name
        }
    }
}
