internal import Profiles
private import SwiftProtobuf

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

// Between the words of Profiles and the generated types; what comes from the wire is checked here.

func identifier(_ data: Data, of message: String, _ field: String) throws(WireError) -> Identifier {
    guard let identifier = Identifier(bytes: data) else {
        throw .badField(message: message, field: field, detail: "has \(data.count) bytes, not 16")
    }
    return identifier
}

func checked(_ string: String, of message: String, _ field: String) throws(WireError) -> String {
    guard string.utf8.count <= WireLimits.stringBytes else {
        throw .badField(message: message, field: field, detail: "is a string of \(string.utf8.count) bytes")
    }
    return string
}

func labels(_ labels: [PBLabel], of message: String) throws(WireError) -> [Label] {
    guard labels.count <= WireLimits.labels else {
        throw .badField(message: message, field: "labels", detail: "has \(labels.count) entries")
    }
    var result: [Label] = []
    for label in labels {
        result.append(
            Label(
                name: try checked(label.name, of: message, "labels"),
                value: try checked(label.value, of: message, "labels")))
    }
    for (one, next) in zip(result, result.dropFirst()) where one.name >= next.name {
        throw .badField(message: message, field: "labels", detail: "is not sorted by name, each name once")
    }
    return result
}

func batchName(_ name: PBBatchName, of message: String) throws(WireError) -> BatchName {
    guard name.sequence > 0 else { throw .badField(message: message, field: "sequence", detail: "is 0") }
    return BatchName(
        agent: try identifier(name.agent, of: message, "agent"),
        epoch: try identifier(name.epoch, of: message, "epoch"), sequence: name.sequence,
        digest: try identifier(name.digest, of: message, "digest"))
}

func timeRange(start: Int64, end: Int64, of message: String) throws(WireError) -> TimeRange {
    guard isPossibleWindow(start: start, end: end) else {
        throw .badField(message: message, field: "window", detail: "runs from \(start) to \(end) ns")
    }
    return TimeRange(start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: end))
}

private func isPossibleWindow(start: Int64, end: Int64) -> Bool {
    let (length, overflow) = end.subtractingReportingOverflow(start)
    return !overflow && length >= 0 && length <= WireLimits.windowNanoseconds
}

extension Batch {
    /// Whether the window ends after its start and is no longer than `WireLimits.windowNanoseconds`. A batch that comes
    /// as a message may have any; `windowProfile()` takes only possible ones.
    public var hasPossibleWindow: Bool {
        isPossibleWindow(start: window.start.nanoseconds, end: window.end.nanoseconds)
    }
}

extension PBLabel {
    init(_ label: Label) {
        self.init()
        name = label.name
        value = label.value
    }
}

extension PBBatchName {
    init(_ batchName: BatchName) {
        self.init()
        agent = Data(batchName.agent.bytes)
        epoch = Data(batchName.epoch.bytes)
        sequence = batchName.sequence
        digest = Data(batchName.digest.bytes)
    }
}

extension PBHostFacts {
    init(_ host: HostFacts) {
        self.init()
        name = host.name
        agentVersion = host.agentVersion
        kernelRelease = host.kernelRelease
        onlineCpus = host.onlineCPUs
        labels = host.labels.map(PBLabel.init)
    }
}

extension HostFacts {
    init(_ host: PBHostFacts) throws(WireError) {
        self.init(
            name: try checked(host.name, of: "HostFacts", "name"),
            agentVersion: try checked(host.agentVersion, of: "HostFacts", "agent_version"),
            kernelRelease: try checked(host.kernelRelease, of: "HostFacts", "kernel_release"),
            onlineCPUs: host.onlineCpus, labels: try WireProtocol.labels(host.labels, of: "HostFacts"))
    }
}

extension PBHello {
    init(_ hello: Hello) {
        self.init()
        versions = hello.versions
        agent = Data(hello.agent.bytes)
        epoch = Data(hello.epoch.bytes)
        host = PBHostFacts(hello.host)
        clockNanoseconds = hello.clock.nanoseconds
    }
}

extension Hello {
    init(_ hello: PBHello) throws(WireError) {
        self.init(
            versions: hello.versions, agent: try identifier(hello.agent, of: "Hello", "agent"),
            epoch: try identifier(hello.epoch, of: "Hello", "epoch"), host: try HostFacts(hello.host),
            clock: Timestamp(nanoseconds: hello.clockNanoseconds))
    }
}

extension PBWelcome {
    init(_ welcome: Welcome) {
        self.init()
        version = welcome.version
        lastStoredSequence = welcome.lastStoredSequence
        credit = welcome.credit
        maximumMessageBytes = welcome.maximumMessageBytes
        maximumExpandedBytes = welcome.maximumExpandedBytes
    }
}

extension Welcome {
    init(_ welcome: PBWelcome) throws(WireError) {
        guard welcome.credit > 0 else {
            throw .badField(message: "Welcome", field: "credit", detail: "is 0: nothing could ever be sent")
        }
        self.init(
            version: welcome.version, lastStoredSequence: welcome.lastStoredSequence, credit: welcome.credit,
            maximumMessageBytes: welcome.maximumMessageBytes, maximumExpandedBytes: welcome.maximumExpandedBytes)
    }
}

