internal import CLinux
internal import Glibc
public import LinuxSystem
import ObjectFiles
import SymbolSources
import SymbolTables
import Unwinding

/// The helper process, `perf-agent helper`: gives up every right, then reads object files whose descriptors it is sent,
/// until the parent closes the socket.
///
/// The last arguments of the program say how nice it is and how many bytes of addresses it may use; without, 5 and 2 GiB.
/// It has one thread and keeps nothing between requests, so that a file that breaks it spoils no other.
public func runHelper(socket: Int32 = ChildProcess.inheritedDescriptor) -> Never {
    // It was started by way of /proc/self/exe, and would be called `exe`.
    unsafe linux_name_thread("perf-agent-help")
    let channel = DescriptorChannel(OwnedDescriptor(socket))
    do {
        var limits = helperLimits
        let arguments = CommandLine.arguments
        if let bytes = arguments.last.flatMap({ UInt64($0) }) { limits.addressSpaceBytes = bytes }
        if let niceness = arguments.dropLast().last.flatMap({ Int32($0) }) { limits.niceness = niceness }
        try Sandbox.enter(limits, lastDescriptor: socket)
    } catch {
        let reason = HelperMessage(kind: .failed, request: 0, body: Array(error.description.utf8))
        try? reason.send(over: channel, before: nil)
        exit(1)
    }
    do {
        try HelperMessage(kind: .ready, request: 0).send(over: channel, before: nil)
        var attached = DebugDescriptors()
        while let received = try HelperMessage.receive(over: channel, before: nil) {
            let kind = received.message.kind
            if kind == .splitFile {
                let reference = [SplitReference](decoding: received.message.body)?.first
                if attached.split.count <= ModuleTable.maximumSplitFiles {
                    attached.split.append(
                        SplitFile(reference: reference, file: SharedDescriptor(received.takeDescriptor())))
                }
                continue
            }
            if kind == .debugFile || kind == .alternateFile {
                let descriptor = received.takeDescriptor()
                if kind == .debugFile { attached.debug = descriptor } else { attached.alternate = descriptor }
                continue
            }
            var answer = HelperMessage(kind: .failed, request: received.message.request)
            // Closed once it is on its way.
            var memory = OwnedDescriptor(-1)
            do throws(HelperFailure) {
                if kind == .unwindSections {
                    memory = try unwindMemory(received.descriptor.rawValue)
                    answer.body = [0]
                } else {
                    answer.body = try answerBody(kind, received.descriptor.rawValue, attached)
                }
                answer.kind = received.message.kind
            } catch {
                answer.body = Array(error.description.utf8.prefix(HelperMessage.maximumBody(.failed)))
            }
            attached = DebugDescriptors()
            try answer.send(over: channel, descriptor: memory.rawValue >= 0 ? memory.rawValue : nil, before: nil)
        }
    } catch {
        // The parent has gone or speaks nonsense: nobody is left to tell.
        exit(2)
    }
    exit(0)
}

/// 2 GiB of addresses: the table of swift-frontend (210 MB, 240,000 functions) takes 172 MB; debug sections of 1 GiB at
/// most are read. 15 minutes of CPU: the parent ends a request
/// long before, so this only bounds what outlives its parent.
private let helperLimits = Sandbox.Limits(
    addressSpaceBytes: 2 << 30, processorSeconds: 900, descriptors: 32 + UInt64(ModuleTable.maximumSplitFiles),
    fileBytes: UInt64(HelperAnswer.maximumMemoryBytes), niceness: 5)

private enum HelperFailure: Error, CustomStringConvertible {
    case object(ObjectFileError)
    case table(SymbolTableError)
    case sections(UnwindSectionsError)
    case memory(SystemCallError)
    case noDescriptor
    case tableTooLarge(bytes: Int)
    case notARequest

    var description: String {
        switch self {
        case .object(let error): error.description
        case .table(let error): error.description
        case .sections(let error): error.description
        case .memory(let error): error.description
        case .noDescriptor: "no descriptor came with the request"
        case .tableTooLarge(let bytes): "its symbol table takes \(bytes) bytes, too many to send"
        case .notARequest: "not a request"
        }
    }
}

private func open(
    _ file: Int32, acceptsRelocatable: Bool = false
) throws(HelperFailure) -> (object: ObjectFile, source: DescriptorSource) {
    guard file >= 0 else { throw .noDescriptor }
    do throws(ObjectFileError) {
        let source = try DescriptorSource(file)
        return (try ObjectFile(source, acceptsRelocatable: acceptsRelocatable), source)
    } catch {
        throw .object(error)
    }
}

/// The sections for unwinding, sealed.
private func unwindMemory(_ file: Int32) throws(HelperFailure) -> OwnedDescriptor {
    let (object, source) = try open(file)
    let bytes: [UInt8]
    do {
        let limits = UnwindSections.Limits()
        bytes = try UnwindSections.encode(object, from: source, limits: limits) { section in
            section.expanded(from: source, limit: limits.frameBytes)
        }
    } catch {
        throw .sections(error)
    }
    do { return try SealedMemory.file(bytes) } catch { throw .memory(error) }
}

private func answerBody(
    _ kind: HelperMessage.Kind, _ file: Int32, _ attached: borrowing DebugDescriptors
) throws(HelperFailure) -> [UInt8] {
    // The files that dwz shares among several call themselves relocatable.
    let (object, source) = try open(file, acceptsRelocatable: kind == .debugLinks)
    switch kind {
    case .identify:
        return ModuleFacts(identity: object.identity, loadSegments: object.loadSegments).encoded()
    case .symbolTable, .functionTable:
        var limits = ModuleTable.Limits()
        limits.readsDebugInformation = kind == .symbolTable
        limits.encodedBytes = HelperMessage.maximumBody(.symbolTable)
        let table: SymbolTable
        do {
            // What is no regular file is as good as none: the table is then as good as the object alone makes it.
            table = try ModuleTable.build(
                object, from: source, debug: try? DescriptorSource(attached.debug.rawValue),
                alternate: try? DescriptorSource(attached.alternate.rawValue), split: splitSources(attached),
                limits: limits)
        } catch {
            throw .object(error)
        }
        let bytes: [UInt8]
        do { bytes = try ModuleTable.encode(table, limits: limits) } catch { throw .table(error) }
        guard bytes.count <= HelperMessage.maximumBody(.symbolTable) else { throw .tableTooLarge(bytes: bytes.count) }
        return bytes
    case .debugLinks:
        return LinkedModule(identity: object.identity, links: DebugLinks(object, from: source)).encoded()
    case .splitReferences:
        let references = ModuleTable.splitReferences(
            object, from: source, debug: try? DescriptorSource(attached.debug.rawValue))
        return references.encoded()
    case .ready, .failed, .unwindSections, .debugFile, .alternateFile, .fetch, .splitFile:
        throw .notARequest
    }
}

private func splitSources(_ attached: borrowing DebugDescriptors) -> SplitSources<DescriptorSource> {
    var sources = SplitSources<DescriptorSource>()
    for split in attached.split {
        guard let source = try? DescriptorSource(split.file.descriptor.rawValue) else { continue }
        if let reference = split.reference { sources.files[reference] = source } else { sources.package = source }
    }
    return sources
}
