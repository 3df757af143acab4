import Foundation
import Testing

/// A chain of known depth and functions, without frame pointers; a signal handler over a sleeping stack; code loaded at
/// run time; a thread of its own.
private let chains = """
    #include <dlfcn.h>
    #include <pthread.h>
    #include <signal.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/time.h>
    #include <time.h>
    #include <unistd.h>
    #define NO __attribute__((noinline, noclone))
    static volatile unsigned long sink;
    static double cpu(void) {
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return t.tv_sec + t.tv_nsec / 1e9;
    }
    NO void leaf(int n) { for (int i = 0; i < n; i++) sink += i * 3u; }
    NO int descend(int depth, int n) {
        if (depth == 0) { leaf(n); return 1; }
        int found = descend(depth - 1, n);
        sink += found;
        return found + 1;
    }
    static volatile sig_atomic_t rings;
    NO void handler(int number) { (void)number; leaf(4000000); rings++; }
    NO void *in_thread(void *seconds) { double end = cpu() + *(double *)seconds; while (cpu() < end) descend(3, 200000); return 0; }
    int main(int count, char **arguments) {
        double seconds = atof(arguments[2]);
        double end = cpu() + seconds;
        if (!strcmp(arguments[1], "signal")) {
            struct sigaction action = {.sa_handler = handler};
            sigaction(SIGALRM, &action, 0);
            while (cpu() < end) { alarm(0); ualarm(1000, 20000); pause(); }
        } else if (!strcmp(arguments[1], "altstack")) {
            stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
            sigaltstack(&stack, 0);
            struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
            sigaction(SIGALRM, &action, 0);
            while (cpu() < end) { alarm(0); ualarm(1000, 20000); pause(); }
        } else if (!strcmp(arguments[1], "thread")) {
            pthread_t thread;
            pthread_create(&thread, 0, in_thread, &seconds);
            pthread_join(thread, 0);
        } else if (!strcmp(arguments[1], "dlopen")) {
            void *library = dlopen(arguments[3], RTLD_NOW);
            int (*work)(int) = (int (*)(int))dlsym(library, "library_work");
            while (cpu() < end) sink += work(300000);
        } else {
            int depth = atoi(arguments[1]);
            while (cpu() < end) descend(depth, 200000);
        }
        return count > 9;
    }

    """

private let library = """
    static volatile unsigned long sink;
    __attribute__((noinline)) static void library_leaf(int n) { for (int i = 0; i < n; i++) sink += i * 5u; }
    int library_work(int n) { library_leaf(n); return (int)sink; }

    """

func has(_ program: String) -> Bool { FileManager.default.isExecutableFile(atPath: program) }

/// Programs as they are shipped: no frame pointers, stripped or not, of several languages; chains and shares known.
@Suite(
    .serialized, .enabled(if: canSample, "needs the right to sample the whole host (root or CAP_PERFMON)"),
    .enabled(if: has("/usr/bin/gcc"), "gcc is not installed; Deploy/install-packages.sh installs it"))