extension PBBatch {
    init(_ batch: Batch) {
        self.init()
        name = PBBatchName(batch.name)
        windowStartNanoseconds = batch.window.start.nanoseconds
        windowEndNanoseconds = batch.window.end.nanoseconds
        samples = batch.samples
        expandedBytes = batch.expandedBytes
        body = Data(batch.body)
    }
}

extension Batch {
    init(_ batch: PBBatch) throws(WireError) {
        // Whatever window it names: an impossible one is refused by the batch's name (`hasPossibleWindow`), where an error
        // here would end the connection, and the same batch would end the next one.
        self.init(
            name: try batchName(batch.name, of: "Batch"),
            window: TimeRange(
                start: Timestamp(nanoseconds: batch.windowStartNanoseconds),
                end: Timestamp(nanoseconds: batch.windowEndNanoseconds)),
            samples: batch.samples, expandedBytes: batch.expandedBytes, body: [UInt8](batch.body))
    }
}

extension PBRefused {
    init(_ refused: Refused) {
        self.init()
        name = PBBatchName(refused.name)
        reason = PBRefusalReason(rawValue: Int(refused.reason.rawValue)) ?? .unspecified
        detail = refused.detail
    }
}

extension Refused {
    init(_ refused: PBRefused) throws(WireError) {
        // A reason of a newer aggregator is a refusal all the same.
        let reason = RefusalReason(rawValue: UInt8(clamping: refused.reason.rawValue)) ?? .malformed
        self.init(
            name: try batchName(refused.name, of: "Refused"), reason: reason,
            detail: try checked(refused.detail, of: "Refused", "detail"))
    }
}

extension PBModule {
    init(_ module: Module) {
        self.init()
        kind = PBModuleIdentityKind(rawValue: Int(module.identity.kind.rawValue)) ?? .unspecified
        identity = Data(module.identity.bytes)
        name = module.name
    }
}

extension Module {
    init(_ module: PBModule, of message: String) throws(WireError) {
        let identity = try moduleIdentity(
            kind: UInt32(clamping: module.kind.rawValue), bytes: [UInt8](module.identity), of: message)
        self.init(identity: identity, name: try checked(module.name, of: message, "name"))
    }
}

func moduleIdentity(kind: UInt32, bytes: [UInt8], of message: String) throws(WireError) -> ModuleIdentity {
    guard let kind = ModuleIdentity.Kind(rawValue: UInt8(clamping: kind)) else {
        throw .badField(message: message, field: "kind", detail: "of a module is \(kind)")
    }
    let isLengthRight =
        switch kind {
        case .buildID: bytes.count >= 2 && bytes.count <= ModuleIdentity.maximumBytes
        case .contentDigest: bytes.count == 32
        case .name: bytes.isEmpty
        }
    guard isLengthRight else {
        throw .badField(message: message, field: "identity", detail: "of a module has \(bytes.count) bytes")
    }
    return ModuleIdentity(kind: kind, bytes: bytes)
}

extension PBSymbolTableChunk {
    init(_ chunk: SymbolTableChunk) {
        self.init()
        module = PBModule(chunk.module)
        totalBytes = chunk.totalBytes
        offset = chunk.offset
        data = Data(chunk.data)
        unavailable = chunk.unavailable ?? ""
    }
}

extension SymbolTableChunk {
    init(_ chunk: PBSymbolTableChunk) throws(WireError) {
        let (end, overflow) = chunk.offset.addingReportingOverflow(UInt64(chunk.data.count))
        guard !overflow, end <= chunk.totalBytes, chunk.totalBytes <= UInt64(WireLimits.symbolTableBytes) else {
            throw .badField(
                message: "SymbolTableChunk", field: "data",
                detail: "of \(chunk.data.count) bytes at \(chunk.offset) does not fit into \(chunk.totalBytes)")
        }
        let unavailable = try checked(chunk.unavailable, of: "SymbolTableChunk", "unavailable")
        guard unavailable.isEmpty == (chunk.totalBytes > 0) else {
            throw .badField(
                message: "SymbolTableChunk", field: "unavailable",
                detail: "must stand alone, and where it is missing"
                    + " a table must not be empty")
        }
        self.init(
            module: try Module(chunk.module, of: "SymbolTableChunk"), totalBytes: chunk.totalBytes,
            offset: chunk.offset, data: [UInt8](chunk.data), unavailable: unavailable.isEmpty ? nil : unavailable)
    }
}

extension PBGoodbye {
    init(_ goodbye: Goodbye) {
        self.init()
        reason = PBGoodbyeReason(rawValue: Int(goodbye.reason.rawValue)) ?? .unspecified
        detail = goodbye.detail
    }
}

extension Goodbye {
    init(_ goodbye: PBGoodbye) {
        self.init(
            reason: GoodbyeReason(rawValue: UInt8(clamping: goodbye.reason.rawValue)) ?? .protocolError,
            detail: String(goodbye.detail.prefix(1_000)))
    }
}
