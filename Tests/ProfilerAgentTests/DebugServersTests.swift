import Glibc
import LinuxSystem
import Profiles
import Settings
import SymbolSources
import SymbolTables
import Synchronization
import Testing

@testable import ProfilerAgent

private let helperProgram: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
    let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return path.prefix(through: path.lastIndex(of: "/") ?? path.startIndex) + "ObjectHelperProgram"
}()

private let hasServer = unsafe access("/usr/bin/debuginfod", X_OK) == 0

/// Programs of one source, without and with debug information.
private final class Folder: Sendable {
    let path = "/tmp/debug-servers-\(getpid())-\(UInt32.random(in: 0 ... .max))"

    init() {
        unsafe mkdir(path, 0o755)
        unsafe mkdir(path + "/served", 0o755)
    }

    func run(_ command: String) -> Bool { unsafe system("cd \(path) && { \(command) ; } >/dev/null 2>&1") == 0 }

    /// `NAME`, stripped, and its debug file as `served/NAME.debug`.
    func build(_ name: String) throws {
        let source =
            "static inline int __attribute__((always_inline)) sq(int x) {\\n return x * x; }\\n"
            + "int main(int c, char **v) {\\n return sq(c) + \(name.utf8.reduce(0) { $0 + Int($1) }); }\\n"
        try #require(
            run(
                "printf '\(source)' > \(name).c && gcc -g -O2 \(name).c -o full && strip full -o \(name)"
                    + " && objcopy --only-keep-debug full served/\(name).debug && rm full"))
    }

    deinit { unsafe _ = system("rm -rf \(path)") }
}

private func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
}

/// A socket that listens on a free port of the loopback.
private func listener() throws -> (socket: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0
                && getsockname(descriptor, $0, &length) == 0
        }
    }
    try #require(isBound)
    return (descriptor, UInt16(bigEndian: address.sin_port))
}

/// A server that answers every request in the same way.
private final class LoopbackServer: Sendable {
    enum Behaviour: Sendable {
        /// Takes the request and says nothing.
        case hang
        case answer([UInt8])
        /// 200, and zeros without end.
        case endless
    }

    let port: UInt16
    private let socket: Int32
    private let open = Mutex<[Int32]>([])
    private let count = Atomic<Int>(0)

    var requests: Int { count.load(ordering: .acquiring) }
    var url: String { "http://127.0.0.1:\(port)" }

    init(_ behaviour: Behaviour) throws {
        (socket, port) = try listener()
        let socket = socket
        let thread = Thread { [weak self] in
            while true {
                let connection = accept(socket, nil, nil)
                if connection < 0, errno == EINTR { continue }
                guard connection >= 0 else { return }
                guard let self else {
                    close(connection)
                    return
                }
                self.count.wrappingAdd(1, ordering: .releasing)
                self.serve(connection, behaviour)
            }
        }
        thread.start()
    }

    private func serve(_ connection: Int32, _ behaviour: Behaviour) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        _ = unsafe read(connection, &buffer, buffer.count)
        func say(_ bytes: [UInt8]) -> Bool {
            unsafe send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
        }
        switch behaviour {
        case .hang:
            open.withLock { $0.append(connection) }
            return
        case .answer(let bytes): _ = say(bytes)
        case .endless:
            _ = say(Array("HTTP/1.1 200 OK\r\n\r\n".utf8))
            while say([UInt8](repeating: 0, count: 65_536)) {}
        }
        close(connection)
    }

    static func text(_ status: String, _ body: [UInt8], headers: String = "") -> Behaviour {
        .answer(Array("HTTP/1.1 \(status)\r\nContent-Length: \(body.count)\r\n\(headers)\r\n".utf8) + body)
    }

    deinit {
        shutdown(socket, Int32(SHUT_RDWR))
        close(socket)
        open.withLock { for connection in $0 { close(connection) } }
    }
}

/// A thread that runs a closure; the platform's own, since these tests do without Foundation.
private struct Thread {
    private final class Box { let body: () -> Void; init(_ body: @escaping () -> Void) { self.body = body } }
    private let box: Box

    init(_ body: @escaping () -> Void) { box = Box(body) }

