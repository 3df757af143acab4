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

@Test func `a slice that lost stacks knows how many of the rest are cut`() {
    var samples = fleet()
    let kept = filter(samples, by: Selection(processes: [NamePattern("cron")])).slices
    #expect(kept.map(\.quality) == [StackQuality(whole: 0, cut: 3, broken: 0)])
    samples.slices[0].quality = StackQuality(whole: nil, cut: 3, broken: nil)
    let unmeasured = filter(samples, by: Selection(processes: [NamePattern("cron")])).slices
    #expect(unmeasured.map(\.quality) == [StackQuality(whole: nil, cut: 3, broken: nil)])
    let all = filter(fleet(), by: Selection(services: [NamePattern("web")])).slices
    #expect(all.map(\.quality) == [StackQuality(whole: 5, cut: 3, broken: 0)])
}

@Test func `markers that account for all stacks of a slice tell which of a part are whole, cut and broken`() {
    var builder = SampleBuilder()
    let stacks: KeyValuePairs<String, UInt64> = [
        "a/a;main": 4, "a/a;m:[truncated];main": 2, "a/a;m:[broken: no caller];f": 1, "b/b;m:[broken: bad CFI];f": 3,
        "b/b;main": 5,
    ]
    builder.add(quality: StackQuality(whole: 9, cut: 2, broken: 4), stacks)
    // Here one more stack is said to be broken than there are markers.
    builder.add(window: 1, quality: StackQuality(whole: 8, cut: 2, broken: 5), stacks)
    func qualities(_ process: String) -> [StackQuality] {
        filter(builder.samples, by: Selection(processes: [NamePattern(process)])).slices.map(\.quality)
    }
    #expect(
        qualities("a") == [
            StackQuality(whole: 4, cut: 2, broken: 1), StackQuality(whole: nil, cut: 2, broken: nil),
        ])
    #expect(
        qualities("b") == [
            StackQuality(whole: 5, cut: 0, broken: 3), StackQuality(whole: nil, cut: 0, broken: nil),
        ])
}

private func labelled() -> SampleSet {
    var builder = SampleBuilder()
    builder.add(version: "1.9", labels: [Label(name: "zone", value: "a1")], ["p/p;main": 1])
    builder.add(version: "1.10", labels: [Label(name: "zone", value: "a2")], ["p/p;main": 2])
    builder.add(
        version: "2.0", labels: [Label(name: "rack", value: "7"), Label(name: "zone", value: "b")], ["p/p;main": 4])
    builder.add(service: "db", labels: [Label(name: "rack", value: "7")], ["p/p;main": 8])
    return builder.samples
}

@Test(
    arguments: [
        (["zone=a1"], [], 1), (["zone=a*"], [], 3), (["zone=a1", "zone=b"], [], 5), (["zone=a*", "rack=7"], [], 0),
        (["zone=b", "rack=7"], [], 4), (["zone=*"], [], 7), (["zone!=*"], [], 8), (["zone="], [], 8),
        (["zone!="], [], 7), (["zone!=b"], [], 11), (["!zone=b"], [], 11), (["zone=a*", "zone!=a2"], [], 1),
        (["zone=", "zone=b"], [], 12), (["none=x"], [], 0), (["none!=x"], [], 15),
        ([], ["1.*"], 3), ([], ["!1.*"], 12), ([], ["*"], 7), ([], ["!*"], 8), ([], ["1.9", "2.0"], 5), ([], [""], 8),
        (["zone=a*"], ["!1.9"], 2),
    ] as [([String], [String], UInt64)])
func `labels and versions select by value, by absence, and by negation`(
    labels: [String], versions: [String], samples: UInt64
) {
    let selection = Selection(
        versions: versions.map { NamePattern($0) }, labels: labels.compactMap { LabelPattern($0) })
    #expect(selection.labels.count == labels.count)
    #expect(filter(labelled(), by: selection).sampleCount == samples)
}
