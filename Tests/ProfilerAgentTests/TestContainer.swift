import Glibc
import LinuxSystem
import Profiles
import ToolOutput

/// A process in mount and PID namespaces of its own with an overlay as its root, as a container runtime makes it, and in
/// a control group named like Docker's where one can be made. The host has other files at the same paths.
final class TestContainer {
    enum Change: String, CaseIterable, Sendable {
        case none
        /// The program is copied up into the overlay's upper layer before it starts.
        case copiedUp
        /// Program and library are removed once they run.
        case removed
        /// A pipe and a link to a file of the host's take their place once they run.
        case replaced
    }

    struct Failure: Error { var reason: String }

    /// nil where a container can be made here.
    static let hindrance: String? = {
        if geteuid() != 0 { return "needs root" }
        if !contents("/proc/filesystems").split(separator: 10).contains(where: {
            $0.elementsEqual("nodev\toverlay".utf8)
        }) {
            return "needs overlayfs"
        }
        let tools = ["gcc", "unshare", "pivot_root"].filter { output(of: "command -v \($0)").isEmpty }
        return tools.isEmpty ? nil : "needs \(tools.joined(separator: ", "))"
    }()

    let folder: String
    let id: String
    /// Of the program, as the host sees it.
    private(set) var process: Int32 = 0
    /// As in /proc/PID/cgroup; nil where no unified hierarchy can be written.
    let controlGroup: String?
    private let groupPlace: String?
    private var starter: GatedProcess?

    var program: String { "\(folder)/app/work" }
    var library: String { "\(folder)/app/libwork.so" }
    /// A file of the host alone.
    var secret: String { "\(folder)/secret" }
    /// The container's root where the host can write in it, before and while it runs.
    var lower: String { "\(folder)/lower" }

    init() throws {
        folder = "/tmp/perf-fleet-container-\(UInt32.random(in: 0 ... .max))"
        let digits = Array("0123456789abcdef")
        id = String((0..<64).map { _ in digits.randomElement() ?? "0" })
        let unified = ControlGroupMounts.read().mounts.first { $0.controllers.isEmpty && $0.root == "/" }?.place
        let name = "/perf-fleet-test-\(id.prefix(8))/docker-\(id).scope"
        let isMade = unified.map { output(of: "mkdir -p '\($0)\(name)' && echo made") == "made\n" } ?? false
        groupPlace = isMade ? unified.map { $0 + name } : nil
        controlGroup = isMade ? name : nil
        try build()
    }

    deinit {
        if process > 0 { kill(process, SIGKILL) }
        if let starter {
            starter.kill(SIGKILL)
            for _ in 0..<200 where (try? starter.end()) == .some(nil) { usleep(10_000) }
        }
        // Its namespace, and with it the mounts, went with its last process.
        if let groupPlace { _ = output(of: "rmdir '\(groupPlace)' && rmdir \"$(dirname '\(groupPlace)')\"") }
        _ = output(of: "rm -rf --one-file-system '\(folder)' 2>&1")
    }

    private func build() throws {
        let text = output(
            of: """
                exec 2>&1; set -e
                T=\(folder); L=$T/lower
                mkdir -p $T/app $L$T/app $T/upper $T/work $T/merged $L/old $L/proc $L/lib64 $L/lib/x86_64-linux-gnu
                echo secret > $T/secret
                cat > $T/work.c <<'END'
                #define _GNU_SOURCE
                #include <sys/mount.h>
                #include <unistd.h>
                void LIBRARY(void);
                volatile unsigned long sink;
                __attribute__((noinline)) void LOOP(void) { for (int i = 0; i < 2000000; i++) sink = sink * 3 + 1; }
                int main(void) {
                    umount2("/old", MNT_DETACH);
                    for (;;) { LOOP(); LIBRARY(); usleep(2000); }
                }
                END
                cat > $T/libwork.c <<'END'
                static volatile unsigned long sink;
                __attribute__((noinline)) void LIBRARY(void) { for (int i = 0; i < 2000000; i++) sink = sink * 3 + 1; }
                END
                build() {
                    gcc -O1 -fno-omit-frame-pointer -shared -fPIC -DLIBRARY=$1_library -o $2/libwork.so $T/libwork.c
                    gcc -O1 -fno-omit-frame-pointer -DLIBRARY=$1_library -DLOOP=$1_loop -o $2/work $T/work.c -L$2 -lwork \
                        -Wl,-rpath,$T/app
                }
                build host $T/app
                build container $L$T/app
                for file in /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6; do cp -L $file $L$file; done
                echo built
                """)
        guard text.hasSuffix("built\n") else { throw Failure(reason: text) }
    }

    /// Starts the program and waits until it runs.
    func start(_ change: Change = .none) async throws {
        let enter = groupPlace.map { "echo $$ > '\($0)/cgroup.procs'" } ?? ":"
        let copyUp = change == .copiedUp ? "touch merged\(program)" : ":"
        let script = """
            set -e
            \(enter)
            cd \(folder)
            mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
            mount -t proc proc merged/proc
            \(copyUp)
            cd merged
            pivot_root . old
            exec /old\(output(of: "command -v chroot").dropLast()) . \(program)
            """
        let starter = try GatedProcess(arguments: ["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", script])
        self.starter = starter
        try starter.open()
        for _ in 0..<500 where process == 0 {
            try await Task.sleep(for: .milliseconds(10))
            let child = ProcFile.processes().first { ProcessStatus.read($0)?.parent == starter.process }
            if let child, ProcFile.executable(of: child) == program { process = child }
        }
        guard process > 0 else { throw Failure(reason: "the container's program did not start") }
        // The loader maps the library a moment after the exec.
        for _ in 0..<500 where ProcessMaps.executable(of: process)?.contains(where: { $0.path == library }) != true {
            try await Task.sleep(for: .milliseconds(10))
        }
        let root = "/proc/\(process)/root"
        switch change {
        case .none, .copiedUp: break
        case .removed: _ = output(of: "rm \(root)\(program) \(root)\(library)")
        case .replaced:
            _ = output(of: "cd \(root)\(folder)/app; rm work libwork.so; mkfifo work; ln -s \(secret) libwork.so")
        }
    }
}