    func start() {
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(box).toOpaque()
        unsafe pthread_create(
            &thread, nil,
            { context in
                unsafe context.map { unsafe Unmanaged<Box>.fromOpaque($0).takeRetainedValue().body() }
                return nil
            }, context)
        pthread_detach(thread)
    }
}

/// Debian's debuginfod over a folder, ready to answer.
private final class DebuginfodServer {
    let url: String
    private let process: ChildProcess

    init(_ folder: String, knows buildID: [UInt8]) async throws {
        let (socket, port) = try listener()
        close(socket)
        url = "http://127.0.0.1:\(port)"
        let nothing = try OwnedDescriptor.open("/dev/null")
        process = try ChildProcess(
            executable: "/usr/bin/debuginfod",
            arguments: ["debuginfod", "-p", "\(port)", "-d", ":memory:", "-t", "1", "-F", folder],
            environment: ["PATH=/usr/bin:/bin", "HOME=/nonexistent"], inherited: nothing.rawValue)
        // Asked until it has looked at the folder.
        let server = try #require(DebugServer(url))
        let request = FetchRequest(
            url: server.url(ofDebugFile: Hexadecimal.text(buildID)), maximumBytes: 1 << 26, connectTime: .seconds(5),
            stallTime: .seconds(5), totalTime: .seconds(10))
        for _ in 0..<300 {
            let file = try AnonymousFile.make(in: "/tmp")
            if request.perform(helperProgram, ["perf-agent", "fetch"], into: file.rawValue) == .done { return }
            try await Task.sleep(nanoseconds: 100_000_000)
        }
        Issue.record("debuginfod did not find the file")
    }
}

private func options() -> DebugServers.Options {
    var options = DebugServers.Options()
    options.stallTime = .seconds(4)
    options.totalTime = .seconds(12)
    return options
}

private let reader: ObjectReader = {
    // A proxy of the machine's knows nothing of its loopback.
    unsafe setenv("no_proxy", "127.0.0.1", 1)
    return ObjectReader(executable: helperProgram, arguments: [])
}()

private func servers(
    _ urls: [String], memory: String? = nil, _ options: DebugServers.Options = options()
) -> DebugServers {
    DebugServers(
        DebugServer.list(urls.joined(separator: " ")).servers, reader: reader, folder: "/tmp", memory: memory,
        options: options, executable: helperProgram)
}

/// The table of `NAME` in the folder.
private func table(
    _ folder: Folder, _ name: String, _ servers: DebugServers?, asking: ModuleSymbols.Asking = .also
) async throws -> SymbolTable {
    let file = try OwnedDescriptor.open("\(folder.path)/\(name)")
    let identity = try await reader.identify(file).get().identity
    let bytes = try await ModuleSymbols(reader: reader, cache: nil, servers: servers).table(
        of: file, identity: identity, path: "\(folder.path)/\(name)", process: getpid(), asking: asking
    ).get()
    return try SymbolTable(decoding: bytes)
}

private func buildID(_ folder: Folder, _ name: String) async throws -> [UInt8] {
    try await reader.identify(try OwnedDescriptor.open("\(folder.path)/\(name)")).get().identity.bytes
}

@Suite(.serialized) struct DebugServersTests {
    @Test(.enabled(if: hasServer, "needs Debian's debuginfod"))
    func `a stripped program gets lines and inlined functions from a real server`() async throws {
        let folder = Folder()
        try folder.build("program")
        try folder.build("stranger")
        #expect(folder.run("rm served/stranger.debug"))
        let server = try await DebuginfodServer(folder.path + "/served", knows: try await buildID(folder, "program"))
        let asked = servers([server.url])
        #expect(try await table(folder, "program", asked, asking: .never).quality < .symbols)
        let found = try await table(folder, "program", asked)
        #expect(found.quality == .debugInformation)
        #expect(found.gaps == [])
        #expect(found.inlinedCallCount == 1)
        #expect(await asked.statistics.found == 1)
        #expect(await asked.statistics.bytes > 1000)
        // What it does not know, it is not asked for again.
        #expect(try await table(folder, "stranger", asked).quality < .symbols)
        #expect(await asked.statistics.absent == 1)
        #expect(try await table(folder, "stranger", asked).quality < .symbols)
        #expect(await asked.statistics.absent == 1)
        #expect(await asked.statistics.spared == 1)
        #expect(await asked.statistics.failures == 0)
        withExtendedLifetime(server) {}
    }

