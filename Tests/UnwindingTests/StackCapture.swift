import Glibc
import ToolOutput
import Unwinding

/// A stopped thread as gdb sees it: registers, a copy of its stack, the executable mappings, and gdb's own backtrace.
struct StackCapture {
    struct Frame: Equatable {
        var address: UInt64
        var isSignal: Bool
    }

    struct Map: Hashable {
        var start: UInt64
        var end: UInt64
        var offset: UInt64
        var path: String
    }

    var registers = UserRegisters(.x86_64)
    var stack: [UInt8] = []
    /// gdb's, leaf first, without those that it makes up from debug information: inlined and tail-called functions.
    var frames: [Frame] = []

    /// Many captures of one process share its mappings.
    struct Session {
        var captures: [StackCapture] = []
        var maps: [Map] = []
        /// The vDSO's bytes.
        var sharedObject: [UInt8] = []
        var log = ""
    }

    /// Says nothing when gdb can read its own frames no further; those that it has count.
    private static let script = #"""
        import gdb
        gdb.execute("set pagination off")
        gdb.execute("set backtrace past-main on")
        gdb.execute("set backtrace past-entry on")
        gdb.execute("set confirm off")
        gdb.execute("set debuginfod enabled off")
        NAMES = ["rax","rdx","rcx","rbx","rsi","rdi","rbp","rsp","r8","r9","r10","r11","r12","r13","r14","r15","rip"]
        def maps():
            found = []
            for line in open("/proc/%d/maps" % gdb.selected_inferior().pid):
                parts = line.split(None, 5)
                start, end = [int(x, 16) for x in parts[0].split("-")]
                found.append((start, end, parts[1], int(parts[2], 16), parts[5].strip() if len(parts) > 5 else ""))
            return found
        def capture(limit):
            frame = gdb.newest_frame()
            print("\ncapture")
            values = [int(frame.read_register(name)) & 0xFFFFFFFFFFFFFFFF for name in NAMES]
            for number, value in enumerate(values):
                print("reg %d %x" % (number, value))
            sp = values[7]
            for start, end, mode, offset, path in maps():
                if start <= sp < end:
                    print("stack " + gdb.selected_inferior().read_memory(sp, min(limit, end - sp)).tobytes().hex())
            try:
                while frame is not None:
                    if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
                        print("frame %x %d" % (frame.pc(), frame.type() == gdb.SIGTRAMP_FRAME))
                    frame = frame.older()
            except gdb.error as error:
                print("note %s" % error)
        def finish():
            for start, end, mode, offset, path in maps():
                if "x" in mode and (path.startswith("/") or path == "[vdso]"):
                    print("map %x %x %x %s" % (start, end, offset, path))
                if path == "[vdso]":
                    print("vdso " + gdb.selected_inferior().read_memory(start, end - start).tobytes().hex())
        def sweep(count, limit):
            for _ in range(count):
                capture(limit)
                gdb.execute("stepi", to_string=True)
            capture(limit)
        """#

    /// Runs gdb. `commands` are Python after the script: run or attach, then `capture(bytes)` as often as wanted, then
    /// `finish()`.
    static func session(_ arguments: String, _ commands: String) throws -> Session {
        let folder = try ScratchFolder()
        try folder.write("capture.py", script + "\n" + commands + "\n")
        let text = output(of: "gdb -nx -batch -x \(folder.path)/capture.py \(arguments) 2>&1 </dev/null")
        var session = Session()
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 4).map(String.init)
            func hex(_ index: Int) -> UInt64 { index < parts.count ? UInt64(parts[index], radix: 16) ?? 0 : 0 }
            switch parts.first {
            case "capture": session.captures.append(StackCapture())
            case "reg" where !session.captures.isEmpty:
                session.captures[session.captures.count - 1].registers[Int(parts[1]) ?? 0] = hex(2)
            case "stack" where parts.count == 2 && !session.captures.isEmpty:
                session.captures[session.captures.count - 1].stack = bytes(parts[1])
            case "frame" where !session.captures.isEmpty:
                session.captures[session.captures.count - 1].frames.append(
                    Frame(address: hex(1), isSignal: parts[2] == "1"))
            case "map" where parts.count == 5:
                session.maps.append(Map(start: hex(1), end: hex(2), offset: hex(3), path: parts[4]))
            case "vdso" where parts.count == 2: session.sharedObject = bytes(parts[1])
            default: session.log += line + "\n"
            }
        }
        return session
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8)
        func value(_ digit: UInt8) -> UInt8 { digit < 0x3A ? digit - 0x30 : digit - 0x57 }
        return stride(from: 0, to: digits.count - 1, by: 2).map { value(digits[$0]) << 4 | value(digits[$0 + 1]) }
    }
}

/// A folder that goes with its owner.
final class ScratchFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/unwinding-XXXXXX\0".utf8CString.dropLast())
        guard let made = unsafe mkdtemp(&template) else { throw CancellationError() }
        path = unsafe String(cString: made)
    }

    deinit {
        _ = output(of: "rm -rf '\(path)'")
    }

    func write(_ name: String, _ text: String) throws {
        guard let file = unsafe fopen("\(path)/\(name)", "w") else { throw CancellationError() }
        defer { unsafe fclose(file) }
        unsafe fputs(text, file)
    }
}
