internal import CLinux
internal import Glibc
public import LinuxSystem

/// The fetching process, `perf-agent fetch`: gives up every right but that of connecting, then fetches one file over HTTP
/// into the descriptor that it is sent, says how that went, and ends.
///
/// It can't write or make other files, start programs or touch processes, and runs as nobody where it was started by root.
public func runFetcher(socket: Int32 = ChildProcess.inheritedDescriptor) -> Never {
    unsafe linux_name_thread("perf-agent-get")
    let channel = DescriptorChannel(OwnedDescriptor(socket))
    do {
        try Sandbox.enter(fetcherLimits, lastDescriptor: socket, keepsNetwork: true)
    } catch {
        try? HelperMessage(kind: .failed, request: 0, body: Array(error.description.utf8)).send(
            over: channel, before: nil)
        exit(1)
    }
    do {
        try HelperMessage(kind: .ready, request: 0).send(over: channel, before: nil)
        guard let received = try HelperMessage.receive(over: channel, before: nil),
            received.message.kind == .fetch, received.descriptor.rawValue >= 0,
            let request = FetchRequest(decoding: received.message.body)
        else { exit(2) }
        let answer = fetch(request, into: received.descriptor.rawValue, waiting: channel.rawValue)
        try HelperMessage(kind: .fetch, request: received.message.request, body: answer.encoded())
            .send(over: channel, before: nil)
    } catch {
        // The parent has gone: nobody is left to tell.
        exit(2)
    }
    exit(0)
}

/// Threads of a resolver and TLS libraries need addresses more than memory.
private let fetcherLimits = Sandbox.Limits(
    // The largest file that the settings allow.
    addressSpaceBytes: 1 << 30, processorSeconds: 600, descriptors: 64, fileBytes: 4 << 30, niceness: 10)

private func fetch(_ request: FetchRequest, into file: Int32, waiting: Int32) -> FetchAnswer {
    var fetch = unsafe linux_fetch()
    func milliseconds(_ duration: Duration) -> Int {
        Int(duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000)
    }
    let result = unsafe request.url.withCString { url in
        unsafe fetch.url = url
        unsafe fetch.file = file
        unsafe fetch.waiting = waiting
        unsafe fetch.maximum_bytes = Int64(request.maximumBytes)
        unsafe fetch.connect_milliseconds = milliseconds(request.connectTime)
        unsafe fetch.stall_seconds = max(1, milliseconds(request.stallTime) / 1000)
        unsafe fetch.total_milliseconds = milliseconds(request.totalTime)
        return unsafe linux_fetch_file(&fetch)
    }
    switch Int(result) {
    case LINUX_FETCH_DONE: return .done
    case LINUX_FETCH_TOO_LARGE: return .tooLarge
    case LINUX_FETCH_NO_LIBRARY:
        return .failed("neither libcurl.so.4 nor libcurl-gnutls.so.4 is there (install libcurl4)")
    default:
        // 410: gone for good.
        if unsafe fetch.status == 404 || fetch.status == 410 { return .absent }
        let reason = unsafe withUnsafeBytes(of: &fetch.reason) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return .failed(reason)
    }
}
