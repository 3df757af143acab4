import Profiles
import Testing

@testable import ProfilerAggregator

private let now = Timestamp(seconds: 1_790_000_000)

private func parameters(
    _ text: String, common: [(name: String, value: String)] = []
) throws -> [String] {
    try SelectionText(text, name: "base", common: common, now: now).parameters.map { "\($0.name)=\($0.value)" }
}

@Test func `a selection is read key by key`() throws {
    #expect(
        try parameters("service=web, service=api*,host!=web-1,label:zone=a,label:rack!=7,version=1.2") == [
            "service=web", "service=api*", "host=!web-1", "label=zone=a", "label=rack!=7", "version=1.2",
        ])
    #expect(try parameters("from=-2h,to=now") == ["from=2026-09-21T12:13:20Z", "to=2026-09-21T14:13:20Z"])
    #expect(try parameters(#"process=a\,b=c\\d"#) == [#"process=a,b=c\d"#])
    #expect(try parameters(#"frame=^foo\.bar\d+\,x$,frame!=^b"#) == [#"frame=^foo\.bar\d+,x$"#, "frame=!^b"])
    #expect(try parameters("") == [])
}

@Test func `what holds for both sides gives way to what a side says`() throws {
    let common = [(name: "service", value: "web"), (name: "host", value: "a"), (name: "host", value: "b")]
    #expect(try parameters("host=c", common: common) == ["host=c", "service=web"])
    #expect(try parameters("", common: common) == ["service=web", "host=a", "host=b"])
    let labels = [(name: "label", value: "env=prod"), (name: "label", value: "zone!=b")]
    #expect(try parameters("label:zone=a", common: labels) == ["label=zone=a", "label=env=prod"])
}

@Test(arguments: [
    ("servce=web", "'servce' is no key of a selection", ["service"]),
    ("label=zone=a", "'label' is no key of a selection", ["label:K"]),
    ("web", "'web' is neither KEY=VALUE nor KEY!=VALUE", []),
    ("service=web,,host=a", "there is an empty part", []),
    ("from=yesterday", "from needs RFC 3339", []),
    ("type!=cpu", "type can't be negated", []),
    ("service=", "service has no value", []),
])
func `a selection that can't be read says why`(text: String, message: String, nearby: [String]) {
    let error = #expect(throws: APIError.self) { try SelectionText(text, name: "base", common: [], now: now) }
    #expect(error?.message.hasPrefix("base: ") == true && error?.message.contains(message) == true, "\(error as Any)")
    #expect(error?.nearby == nearby)
}
