import Foundation
import Testing

/// A directory that goes with its owner, and programs compiled or started in it.
final class Workshop {
    let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "runtimes-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func write(_ name: String, _ text: String) throws -> String {
        let path = "\(folder)/\(name)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// Runs a program to its end; its standard output, or nil where it fails.
    @discardableResult
    func run(_ program: String, _ arguments: [String]) -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
    }
}

/// A program that runs until its owner lets go.
final class StartedProgram {
    let process = Process()
    var identifier: Int32 { process.processIdentifier }

    init(_ program: String, _ arguments: [String], folder: String, environment: [String: String]? = nil) throws {
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        if let environment { process.environment = environment }
        try process.run()
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// The thread that has used most CPU time.
    func busiestThread() -> Int32 {
        var best: (Int32, UInt64) = (identifier, 0)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(identifier)/task")) ?? []
        for name in names {
            guard let text = try? String(contentsOfFile: "/proc/\(identifier)/task/\(name)/stat", encoding: .utf8),
                let fields = text.split(separator: ")").last?.split(separator: " "), fields.count > 12,
                let ticks = UInt64(fields[11]), let thread = Int32(name)
            else { continue }
            if ticks > best.1 { best = (thread, ticks) }
        }
        return best.0
    }
}

/// Stops a thread by ptrace(2) at moments of its own and tells its registers: the truth beside which walks are held.
final class HeldThread {
    struct Registers {
        var pc: UInt64
        var sp: UInt64
        var fp: UInt64
        var r13: UInt64
    }

    static let source = """
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/ptrace.h>
        #include <sys/user.h>
        #include <sys/wait.h>
        #include <unistd.h>
        int main(int argc, char **argv) {
            pid_t thread = atoi(argv[1]);
            if (ptrace(PTRACE_SEIZE, thread, 0, 0) < 0) return 1;
            char line[16];
            while (fgets(line, sizeof line, stdin)) {
                int status;
                struct user_regs_struct r;
                usleep(500 + rand() % 3000);
                ptrace(PTRACE_INTERRUPT, thread, 0, 0);
                if (waitpid(thread, &status, __WALL) < 0 || !WIFSTOPPED(status)) return 2;
                if (ptrace(PTRACE_GETREGS, thread, 0, &r) < 0) return 3;
                printf("%llx %llx %llx %llx\\n", r.rip, r.rsp, r.rbp, r.r13);
                fflush(stdout);
                if (!fgets(line, sizeof line, stdin)) return 0;
                int signal = WSTOPSIG(status);
                ptrace(PTRACE_CONT, thread, 0, status >> 16 ? 0 : signal);
            }
            return 0;
        }
        """

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    /// Must outlive this: a process with a traced thread doesn't end.
    private let program: StartedProgram

    init?(_ thread: Int32, of program: StartedProgram, in workshop: Workshop) throws {
        self.program = program
        let source = try workshop.write("hold.c", Self.source)
        guard workshop.run("/usr/bin/gcc", ["-O1", "-o", "\(workshop.folder)/hold", source]) != nil else { return nil }
        process.executableURL = URL(fileURLWithPath: "\(workshop.folder)/hold")
        process.arguments = ["\(thread)"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    deinit {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Calls `body` while the thread stands still.
    func stopped(_ body: (Registers) -> Void) -> Bool {
        input.fileHandleForWriting.write(Data("\n".utf8))
        var line = Data()
        while line.last != 10 {
            let part = output.fileHandleForReading.availableData
            if part.isEmpty { return false }
            line += part
        }
        let values = String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace).compactMap {
            UInt64($0, radix: 16)
        }
        guard values.count == 4 else { return false }
        body(Registers(pc: values[0], sp: values[1], fp: values[2], r13: values[3]))
        input.fileHandleForWriting.write(Data("\n".utf8))
        return true
    }
}
