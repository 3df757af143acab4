internal import CLinux
internal import Glibc

/// Wakes a thread that waits in poll, from any other thread (eventfd).
public final class WakeSignal: Sendable {
    private let descriptor: OwnedDescriptor

    public init() throws(SystemCallError) {
        let descriptor = linux_eventfd()
        guard descriptor >= 0 else { throw SystemCallError("eventfd", code: -descriptor) }
        self.descriptor = OwnedDescriptor(descriptor)
    }

    /// For poll: readable from `wake` until `clear`.
    public var rawValue: Int32 { descriptor.rawValue }

    public func wake() {
        // Fails only when the counter is full, and then it is readable already.
        _ = linux_eventfd_add(descriptor.rawValue)
    }

    /// Sleeps until it is in use.
    public func wait() {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&entry, 1, -1) < 0 && errno == EINTR {}
    }

    /// Takes back every `wake` so far; true if there was one.
    @discardableResult
    public func clear() -> Bool {
        linux_eventfd_take(descriptor.rawValue) != 0
    }
}
