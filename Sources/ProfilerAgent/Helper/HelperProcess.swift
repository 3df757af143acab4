internal import CLinux
internal import Glibc
public import LinuxSystem
import ObjectFiles
import SymbolSources
import SymbolTables

/// The helper process, `perf-agent helper`: gives up every right, then reads object files whose descriptors it is sent,
/// until the parent closes the socket.
///
/// The last argument of the program says how many bytes of addresses it may use; without one, 2 GiB.
/// It has one thread and keeps nothing between requests, so that a file that breaks it spoils no other.
public func runHelper(socket: Int32 = ChildProcess.inheritedDescriptor) -> Never {
    // It was started by way of /proc/self/exe, and would be called `exe`.
    unsafe linux_name_thread("perf-agent-help")
    let channel = DescriptorChannel(OwnedDescriptor(socket))
    do {
        var limits = helperLimits
        if let bytes = CommandLine.arguments.last.flatMap({ UInt64($0) }) { limits.addressSpaceBytes = bytes }
        try Sandbox.enter(limits, lastDescriptor: socket)
    } catch {
        let reason = HelperMessage(kind: .failed, request: 0, body: Array(error.description.utf8))
        try? reason.send(over: channel, before: nil)
        exit(1)
    }
    do {
        try HelperMessage(kind: .ready, request: 0).send(over: channel, before: nil)
        while let received = try HelperMessage.receive(over: channel, before: nil) {
            var answer = HelperMessage(kind: .failed, request: received.message.request)
            do {
                answer.body = try answerBody(received.message.kind, received.descriptor.rawValue)
                answer.kind = received.message.kind
            } catch {
                answer.body = Array(error.description.utf8.prefix(HelperMessage.maximumBody(.failed)))
            }
            try answer.send(over: channel, before: nil)
        }
    } catch {
        // The parent has gone or speaks nonsense: nobody is left to tell.
        exit(2)
    }
    exit(0)
}

/// 2 GiB of addresses: the table of swift-frontend (210 MB, 240,000 functions) takes 172 MB. 15 minutes of CPU: the parent ends a request
/// long before, so this only bounds what outlives its parent.
private let helperLimits = Sandbox.Limits(
    addressSpaceBytes: 2 << 30, processorSeconds: 900, descriptors: 16, niceness: 10)

private enum HelperFailure: Error, CustomStringConvertible {
    case object(ObjectFileError)
    case table(SymbolTableError)
    case noDescriptor
    case tableTooLarge(bytes: Int)
    case notARequest

    var description: String {
        switch self {
        case .object(let error): error.description
        case .table(let error): error.description
        case .noDescriptor: "no descriptor came with the request"
        case .tableTooLarge(let bytes): "its symbol table takes \(bytes) bytes, too many to send"
        case .notARequest: "not a request"
        }
    }
}

private func answerBody(
    _ kind: HelperMessage.Kind, _ file: Int32
) throws(HelperFailure) -> [UInt8] {
    guard file >= 0 else { throw .noDescriptor }
    let source: DescriptorSource
    let object: ObjectFile
    do throws(ObjectFileError) {
        source = try DescriptorSource(file)
        object = try ObjectFile(source)
    } catch {
        throw .object(error)
    }
    switch kind {
    case .identify:
        return ModuleFacts(identity: object.identity, loadSegments: object.loadSegments).encoded()
    case .symbolTable:
        let table: SymbolTable
        do { table = try ELFSymbols.table(of: object, from: source) } catch { throw .object(error) }
        let bytes: [UInt8]
        do { bytes = try table.encoded() } catch { throw .table(error) }
        guard bytes.count <= HelperMessage.maximumBody(.symbolTable) else { throw .tableTooLarge(bytes: bytes.count) }
        return bytes
    case .ready, .failed:
        throw .notARequest
    }
}
