import Foundation

/// A program as a distribution or its makers ship it, at work that keeps it busy for as long as it may run.
struct RealProgram {
    var name: String
    /// Programs that must be in PATH.
    var tools: [String]
    /// Shell commands that run once, in a folder of the program's own.
    var prepare = ""
    /// What is measured: a shell command in that folder.
    var work: String

    /// Ends by itself.
    func command(in folder: TemporaryFolder, seconds: Int) -> [String] {
        ["/usr/bin/timeout", "\(seconds)", "/bin/sh", "-c", "cd '\(folder.path(""))' && \(work)"]
    }

    /// The folder is there when all tools are and the preparation went well; else the reason.
    func prepared() throws -> Result<TemporaryFolder, Absence> {
        for tool in tools where try Command("/bin/sh", ["-c", "command -v \(tool)"]).exitCode() != 0 {
            return .failure(Absence(reason: "\(tool) is not installed"))
        }
        let folder = try TemporaryFolder()
        guard try Command("/bin/sh", ["-ec", "cd '\(folder.path(""))'\n\(prepare)"]).exitCode() == 0 else {
            return .failure(Absence(reason: "its preparation failed"))
        }
        return .success(folder)
    }

    struct Absence: Error { var reason: String }

    static let all = [openssl, xz, gcc, git, sqlite3, python3, node, java, swiftc]
    /// What unwinding is timed on.
    static let timed = [git, python3, openssl, xz]

    static let openssl = RealProgram(
        name: "openssl speed", tools: ["openssl"],
        work: "while :; do openssl speed -seconds 1 sha256 rsa2048 ecdsap256; done")

    static let xz = RealProgram(
        name: "xz", tools: ["xz"], prepare: "cat /usr/bin/* | head -c 60000000 >in",
        work: "while :; do xz -6 -T1 -c in; done")

    static let gcc = RealProgram(
        name: "g++ -O2", tools: ["g++"],
        prepare: heredoc(
            "work.cc",
            """
            #include <algorithm>
            #include <iostream>
            #include <map>
            #include <regex>
            int main(int argc, char **argv) {
                std::map<std::string, std::vector<int>> found;
                std::regex word("([a-z]+)=([0-9]+)");
                std::string line;
                while (std::getline(std::cin, line)) {
                    std::smatch match;
                    if (std::regex_search(line, match, word)) found[match[1]].push_back(std::stoi(match[2]));
                }
                for (auto &[name, values] : found) {
                    std::sort(values.begin(), values.end());
                    std::cout << name << values.back() << std::endl;
                }
            }
            """),
        work: "while :; do g++ -O2 -c work.cc -o work.o; done")

    /// 200 commits of a file of 4,000 lines.
    static let git = RealProgram(
        name: "git log", tools: ["git", "awk"],
        prepare: #"""
            git init -q
            awk 'BEGIN {
                for (commit = 1; commit <= 200; commit++) {
                    text = ""
                    for (line = 1; line <= 4000; line++) {
                        text = text line * 7919 % 10007 " " (line % 50 == commit % 50 ? commit : 0) "\n"
                    }
                    printf "commit refs/heads/main\ncommitter a <a@b> %d +0000\ndata 1\nc\n", 1700000000 + commit
                    printf "M 644 inline file\ndata %d\n%s\n", length(text), text
                }
            }' | git fast-import --quiet
            """#,
        work: "while :; do git log -p --stat main; done")

    static let sqlite3 = RealProgram(
        name: "sqlite3", tools: ["sqlite3"],
        work: """
            sqlite3 :memory: 'create table t(a, b, c);
            with recursive n(x) as (select 1 union all select x + 1 from n limit 300000)
            insert into t select x, abs(random() % 1000), hex(randomblob(8)) from n;
            with recursive n(x) as (select 1 union all select x + 1 from n limit 100)
            select x, (select sum(a) from t where b < x * 9), (select group_concat(c) from
            (select c from t where b = x order by c)), (select count(distinct c) from t where a % x = 0) from n;'
            """)

    static let python3 = RealProgram(
        name: "python3", tools: ["python3"],
        prepare: heredoc(
            "work.py",
            """
            import json, re
            class Node:
                def __init__(self, depth):
                    self.children = [Node(depth - 1) for _ in range(3)] if depth else []
                    self.value = depth * 7 % 5
                def total(self):
                    return self.value + sum(child.total() for child in self.children)
            def parse(text):
                return sorted((json.loads(text) for _ in range(40)), key=lambda row: row["name"])
            text = json.dumps({"name": "x" * 40, "rows": [{"a": n, "b": str(n)} for n in range(80)]})
            while True:
                Node(7).total()
                parse(text)
                re.sub(r"([a-z]+)[0-9]*", lambda match: match.group(1).upper(), text * 4)
            """),
        work: "exec python3 work.py")

    static let node = RealProgram(
        name: "node", tools: ["node"],
        prepare: heredoc(
            "work.js",
            """
            class Tree {
              constructor(depth) { this.kids = depth ? [1, 2, 3].map(() => new Tree(depth - 1)) : []; this.v = depth; }
              total() { return this.v + this.kids.reduce((sum, kid) => sum + kid.total(), 0); }
            }
            const text = JSON.stringify(Array.from({length: 200}, (_, n) => ({name: 'n' + n, value: n * 7919 % 101})));
            for (;;) {
              new Tree(7).total();
              JSON.parse(text).sort((a, b) => a.value - b.value).map(x => x.name.replace(/n(\\d+)/g, (_, d) => d + d));
            }
            """),
        work: "exec node work.js")

    static let java = RealProgram(
        name: "java", tools: ["java"],
        prepare: heredoc(
            "Work.java",
            """
            import java.util.*;
            import java.util.stream.*;
            public class Work {
                static final class Tree {
                    final List<Tree> kids = new ArrayList<>();
                    final int value;
                    Tree(int depth) {
                        value = depth;
                        for (int i = 0; depth > 0 && i < 3; i++) kids.add(new Tree(depth - 1));
                    }
                    int total() { int sum = value; for (Tree kid : kids) sum += kid.total(); return sum; }
                }
                public static void main(String[] arguments) {
                    long sum = 0;
                    for (;;) {
                        sum += new Tree(8).total();
                        Map<String, Integer> counts = new TreeMap<>();
                        for (int i = 0; i < 2000; i++) counts.merge("k" + i * 7919 % 313, i, Integer::sum);
                        sum += counts.entrySet().stream().sorted(Map.Entry.comparingByValue())
                            .map(e -> e.getKey().toUpperCase()).collect(Collectors.joining(",")).length();
                        if (sum == 42) System.out.println(sum);
                    }
                }
            }
            """),
        work: "exec java Work.java")

    static let swiftc = RealProgram(
        name: "swiftc -O", tools: ["swiftc"],
        prepare: #"""
            for n in $(seq 40); do echo "public struct S$n: Hashable, Codable, Sendable {
                public var name: String, values: [Int], more: [String: Double]
                public func best() -> Int? { values.lazy.filter { \$0 % $n == 0 }.map { \$0 &* 3 }.max() }
                public func words() -> [String] { more.keys.sorted().map { name + \$0.uppercased() } }
            }"; done >work.swift
            """#,
        work: "while :; do swiftc -O -parse-as-library -emit-object -o work.o work.swift; done")

    private static func heredoc(_ file: String, _ text: String) -> String {
        "cat >\(file) <<'end of file'\n\(text)\nend of file"
    }
}
