import Foundation
import Profiles
import QueryAPI
import Testing

@Test func `a request is a path and a query`() {
    var request = QueryRequest(.top)
    request.add("service", "web")
    request.add("service", "!web-*")
    request.add(TimeRange(start: Timestamp(seconds: 0), end: Timestamp(nanoseconds: 1_500_000_000)))
    #expect(
        request.uri
            == "/api/v1/top?service=web&service=%21web-%2A&from=1970-01-01T00%3A00%3A00Z&to=1970-01-01T00%3A00%3A01.500Z"
    )
    #expect(QueryRequest(.agents).uri == "/api/v1/agents")
}

@Test(arguments: ["a b", "a+b", "a&b=c", "ü/😀", "%41", "a\r\nHost: x", "#?", "\u{0}", "~-._", "*!'();:@&=+$,/?#[]"])
func `Foundation reads back what was encoded`(value: String) throws {
    var request = QueryRequest(.services)
    request.add("service", value)
    request.add("x&y", "")
    #expect(request.uri.utf8.allSatisfy { $0 > 32 && $0 < 127 })
    let items = try #require(URLComponents(string: "http://x" + request.uri)?.queryItems)
    #expect(items == [URLQueryItem(name: "service", value: value), URLQueryItem(name: "x&y", value: "")])
}

@Test(
    arguments: [
        ("http://a", "http://a:80", "a", 80, ""),
        ("HTTP://127.0.0.1:7172/", "http://127.0.0.1:7172", "127.0.0.1", 7172, ""),
        ("http://[::1]:1", "http://[::1]:1", "::1", 1, ""),
        ("http://[::1]/p/q//", "http://[::1]:80/p/q", "::1", 80, "/p/q"),
    ] as [(String, String, String, Int, String)])
func `a server's URL is read`(text: String, description: String, host: String, port: Int, prefix: String) throws {
    let url = try ServerURL(text)
    #expect(url.description == description)
    #expect(url.host == host)
    #expect(url.port == port)
    #expect(url.prefix == prefix)
}

@Test(arguments: [
    "", "a:80", "ftp://a", "https://a", "http://", "http://:80", "http://a:", "http://a:0", "http://a:65536",
    "http://a:x",
    "http://u:p@a", "http://[::1", "http://[::1]x", "http://a b", "http://a/?q", "http://a/\r\nx", "://", "http://a:-1",
])
func `a URL that can't be used is an error that names the flag`(text: String) {
    do {
        let url = try ServerURL(text)
        Issue.record("\(url)")
    } catch {
        #expect(error.description.contains("--server or PERF_SERVER"))
    }
}