    @Test(.enabled(if: hasServer, "needs Debian's debuginfod"))
    func `the file that dwz shares among several comes from a server, too`() async throws {
        let folder = Folder()
        let parts = (0..<40).map { "struct s\($0) { int a\($0); struct s\($0) *next; char text[\($0 + 1)]; };" }
        #expect(folder.run("printf '\(parts.joined(separator: "\\n"))\\n' > shared.h"))
        for name in ["one", "two"] {
            let uses = (0..<40).map { "struct s\($0) \(name)\($0);" }.joined(separator: "\\n")
            try #require(
                folder.run(
                    "printf '#include \"shared.h\"\\n\(uses)\\nint main(void) {\\n return one; }\\n' | sed s/return.one/return\\ 1/"
                        + " > \(name).c && gcc -g -O1 \(name).c -o \(name).full && strip \(name).full -o \(name)"
                        + " && cp \(name).full served/\(name).debug"))
        }
        try #require(folder.run("cd served && dwz -m common.debug one.debug two.debug && test -s common.debug"))
        let server = try await DebuginfodServer(folder.path + "/served", knows: try await buildID(folder, "one"))
        let asked = servers([server.url])
        let found = try await table(folder, "one", asked)
        #expect(found.quality == .debugInformation)
        #expect(found.gaps == [])
        #expect(await asked.statistics.found == 2)
        withExtendedLifetime(server) {}
    }

    @Test func `a server that hangs costs its time once, and the next one answers`() async throws {
        let folder = Folder()
        try folder.build("program")
        let debug = try #require(ProcFile.read("\(folder.path)/served/program.debug", limit: 1 << 24))
        let silent = try LoopbackServer(.hang)
        let good = try LoopbackServer(LoopbackServer.text("200 OK", debug))
        let asked = servers([silent.url, good.url])
        let start = ContinuousClock.now
        #expect(try await table(folder, "program", asked).quality == .debugInformation)
        #expect(ContinuousClock.now - start < .seconds(20))
        #expect(await asked.statistics.failures == 1)
        #expect(await asked.statistics.lastFailure?.hasPrefix(silent.url) == true)
        #expect(try await table(folder, "program", asked).quality == .debugInformation)
        #expect(silent.requests == 1)
        #expect(good.requests == 2)
        #expect(await asked.statistics.spared == 1)
    }

    @Test func `what is not the wanted file is of no use, nor is one without debug information`() async throws {
        let folder = Folder()
        try folder.build("program")
        try folder.build("other")
        let other = try #require(ProcFile.read("\(folder.path)/served/other.debug", limit: 1 << 24))
        let stripped = try #require(ProcFile.read("\(folder.path)/program", limit: 1 << 24))
        let bad = try [
            Array("<html>".utf8), other, stripped, Array(other.prefix(500)), [],
        ].map { try LoopbackServer(LoopbackServer.text("200 OK", $0)) }
        let asked = servers(bad.map(\.url))
        #expect(try await table(folder, "program", asked).quality < .symbols)
        #expect(await asked.statistics.useless == UInt64(bad.count))
        #expect(try await table(folder, "program", asked).quality < .symbols)
        #expect(bad.allSatisfy { $0.requests == 1 })
    }

    @Test func `a file that is too long is given up where the limit is`() async throws {
        let folder = Folder()
        try folder.build("program")
        var limits = options()
        limits.fileBytes = 1 << 20
        limits.totalTime = .seconds(30)
        let endless = try LoopbackServer(.endless)
        let asked = servers([endless.url], limits)
        #expect(try await table(folder, "program", asked).quality < .symbols)
        #expect(await asked.statistics.useless == 1)
        #expect(await asked.statistics.failures == 0)
        #expect(try await table(folder, "program", asked).quality < .symbols)
        #expect(endless.requests == 1)
    }

    @Test(arguments: ["500 Internal Server Error", "429 Too Many Requests", "302 Found"])
    func `a server that is in trouble or leads to a file is left alone`(status: String) async throws {
        let folder = Folder()
        try folder.build("program")
        let server = try LoopbackServer(
            LoopbackServer.text(status, [], headers: status.hasPrefix("302") ? "Location: file:///etc/passwd\r\n" : ""))
        let asked = servers([server.url])
        #expect(try await table(folder, "program", asked).quality < .symbols)
        #expect(await asked.statistics.failures == 1)
        #expect(try await table(folder, "program", asked).quality < .symbols)
        #expect(server.requests == 1)
    }

    @Test func `the next process knows which server is gone and what another does not have`() async throws {
        let folder = Folder()
        try folder.build("program")
        #expect(folder.run("mkdir -m 700 kept"))
        let (socket, port) = try listener()
        close(socket)
        let unknowing = try LoopbackServer(LoopbackServer.text("404 Not Found", []))
        let urls = ["http://name:secret@127.0.0.1:\(port)", unknowing.url]
        let first = servers(urls, memory: folder.path + "/kept/debuginfod")
        #expect(try await table(folder, "program", first).quality < .symbols)
        #expect(await first.statistics.failures == 1)
        #expect(await first.statistics.absent == 1)
        #expect(await first.statistics.lastFailure?.contains("secret") == false)
        #expect(folder.run("! grep -r secret kept && test $(stat -c %a kept/debuginfod) = 600"))
        let second = servers(urls, memory: folder.path + "/kept/debuginfod")
        #expect(try await table(folder, "program", second).quality < .symbols)
        #expect(await second.statistics.spared == 2)
        #expect(unknowing.requests == 1)
        // Rubbish is as good as nothing.
        #expect(folder.run("head -c 5000 /dev/urandom > kept/debuginfod"))
        let third = servers(urls, memory: folder.path + "/kept/debuginfod")
        #expect(try await table(folder, "program", third).quality < .symbols)
        #expect(unknowing.requests == 2)
    }

    @Test func `no server is asked for what this host has`() async throws {
        let folder = Folder()
        try folder.build("program")
        #expect(
            folder.run(
                "gcc -g program.c -o whole && cp served/program.debug . && objcopy --add-gnu-debuglink=program.debug program"
            ))
        let server = try LoopbackServer(LoopbackServer.text("404 Not Found", []))
        let asked = servers([server.url])
        #expect(try await table(folder, "program", asked).quality == .debugInformation)
        #expect(try await table(folder, "whole", asked).quality == .debugInformation)
        #expect(server.requests == 0)
    }

    @Test func `the fetching process has no rights and ends with its parent's interest`() async throws {
        let folder = Folder()
        try folder.build("program")
        let server = try LoopbackServer(.hang)
        var limits = options()
        limits.stallTime = .seconds(20)
        limits.totalTime = .seconds(2)
        let asked = servers([server.url], limits)
        async let made = table(folder, "program", asked)
        var status: String?
        for _ in 0..<500 where status == nil {
            if server.requests > 0 {
                let children = ProcFile.processes().filter { ProcessStatus.read($0)?.parent == getpid() }
                status = children.compactMap { process in
                    ProcFile.read("/proc/\(process)/status", limit: 8192).map { String(decoding: $0, as: UTF8.self) }
                }.first { $0.contains("perf-agent-get") }
            }
            try await Task.sleep(nanoseconds: 10_000_000)
        }
        let text = try #require(status)
        for line in ["CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"] {
            #expect(text.contains(line), "\(line)")
        }
        if geteuid() == 0 { #expect(text.contains("Uid:\t65534\t65534\t65534\t65534")) }
        _ = try await made
        #expect(await asked.statistics.failures == 1)
    }
}

@Test func `words of DEBUGINFOD_URLS are servers, and passwords are not shown`() {
    let (servers, refused) = DebugServer.list(
        "https://a.example/x// ima:enforcing\thttp://u:p@b.example:8002 file:///tmp http:// HTTP://C.example")
    #expect(servers.map(\.description) == ["https://a.example/x", "http://b.example:8002", "http://C.example"])
    #expect(refused == ["file:///tmp", "http://"])
    #expect(servers.first?.url(ofDebugFile: "abcd") == "https://a.example/x/buildid/abcd/debuginfo")
    #expect(Set(servers.map(\.digest)).count == 3)
}
