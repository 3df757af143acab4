// Who this agent is: 128 random bits kept beside the spool, tied to the machine, so that the copy of a disk in another
// machine is another agent.

import Digests
import Glibc
import Profiles

struct AgentIdentity: Sendable {
    var agent: Identifier
    /// The agent whose spool this was before, where the disk was copied from its machine.
    var formerAgent: Identifier?

    static let fileName = "agent-id"

    /// Reads the identity, or draws one where there is none, it is damaged, or it is another machine's.
    init(in directory: PrivateDirectory, machineIDPath: String) throws(DeliveryError) {
        let machine = Self.machineDigest(machineIDPath)
        if let bytes = try directory.read(Self.fileName, limit: 1_024),
            let text = String(validating: bytes, as: UTF8.self)
        {
            let words = text.split(whereSeparator: \.isWhitespace)
            if words.count == 2, let agent = Identifier(hex: words[0]) {
                if words[1] == machine.description {
                    self.agent = agent
                    return
                }
                formerAgent = agent
            }
        }
        agent = .random()
        try directory.replace(Self.fileName, with: Array("\(agent)\n\(machine)\n".utf8), synchronised: true)
    }

    /// 128 bits of a hash: the machine's ID is confidential (machine-id(5)), so it isn't kept itself. A machine without
    /// one has the hash of nothing.
    private static func machineDigest(_ path: String) -> Identifier {
        var content: [UInt8] = []
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if file >= 0 {
            var buffer = [UInt8](repeating: 0, count: 256)
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
            close(file)
            content = Array(buffer.prefix(max(0, count)))
        }
        let digest = SHA256.digest(of: Array("perf-fleet agent".utf8) + content)
        return Identifier(bytes: digest[..<16]) ?? Identifier(high: 0, low: 0)
    }
}

/// The lock that keeps a second agent out of a spool; gone with the process that holds it, however it ends.
final class SpoolLock {
    private let descriptor: Int32

    init(in directory: PrivateDirectory) throws(DeliveryError) {
        guard let file = try directory.open("lock", O_RDWR | O_CREAT) else {
            throw .system(operation: "create", path: directory.path(of: "lock"), code: ENOENT)
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(file)
            if code == EWOULDBLOCK { throw .spoolInUse(path: directory.path) }
            throw .system(operation: "lock", path: directory.path(of: "lock"), code: code)
        }
        descriptor = file
    }

    deinit { close(descriptor) }
}
