internal import CLinux
internal import Glibc

/// One end of a connected pair of Unix stream sockets that carries bytes and descriptors between two processes.
///
/// Every call has a time limit; none blocks beyond it, none raises SIGPIPE.
public struct DescriptorChannel: ~Copyable, Sendable {
    private let socket: OwnedDescriptor

    public init(_ socket: consuming OwnedDescriptor) {
        self.socket = socket
    }

    /// Makes a pair; both ends are closed on exec. This is our end, `other` is set to the one for the other process.
    public init(other: inout OwnedDescriptor) throws(SystemCallError) {
        var sockets: [Int32] = [-1, -1]
        let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, kind, 0, &sockets) == 0 else { throw SystemCallError("socketpair") }
        socket = OwnedDescriptor(sockets[0])
        other = OwnedDescriptor(sockets[1])
    }

    /// For handing the channel to a child.
    public var rawValue: Int32 { socket.rawValue }

    /// Sends all bytes, with the descriptor beside the first. Throws ETIMEDOUT when the other end does not read within
    /// the time, EPIPE when it is gone. The descriptor stays the caller's.
    public func send(_ bytes: [UInt8], descriptor: Int32? = nil, before deadline: ContinuousClock.Instant?)
        throws(SystemCallError)
    {
        var sent = 0
        while sent < bytes.count {
            let passed = sent == 0 ? descriptor ?? -1 : -1
            let result = unsafe bytes.withUnsafeBytes { buffer in
                unsafe linux_send_with_descriptor(
                    socket.rawValue, buffer.baseAddress.map { unsafe $0 + sent }, buffer.count - sent, passed)
            }
            if result > 0 {
                sent += result
            } else if errno == EAGAIN {
                try wait(for: Int16(POLLOUT), before: deadline)
            } else if errno != EINTR {
                throw SystemCallError("sendmsg")
            }
        }
    }

    /// Bytes, and a descriptor where one came beside them.
    public struct Received: ~Copyable {
        /// Fewer than asked for only when the other end has closed.
        public var bytes: [UInt8]
        /// Holds -1 where none came.
        public var descriptor: OwnedDescriptor

        public consuming func takeDescriptor() -> OwnedDescriptor { descriptor }
    }

    /// Exactly `count` bytes, or none when the other end closed before the first. Throws ETIMEDOUT, or ECONNRESET when
    /// the end came in between. Of several descriptors the last is kept.
    public func receive(_ count: Int, before deadline: ContinuousClock.Instant?) throws(SystemCallError) -> Received {
        var bytes: [UInt8] = []
        var descriptor = OwnedDescriptor(-1)
        // Grows with what really comes: a large stated length alone takes no memory.
        let step = 1 << 20
        while bytes.count < count {
            let before = bytes.count
            let wanted = min(step, count - before)
            bytes.append(contentsOf: repeatElement(0, count: wanted))
            var passed: Int32 = -1
            let result = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe linux_receive_with_descriptor(
                    socket.rawValue, buffer.baseAddress.map { unsafe $0 + before }, wanted, &passed)
            }
            let code = errno
            bytes.removeLast(wanted - max(result, 0))
            if passed >= 0 { descriptor = OwnedDescriptor(passed) }
            if result == 0 {
                guard bytes.isEmpty else { throw SystemCallError("recvmsg", code: ECONNRESET) }
                break
            }
            if result < 0 {
                if code == EAGAIN {
                    try wait(for: Int16(POLLIN), before: deadline)
                } else if code != EINTR {
                    throw SystemCallError("recvmsg", code: code)
                }
            }
        }
        return Received(bytes: bytes, descriptor: descriptor)
    }

    private func wait(for events: Int16, before deadline: ContinuousClock.Instant?) throws(SystemCallError) {
        var timeout: Int32 = -1
        if let deadline {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { throw SystemCallError("poll", code: ETIMEDOUT) }
            // Rounded up, so that the last wait does not spin.
            timeout = Int32(
                clamping: left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1)
        }
        var entry = pollfd(fd: socket.rawValue, events: events, revents: 0)
        let result = unsafe poll(&entry, 1, timeout)
        if result < 0, errno != EINTR { throw SystemCallError("poll") }
    }
}
