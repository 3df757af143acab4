internal import Dispatch
internal import Glibc

/// Calls back when a signal comes, outside of any signal handler. The signals' default effect is off meanwhile.
public final class SignalWatch {
    private var sources: [any DispatchSourceSignal] = []

    public init(_ signals: [Int32], _ handler: @escaping @Sendable (Int32) -> Void) {
        let queue = DispatchQueue(label: "signals")
        for number in signals {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { handler(number) }
            source.resume()
            sources.append(source)
        }
    }

    deinit { for source in sources { source.cancel() } }
}
