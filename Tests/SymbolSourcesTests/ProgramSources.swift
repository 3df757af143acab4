import Glibc
import Testing
import ToolOutput

/// A folder of a test's own, with sources in several languages.
struct Workshop: ~Copyable {
    let path: String

    init() throws {
        path = "/tmp/symbol-sources-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try #require(unsafe mkdir(path, 0o700) == 0)
        for (name, text) in sources { try write(name, text) }
    }

    func write(_ name: String, _ text: String) throws {
        let file = try #require(unsafe fopen("\(path)/\(name)", "w"))
        unsafe fputs(text, file)
        unsafe fclose(file)
    }

    /// What the command prints, run in the folder; nil where it fails.
    func run(_ command: String) -> String? {
        let text = output(of: "cd \(path) && { \(command) ; } 2>&1 && echo WENT-WELL")
        return text.hasSuffix("WENT-WELL\n") ? String(text.dropLast(10)) : nil
    }

    deinit { _ = output(of: "rm -rf \(path)") }
}

func hasTools(_ names: String...) -> Bool {
    names.allSatisfy { output(of: "command -v \($0)").hasPrefix("/") }
}

private let sources = [
    "chain.c": """
    #include <stdio.h>
    #include <stdlib.h>
    #include "steps.h"
    static inline __attribute__((always_inline)) int twice(int x) {
        int first = square(x);
        return first + square(x + 3);
    }
    __attribute__((noinline)) int work(int n) {
        int sum = 0;
        for (int i = 0; i < n; i++)
            sum += twice(rand() + i);
        if (sum == 77) {
            fprintf(stderr, "never %d\\n", sum);
            abort();
        }
        return sum;
    }
    static __attribute__((noinline)) int with_constant(int a, int b) {
        int total = 0;
        for (int i = 0; i < a; i++) total += rand() % b;
        return total;
    }
    int unused(int a) { return twice(a) + 1; }
    int main(int argc, char **argv) {
        (void)argv;
        return work(argc) + twice(argc) + with_constant(argc, 5);
    }
    """,
    "steps.h": """
    static inline __attribute__((always_inline)) int add_one(int x) {
        return x + 1;
    }
    static inline __attribute__((always_inline)) int square(int x) {
        int result = x * x;
        return add_one(result);
    }
    """,
    "shapes.cc": """
    #include <algorithm>
    #include <cstdio>
    #include <cstdlib>
    #include <functional>
    #include <map>
    #include <string>
    #include <vector>
    namespace {
    template <typename T> struct Holder {
        std::vector<T> values;
        void put(T value) { values.push_back(value); }
        template <typename F> void each(F f) const { for (auto const &v : values) f(v); }
    };
    struct Error {};
    int checked(int n) {
        if (n < 0) throw Error();
        return n + rand();
    }
    }
    namespace shapes {
    struct Shape { virtual ~Shape() {} virtual double area() const = 0; bool operator<(Shape const &o) const { return area() < o.area(); } };
    struct Square : Shape { double side; explicit Square(double s) : side(s) {} double area() const override { return side * side; } };
    struct Circle : Shape { double r; explicit Circle(double s) : r(s) {} double area() const override { return 3.14 * r * r; } };
    }
    int main(int argc, char **argv) {
        Holder<std::string> names;
        for (int i = 0; i < argc; i++) names.put(argv[i]);
        std::map<std::string, int> counts;
        names.each([&](std::string const &name) { counts[name] += checked(static_cast<int>(name.size())); });
        std::vector<int> sorted;
        for (auto &entry : counts) sorted.push_back(entry.second);
        std::sort(sorted.begin(), sorted.end(), [](int a, int b) { return a > b; });
        std::function<int(int)> more = [argc](int x) { return x * argc; };
        shapes::Square square(argc);
        shapes::Circle circle(argc);
        try { checked(-argc); } catch (Error const &) { std::puts("caught"); }
        return more(sorted.front()) + (square < circle ? 1 : 0);
    }
    """,
    "lines.rs": """
    use std::collections::HashMap;
    #[inline(always)] fn step(x: u64) -> u64 { x.wrapping_mul(31).rotate_left(7) }
    #[inline(never)] pub fn mix(values: &[u64]) -> u64 {
        values.iter().map(|v| step(*v)).fold(0, |a, b| a ^ b)
    }
    struct Table { map: HashMap<String, u64> }
    impl Table {
        #[inline(never)] fn add(&mut self, key: &str) { *self.map.entry(key.to_string()).or_insert(0) += step(key.len() as u64); }
    }
    fn main() {
        let mut table = Table { map: HashMap::new() };
        for word in std::env::args() { table.add(&word); }
        let values: Vec<u64> = table.map.values().cloned().collect();
        println!("{}", mix(&values));
    }
    """,
    "work.swift": """
    @inline(__always) func step(_ x: Int) -> Int {
        x &* 31 &+ 7
    }
    struct Counter {
        var counts: [String: Int] = [:]
        @inline(never) mutating func add(_ word: String) { counts[word, default: 0] += step(word.count) }
    }
    @inline(never) func total(_ values: [Int]) -> Int { values.map { step($0) }.reduce(0, &+) }
    var counter = Counter()
    for word in CommandLine.arguments { counter.add(word) }
    print(total(Array(counter.counts.values)))
    """,
]
