import Analysis
import Profiles
import SampleBuilder
import Testing

private func fleet() -> SampleSet {
    var builder = SampleBuilder()
    builder.add(
        host: "web-1", service: "web", quality: StackQuality(whole: 5, cut: 3, broken: 0),
        ["nginx/worker-1;main;a": 4, "nginx/worker-22;main;b": 1, "cron/cron;m:[truncated];main": 3])
    builder.add(host: "db-1", service: "db", ["postgres/postgres;main": 7])
    builder.add(
        host: "db-1", service: "db", type: ProfileType(name: "off-cpu", unit: "nanoseconds"),
        ["postgres/postgres;wait": 100])
    return builder.samples
}

private let questions: [(Selection, UInt64)] = [
    (Selection(), 15), (Selection(services: [NamePattern("web")]), 8), (Selection(services: [NamePattern("!web")]), 7),
    (Selection(hosts: [NamePattern("*-1"), NamePattern("!web*")]), 7),
    (Selection(processes: [NamePattern("nginx")]), 5), (Selection(processes: [NamePattern("!nginx")]), 10),
    (Selection(threads: [NamePattern("worker-17")]), 5), (Selection(threads: [NamePattern("worker-*")]), 5),
    (Selection(processes: [NamePattern("nginx")], threads: [NamePattern("cron")]), 0),
    (Selection(type: "off-cpu"), 100), (Selection(services: [NamePattern("nothing")]), 0),
]

@Test(arguments: questions)
func `a selection keeps the samples that it names`(selection: Selection, samples: UInt64) {
    #expect(filter(fleet(), by: selection).sampleCount == samples)
}

@Test func `a slice that lost stacks no longer knows how many were whole, but still which were cut`() {
    let kept = filter(fleet(), by: Selection(processes: [NamePattern("cron")])).slices
    #expect(kept.map(\.quality) == [StackQuality(whole: nil, cut: 3, broken: nil)])
    let all = filter(fleet(), by: Selection(services: [NamePattern("web")])).slices
    #expect(all.map(\.quality) == [StackQuality(whole: 5, cut: 3, broken: 0)])
}
