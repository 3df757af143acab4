import Analysis
import Formats
import Patterns
import ProfileStore
import Profiles
import Settings

/// What to say where nothing matches: the first field of the selection that leaves nothing, and what exists in it.
extension QueryService {
    func noData(_ asked: Selection, _ time: TimeRange) async throws(APIError) -> APIError {
        let all = try await samples(Selection(type: asked.type), time, detail: .totals).samples
        let (start, end) = TimeText.pair(time.start, time.end)
        let range = "between \(start) and \(end)"
        guard !all.slices.isEmpty else {
            let types = Inventory.types(try await samples(Selection(type: "*"), time, detail: .totals).samples)
            if !types.isEmpty {
                return APIError(
                    .noData, "no samples of type \(asked.type) \(range)",
                    nearby: nearest(asked.type, types.map(\.name)))
            }
            let seen = ((try? await store.agents()) ?? []).map(\.lastSeen).max()
            guard let seen else { return APIError(.noData, "nothing is stored yet: no agent has delivered a batch") }
            let first = (try? await store.figures())?.firstDay
            let begins = first.map { "what is stored begins on \(TimeText.toSecond($0).prefix(10)), and " } ?? ""
            return APIError(
                .noData, "nothing is stored \(range); \(begins)the last batch came at \(TimeText.toSecond(seen))")
        }
        // Field after field is added to the selection, until one leaves nothing of what the fields before it kept.
        var wide = Selection(type: asked.type)
        var kept = all
        func isLast(_ add: (inout Selection) -> Void) -> Bool {
            add(&wide)
            let next = filter(kept, by: wide)
            if !next.slices.isEmpty { kept = next }
            return next.slices.isEmpty
        }
        if isLast({ $0.services = asked.services }) {
            return APIError(
                .noData, "no samples of service \(words(asked.services)) \(range)",
                nearby: nearest(asked.services.first?.glob, Inventory.services(kept).map(\.name)))
        }
        if isLast({ $0.versions = asked.versions }) {
            let versions = Set(kept.slices.map { kept.keys[Int($0.key)].version }).sorted().filter { !$0.isEmpty }
            return APIError(
                .noData, "no samples of version \(words(asked.versions)) \(range)",
                nearby: nearest(asked.versions.first?.glob, versions))
        }
        for name in Set(asked.labels.map(\.name)).sorted() {
            let patterns = asked.labels.filter { $0.name == name }
            let before = kept
            guard isLast({ $0.labels += patterns }) else { continue }
            return noLabel(name, patterns, before, range)
        }
        if isLast({ $0.hosts = asked.hosts }) {
            let hosts = NamePatterns(asked.hosts)
            let seen = ((try? await store.agents()) ?? []).filter { hosts.matches($0.host) }.map(\.lastSeen).max()
            let last = seen.map { "; the last batch of such a host came at \(TimeText.toSecond($0))" } ?? ""
            return APIError(
                .noData, "no samples on host \(words(asked.hosts)) \(range)\(last)",
                nearby: nearest(asked.hosts.first?.glob, Inventory.hosts(kept).map(\.name)))
        }
        kept = filter(try await samples(wide, time, detail: .stacks).samples, by: wide)
        let isProcess = isLast { $0.processes = asked.processes }
        let patterns = isProcess ? asked.processes : asked.threads
        return APIError(
            .noData, "no samples of \(isProcess ? "process" : "thread") \(words(patterns)) \(range)",
            nearby: nearest(patterns.first?.glob, Inventory.names(of: isProcess ? .process : .thread, in: kept)))
    }

    static func noFrame(_ question: Question, _ profile: NamedProfile) -> APIError {
        APIError(
            .noData, "no stack of \(profile.sampleCount) samples holds the frames asked for (--frame)",
            nearby: heaviest(profile))
    }

    static func noFunction(_ name: String, _ profile: NamedProfile) -> APIError {
        let names = Set(profile.frames.filter { ![.process, .thread, .marker].contains($0.kind) }.map(\.name))
        let nearest = nearestName(to: name, among: names.sorted())
        return APIError(
            .noData, "no function is called '\(name)' or matches that in \(profile.sampleCount) samples",
            nearby: nearest.map { [$0] } ?? heaviest(profile))
    }

    static func nothingShown(_ question: Question, _ profile: NamedProfile) -> APIError {
        let filter = question.filter
        let given = [
            ("focus", filter.focus), ("ignore", filter.ignore), ("hide", filter.hide), ("show-from", filter.showFrom),
        ].compactMap { name, expression in expression.map { "--\(name) '\($0.pattern)'" } }
        let leave = given.count == 1 ? "leaves" : "leave"
        return APIError(
            .noData,
            "\(given.joined(separator: " with ")) \(leave) nothing of \(profile.sampleCount) samples",
            nearby: heaviest(profile))
    }

    /// Some functions that there are.
    private static func heaviest(_ profile: NamedProfile) -> [String] {
        profile.ranking(by: .function, sort: .total, limit: 10).rows.map(\.name)
    }

    /// The label's values where there are some, else the names of labels.
    private func noLabel(_ name: String, _ patterns: [LabelPattern], _ kept: SampleSet, _ range: String) -> APIError {
        let known = Inventory.labels(kept)
        let values = known.filter { $0.name == name }.map(\.detail)
        guard !values.isEmpty else {
            let names = Set(known.map(\.name)).sorted()
            return APIError(
                .noData, "no samples with a label '\(name)' \(range)", nearby: nearest(name, names))
        }
        return APIError(
            .noData, "no samples with label \(list(patterns.map(\.text))) \(range)",
            nearby: nearest(patterns.first?.value.glob, values).map { "\(name)=\($0)" })
    }

    private func words(_ patterns: [NamePattern]) -> String {
        list(patterns.map { ($0.isNegated ? "!" : "") + $0.glob })
    }

    /// At most 20 names; the one that looks most like what was asked for first.
    private func nearest(_ asked: String?, _ names: [String]) -> [String] {
        guard let asked, let best = nearestName(to: asked, among: names) else { return Array(names.prefix(20)) }
        return Array(([best] + names.filter { $0 != best }).prefix(20))
    }
}