struct WholeStackTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func compile(_ flags: [String], _ source: String = chains, _ name: String = "chains") throws -> String {
        let file = folder.path("\(name).c")
        try source.write(toFile: file, atomically: true, encoding: .utf8)
        let arguments = ["-O2", "-fno-optimize-sibling-calls", "-o", folder.path(name), file] + flags
        let compiled = try Program.run("/usr/bin/gcc", arguments)
        try #require(compiled.status == 0, "\(compiled.errors)")
        return folder.path(name)
    }

    private func profile(_ command: [String], target: String? = nil, rate: String = "400") throws -> Profiled {
        try Profiled(command, target: target, rate: rate, in: folder)
    }

    @Test(arguments: [["-fomit-frame-pointer"], ["-static-pie"], ["-static"], ["-no-pie"], ["-s"]])
    func `90 and 300 frames of recursion come out whole, each in its place`(flags: [String]) throws {
        let program = try compile(flags)
        for depth in [90, 300] {
            let found = try profile([program, "\(depth)", "0.8"])
            #expect(found.samples > 150)
            #expect(found.whole >= 0.97 * found.samples, "\(found.whole) of \(found.samples), \(flags)")
            guard !flags.contains("-s") else { continue }
            let leaves = found.stacks.filter { $0.frames.last == "leaf" }
            let all = leaves.reduce(0) { $0 + $1.value }
            let right = leaves.filter { stack in
                stack.frames.count { $0 == "descend" } == depth + 1 && stack.frames.contains("main")
            }.reduce(0) { $0 + $1.value }
            #expect(all > 100)
            #expect(right >= 0.97 * all, "\(right) of \(all), \(flags) \(depth)")
        }
    }

    @Test func `a stack deeper than the copy is cut, marked and counted`() throws {
        let found = try profile([try compile([]), "1500", "0.8"])
        #expect(found.cut >= 0.9 * found.samples, "\(found.cut) of \(found.samples)")
        let marked = found.stacks.filter { $0.frames.contains("[truncated]") }.reduce(0) { $0 + $1.value }
        let all = found.stacks.reduce(0) { $0 + $1.value }
        #expect(marked >= 0.9 * all)
        // The frames nearest to the leaf are there all the same.
        let deep = try #require(found.stacks.max { $0.value < $1.value })
        #expect(deep.frames.last == "leaf" && deep.frames.count { $0 == "descend" } > 300)
    }

    @Test func `a signal handler stands over the stack that it interrupted`() throws {
        let found = try profile([try compile([]), "signal", "0.8"])
        #expect(found.whole >= 0.97 * found.samples, "\(found.whole) of \(found.samples)")
        let handled = found.stacks.filter { $0.frames.suffix(2) == ["handler", "leaf"] }
        let all = handled.reduce(0) { $0 + $1.value }
        let right = handled.filter { stack in
            guard let main = stack.frames.firstIndex(of: "main"), let handler = stack.frames.lastIndex(of: "handler")
            else { return false }
            return main < handler
        }.reduce(0) { $0 + $1.value }
        #expect(all > 100 && right >= 0.97 * all, "\(right) of \(all)")
    }

    /// The copy holds the handler's stack; the other one may have moved on by the time that anybody could read it.
    @Test func `a signal handler on a stack of its own ends at what it interrupted, and is told so`() throws {
        let found = try profile([try compile([]), "altstack", "0.8"])
        let handled = found.stacks.filter { $0.frames.suffix(2) == ["handler", "leaf"] }
        let all = handled.reduce(0) { $0 + $1.value }
        let right = handled.filter { stack in
            // Process, mark, what was interrupted, the trampoline.
            stack.frames.count == 6 && stack.frames[1] == "[broken: continues on another stack]"
                && stack.frames[2].hasSuffix("pause")
        }.reduce(0) { $0 + $1.value }
        #expect(all > 100 && right >= 0.97 * all, "\(right) of \(all): \(handled.first?.frames ?? [])")
        // Nothing else is broken.
        let coverage = try #require(found.answer["coverage"] as? [String: Any])
        let broken = try #require(coverage["brokenStacks"] as? Double)
        #expect(found.whole + found.cut + broken == found.samples)
        let reasons = try #require(coverage["brokenReasons"] as? [String: Double])
        #expect(reasons["continues on another stack", default: 0] >= broken - 0.01 * found.samples, "\(reasons)")
    }

    @Test func `a thread's stack ends where the thread began`() throws {
        let found = try profile([try compile(["-pthread"]), "thread", "0.8"])
        #expect(found.whole >= 0.97 * found.samples, "\(found.whole) of \(found.samples)")
        let right = found.stacks.filter { $0.frames.contains("in_thread") && !$0.frames.contains("main") }
        #expect(right.reduce(0) { $0 + $1.value } > 0.9 * found.stacks.reduce(0) { $0 + $1.value })
    }

    @Test func `code that was loaded while the program ran is followed and named`() throws {
        let program = try compile([])
        let shared = try compile(["-shared", "-fPIC"], library, "library.so")
        let found = try profile([program, "dlopen", "0.8", shared])
        #expect(found.whole >= 0.97 * found.samples, "\(found.whole) of \(found.samples)")
        let right = found.stacks.filter { $0.frames.suffix(3) == ["main", "library_work", "library_leaf"] }
        #expect(right.reduce(0) { $0 + $1.value } > 0.9 * found.stacks.reduce(0) { $0 + $1.value })
    }

    @Test func `a program that runs already is followed as well as one that is started`() throws {
        let running = try Running(try compile([]), ["60", "20"])
        defer { running.signal(SIGKILL) }
        let found = try profile([], target: "\(running.pid)")
        #expect(found.samples > 100)
        #expect(found.whole >= 0.97 * found.samples, "\(found.whole) of \(found.samples)")
        let leaves = found.stacks.filter { $0.frames.last == "leaf" }
        let right = leaves.filter { stack in stack.frames.count { $0 == "descend" } == 61 }
        #expect(right.reduce(0) { $0 + $1.value } >= 0.97 * leaves.reduce(0) { $0 + $1.value })
    }
}
