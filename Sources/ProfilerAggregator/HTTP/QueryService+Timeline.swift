import Analysis
import FlameGraphs
import Formats
import ProfileStore
import Profiles
import SymbolTables

extension QueryService {
    /// What of the hosts' windows there is at all, whatever the series: who delivered when. A host that measures the type
    /// has a slice without samples for each window that it delivered empty.
    func delivered(_ question: Question) async throws(APIError) -> SampleSet {
        let everything = Selection(hosts: question.selection.hosts, type: question.selection.type)
        let stored = try await samples(everything, question.asked, detail: .totals, wantsEmptyWindows: true)
        var delivered = filter(stored.samples, by: everything)
        var example: [UInt32: SampleSlice] = [:]
        for slice in delivered.slices where example[slice.host] == nil { example[slice.host] = slice }
        for (host, var slice) in example {
            slice.stacks = StackCounts()
            for window in stored.emptyWindows[delivered.hosts[Int(host)]] ?? [] {
                slice.window = window
                delivered.slices.append(slice)
            }
        }
        return delivered
    }

    static func timeline(
        _ profile: NamedProfile, of samples: SampleSet, symbolizer: some Symbolizer, _ question: Question,
        delivered: SampleSet, header: AnswerHeader, subtitle: String
    ) throws(APIError) -> Answer {
        let window = delivered.slices.map { $0.window.end.nanoseconds - $0.window.start.nanoseconds }.max() ?? 0
        let step = question.step ?? Timeline.naturalStep(profile.range, window: window)
        guard step >= window else {
            throw APIError(
                .badRequest,
                "step: the shortest one is \(Double(window) / 1e9) s, for which agents add samples up")
        }
        guard profile.range.seconds * 1e9 / Double(step) <= Double(Timeline.mostSteps) else {
            throw APIError(.badRequest, "step: that would be more than \(Timeline.mostSteps) steps; take a longer one")
        }
        let cells = profile.range.seconds * 1e9 / Double(step) * Double(question.seriesBy == nil ? 1 : question.limit)
        guard cells <= Double(Timeline.mostCells) else {
            throw APIError(
                .badRequest,
                "limit and step: that would be more than \(Timeline.mostCells) numbers; take fewer series or a longer step"
            )
        }
        let timeline = profile.timeline(
            by: question.seriesBy, sort: question.order, limit: question.limit, stepNanoseconds: step,
            delivered: delivered)
        var explanations: [ChangeExplanation?] = []
        if question.explainsChanges {
            explanations = timeline.explanations(
                by: question.seriesBy, of: samples, symbolizer: symbolizer, filter: question.filter,
                delivered: delivered, sort: question.order)
        }
        let answer = TimelineAnswer(
            header: header, timeline: timeline, type: profile.type, explanations: explanations)
        var notes: [String] = []
        if timeline.rowCount > timeline.series.count {
            notes.append("\(timeline.series.count) of \(timeline.rowCount) series; a larger limit shows more")
        }
        if question.explainsChanges, timeline.changes.count > Timeline.mostExplained {
            notes.append(
                "the \(Timeline.mostExplained) largest of \(timeline.changes.count) changes are explained; a shorter range "
                    + "or fewer series have fewer")
        }
        let note = notes.isEmpty ? nil : notes.joined(separator: "; ")
        guard question.format == .svg else {
            return Answer(contentType: "application/json", bytes: answer.json() + [0x0A], note: note)
        }
        let picture = TimelinePicture(
            timeline, type: profile.type, remarks: answer.changes.map { $0.explanation?.remark },
            clock: TimeText.toSecond)
        return Answer(
            contentType: "image/svg+xml", bytes: picture.svg(title: title(of: question), subtitle: subtitle), note: note
        )
    }
}
