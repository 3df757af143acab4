import Analysis
import Formats
import ProfileStore
import Profiles
import SymbolTables

extension QueryService {
    /// What of the hosts' windows there is at all, whatever the series: who delivered when.
    func delivered(_ question: Question) async throws(APIError) -> SampleSet {
        let everything = Selection(hosts: question.selection.hosts, type: question.selection.type)
        return filter(
            try await samples(everything, question.asked, detail: .totals).samples, by: everything)
    }

    static func timeline(
        _ profile: NamedProfile, _ question: Question, delivered: SampleSet, header: AnswerHeader
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
        let answer = TimelineAnswer(header: header, timeline: timeline, type: profile.type)
        var note: String?
        if timeline.rowCount > timeline.series.count {
            note = "\(timeline.series.count) of \(timeline.rowCount) series; a larger limit shows more"
        }
        return Answer(contentType: "application/json", bytes: answer.json() + [0x0A], note: note)
    }
}
