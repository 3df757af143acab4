// fuzz: ProfilerAgent, LinuxSystem, SymbolSources
import LinuxSystem
import SymbolSources

@testable import ProfilerAgent

/// What the helper process and the fetching process say to the agent, and the agent to them: as a stream on a socket, and
/// as each body. Whatever can be read is written the same again.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: min(count, 32 << 10)))
    if let request = FetchRequest(decoding: bytes) {
        precondition(FetchRequest(decoding: request.encoded()) != nil, "a request that can't be read again")
    }
    if let answer = FetchAnswer(decoding: bytes) {
        precondition(FetchAnswer(decoding: answer.encoded()) == answer, "not the answer that was read")
    }
    if let facts = ModuleFacts(decoding: bytes) {
        precondition(ModuleFacts(decoding: facts.encoded()) == facts, "not the facts that were read")
    }
    if let module = LinkedModule(decoding: bytes) {
        precondition(LinkedModule(decoding: module.encoded()) == module, "not the links that were read")
    }
    if let references = [SplitReference](decoding: bytes) {
        precondition([SplitReference](decoding: references.encoded()) == references, "not the places that were read")
    }
    receive(bytes)
    return 0
}

/// Messages with their headers, until one is none.
private func receive(_ bytes: [UInt8]) {
    var theirs = OwnedDescriptor(-1)
    guard let channel = try? DescriptorChannel(other: &theirs) else { return }
    do {
        let sender = DescriptorChannel(theirs)
        guard (try? sender.send(bytes, descriptor: nil, before: nil)) != nil else { return }
    }
    var left = bytes.count
    while let received = try? HelperMessage.receive(over: channel, before: nil) {
        left -= HelperMessage.headerBytes + received.message.body.count
        precondition(left >= 0, "more was received than was sent")
        let limit = HelperMessage.maximumBody(received.message.kind)
        precondition(received.message.body.count <= limit, "a body that is too long")
    }
}
