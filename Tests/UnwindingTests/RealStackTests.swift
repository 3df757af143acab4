import Testing
import ToolOutput

@testable import Unwinding

private let hasTools = output(of: "gdb --version 2>/dev/null; gcc --version 2>/dev/null").contains("GNU gdb")

/// Stacks of small programs without frame pointers: ours against gdb's.
@Suite(.enabled(if: hasTools, "gdb and gcc are needed"), .serialized) struct RealStackTests {
    struct Program: CustomTestStringConvertible, Sendable {
        var name: String
        var flags = ""
        var code: String
        var breakAt = "leaf"
        /// Instructions to step through, each compared.
        var steps = 0
        var testDescription: String { name }
    }

    static let programs = [
        Program(
            name: "recursion of 90", code: recursion(90), steps: 40),
        Program(name: "recursion of 300", code: recursion(300)),
        Program(name: "static-pie", flags: "-static-pie", code: recursion(20), steps: 40),
        Program(name: "static", flags: "-static -no-pie", code: recursion(20)),
        Program(name: "lazy binding", flags: "-Wl,-z,lazy", code: library, breakAt: "main", steps: 400),
        Program(
            name: "immediate binding", flags: "-fcf-protection=full -Wl,-z,now", code: library, breakAt: "main",
            steps: 300),
        Program(name: "signal over a sleeping stack", code: signal, steps: 60),
        Program(name: "alloca", code: allocated, steps: 60),
        Program(name: "realigned frames", flags: "-mavx2", code: realigned, breakAt: "wide", steps: 120),
        Program(name: "thread", flags: "-pthread", code: thread),
    ]

    @Test(arguments: programs) func `the frames are gdb's`(program: Program) throws {
        let folder = try ScratchFolder()
        try folder.write("program.c", program.code)
        let log = output(
            of: "gcc -O2 -fomit-frame-pointer -fno-inline -fno-optimize-sibling-calls -o \(folder.path)/program "
                + "\(folder.path)/program.c \(program.flags) -ldl 2>&1")
        let session = try StackCapture.session(
            "\(folder.path)/program",
            """
            gdb.execute("handle all nostop noprint pass")
            gdb.execute("handle SIGTRAP stop")
            gdb.execute("break \(program.breakAt)")
            gdb.execute("run")
            sweep(\(program.steps), 65536)
            finish()
            """)
        try #require(session.captures.count == program.steps + 1, "\(log)\(session.log.suffix(600))")
        let tables = try SessionTables(session)
        var unwinder = tables.unwinder()
        for (index, capture) in session.captures.enumerated() {
            let outcome = unwinder.unwind(capture, tables)
            #expect(outcome == .whole, "step \(index) at \(String(capture.registers.programCounter, radix: 16))")
            #expect(unwinder.shown == capture.frames, "step \(index)")
            guard outcome == .whole, unwinder.shown == capture.frames else { break }
        }
    }

    /// gdb reads .debug_frame; we a copy without it, so that the code itself has to tell.
    @Test(arguments: [("with symbols", "-g"), ("stripped", "-s"), ("with frame pointers", "-g")])
    func `code without call frame information is followed as gdb follows it with`(
        name: String, strip: String
    ) throws {
        let folder = try ScratchFolder()
        try folder.write("program.c", Self.recursion(12))
        let frames = name == "with frame pointers" ? "-fno-omit-frame-pointer" : "-fomit-frame-pointer"
        let log = output(
            of: "cd \(folder.path) && gcc -O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables \(frames) "
                + "-fno-inline -fno-optimize-sibling-calls -o program program.c 2>&1 && "
                + "objcopy -R .debug_frame program bare && strip \(strip) bare")
        let session = try StackCapture.session(
            "\(folder.path)/program",
            """
            gdb.execute("break leaf")
            gdb.execute("run")
            sweep(150, 65536)
            finish()
            """)
        try #require(session.captures.count == 151, "\(log)\(session.log.suffix(600))")
        let tables = try SessionTables(session, replacing: ["\(folder.path)/program": "\(folder.path)/bare"])
        var unwinder = tables.unwinder()
        var wrong = 0
        for (index, capture) in session.captures.enumerated() {
            let outcome = unwinder.unwind(capture, tables)
            guard outcome != .whole || unwinder.shown != capture.frames else { continue }
            wrong += 1
            print(
                "\(name), step \(index): \(outcome)", unwinder.shown.map { String($0.address, radix: 16) },
                capture.frames.map { String($0.address, radix: 16) })
        }
        #expect(wrong == 0)
        #expect(unwinder.statistics.frameless > 500)
    }

    private static func recursion(_ depth: Int) -> String {
        """
        #include <stdlib.h>
        volatile int sink;
        int leaf(int x) { sink += x; return sink; }
        int down(int n, int a, int b, int c) {
            int r = n == 0 ? leaf(a) : down(n - 1, a + b, b + c, c + n);
            return r + a * b * c;
        }
        int main(int argc, char **argv) { return down(\(depth), argc, argc + 1, argc + 2) & 1; }
        """
    }

    private static let library = """
        #include <stdio.h>
        #include <stdlib.h>
        int compare(const void *a, const void *b) { return *(int *)a - *(int *)b; }
        int main(int argc, char **argv) {
            int values[] = {5, 3, 8, argc};
            qsort(values, 4, sizeof(int), compare);
            return values[0];
        }
        """

    private static let signal = """
        #include <signal.h>
        #include <time.h>
        #include <unistd.h>
        volatile int sink;
        int leaf(int x) { sink += x; return sink; }
        void handler(int number) { leaf(number); sink++; }
        int wait_long(int x) {
            struct timespec t = {5, 0};
            nanosleep(&t, 0);
            return sink + x;
        }
        int outer(int x) { return wait_long(x + 1) + x; }
        int main(int argc, char **argv) {
            signal(SIGALRM, handler);
            ualarm(200000, 0);
            return outer(argc);
        }
        """

    private static let allocated = """
        #include <alloca.h>
        #include <string.h>
        volatile int sink;
        int leaf(char *x) { sink += x[0]; return sink; }
        int grow(int n) {
            char *space = alloca(n * 16);
            memset(space, n, n * 16);
            int r = n < 3 ? leaf(space) : grow(n - 1);
            return r + space[n];
        }
        int main(int argc, char **argv) { return grow(12 + argc); }
        """

    private static let realigned = """
        #include <immintrin.h>
        volatile int sink;
        int leaf(int *x) { sink += x[0]; return sink; }
        int wide(int n) {
            int values[n + 3];
            __m256i block[4];
            for (int i = 0; i < 4; i++) block[i] = _mm256_set1_epi32(n + i);
            values[n] = leaf((int *)block);
            for (int i = 0; i < 4; i++) sink += _mm256_extract_epi32(block[i], 2);
            return values[n] + sink;
        }
        int outer(int n) { return wide(n + 1) + n; }
        int main(int argc, char **argv) { return outer(argc) & 1; }
        """

    private static let thread = """
        #include <pthread.h>
        volatile int sink;
        int leaf(int x) { sink += x; return sink; }
        int middle(int x) { return leaf(x + 1) + x; }
        void *run(void *x) { return (void *)(long)middle(3); }
        int main(int argc, char **argv) {
            pthread_t t;
            pthread_create(&t, 0, run, 0);
            pthread_join(t, 0);
            return 0;
        }
        """
}
