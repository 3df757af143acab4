// The conversation with the aggregator as a state machine: events and the time go in, effects come out, no I/O. The
// shell (`Delivery`) carries the effects out and wakes the machine at `deadline`.

import Profiles
import WireProtocol

struct SenderMachine: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum State: Hashable, Sendable {
        /// Not started, or without an address.
        case idle
        case waiting(until: Instant, isTurnedAway: Bool)
        case connecting(since: Instant)
        /// Hello is under way.
        case greeting(since: Instant)
        case connected(Session)
        case stopped
    }

    struct Session: Hashable, Sendable {
        var since: Instant
        var credit: Int
        /// Sent and not answered, in the order sent.
        var inFlight: [BatchName] = []
        /// When the aggregator was last heard, or when the oldest unanswered batch was sent if that is later.
        var heard: Instant
        /// The longest body of a message and the longest expanded content that the aggregator takes; 0 where it says
        /// nothing.
        var maximumMessageBytes: UInt64 = 0
        var maximumExpandedBytes: UInt64 = 0

        /// Why the aggregator would close the connection over a batch whose message has a body of so many bytes; nil
        /// where it would take it.
        func excess(of batch: Batch, messageBytes: Int) -> String? {
            if maximumMessageBytes > 0, UInt64(messageBytes) > maximumMessageBytes {
                return "its message has \(messageBytes) bytes, the aggregator takes \(maximumMessageBytes)"
            }
            if maximumExpandedBytes > 0, batch.expandedBytes > maximumExpandedBytes {
                return "its content has \(batch.expandedBytes) bytes, the aggregator takes \(maximumExpandedBytes)"
            }
            return nil
        }
    }

    enum Event: Sendable {
        case start
        case connected
        /// The connection could not be made, or has ended.
        case closed(String)
        case received(Message)
        /// The aggregator has sent what is not the protocol.
        case rubbish(String)
        /// The spool has something new.
        case spooled
        /// What `fill` sent, and whether the spool has more to send.
        case filled([BatchName], hasMore: Bool)
        /// Bytes can be written again.
        case writable
        /// The time of `deadline` has come.
        case timer
        /// Deliver what can be delivered until then, and end.
        case stop(by: Instant)
    }

    enum Effect: Hashable, Sendable {
        case connect
        case sendHello
        /// Send up to so many batches that were not sent on this connection, then report `filled`.
        case fill(room: Int)
        case settle([BatchName], BatchFate)
        /// All batches of this epoch up to the sequence are stored.
        case settleThrough(UInt64)
        case sendTables([Module])
        case sendGoodbye(GoodbyeReason, String)
        case disconnect
        case log(Notice)
        /// The machine has come to its end.
        case finished
    }

    enum Notice: Hashable, Sendable {
        case connected(credit: Int)
        case lost(String)
        case refused(BatchName, RefusalReason, String)
        case turnedAway(String)
    }

    /// More batches than this under way gain nothing, whatever credit says: at 5 KB each, 64 fill a link of
    /// 100 ms and 25 Mbit/s.
    static let maximumCredit = 64

    private(set) var state = State.idle
    private(set) var stateSince: Instant
    private(set) var lastError: String?
    /// The wait before a window that comes when everything else has been sent.
    let sendDelay: Duration
    let times: SenderTimes
    private var backOff: BackOff
    private var hasUnsent = false
    private var holdUntil: Instant?
    private var stopBy: Instant?

    init(sendDelay: Duration, times: SenderTimes = SenderTimes(), seed: UInt64, now: Instant) {
        self.sendDelay = sendDelay
        self.times = times
        backOff = BackOff(times: times, seed: seed)
        stateSince = now
    }

    /// When `timer` is due at the latest; nil where nothing is waited for.
    var deadline: Instant? {
        var due: [Instant] = []
        switch state {
        case .idle, .stopped: return nil
        case .waiting(let until, _): due.append(until)
        case .connecting(let since), .greeting(let since): due.append(since + times.answer)
        case .connected(let session):
            if !session.inFlight.isEmpty { due.append(session.heard + times.answer) }
            if hasUnsent, let holdUntil, session.inFlight.count < session.credit { due.append(holdUntil) }
        }
        if let stopBy { due.append(stopBy) }
        return due.min()
    }

    mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        switch event {
        case .start:
            guard case .idle = state else { return [] }
            // The agents of a fleet that is switched on at one moment spread their first connections.
            return wait(backOff.next(), at: now)
        case .connected:
            guard case .connecting = state else { return [] }
            enter(.greeting(since: now), at: now)
            return [.sendHello]
        case .closed(let why):
            return closed(why, at: now)
        case .rubbish(let what):
            return violation(what, at: now)
        case .received(let message):
            return received(message, at: now)
        case .spooled:
            if !hasUnsent {
                hasUnsent = true
                holdUntil = stopBy == nil ? now + sendDelay : nil
            }
            return fill(at: now)
        case .filled(let names, let hasMore):
            return filled(names, hasMore: hasMore, at: now)
        case .writable:
            return fill(at: now)
        case .timer:
            return timer(at: now)
        case .stop(let by):
            return stop(by: by, at: now)
        }
    }

    // MARK: Sending

    private mutating func fill(at now: Instant) -> [Effect] {
        guard case .connected(let session) = state, hasUnsent else { return [] }
        if let holdUntil, now < holdUntil { return [] }
        holdUntil = nil
        let room = session.credit - session.inFlight.count
        return room > 0 ? [.fill(room: room)] : []
    }

    private mutating func filled(_ names: [BatchName], hasMore: Bool, at now: Instant) -> [Effect] {
        hasUnsent = hasMore
        guard case .connected(var session) = state else { return [] }
        if session.inFlight.isEmpty { session.heard = now }
        session.inFlight += names
        state = .connected(session)
        return finishIfDelivered(at: now)
    }

    // MARK: Receiving

    private mutating func received(_ message: Message, at now: Instant) -> [Effect] {
        switch (message, state) {
        case (.unknown, .greeting), (.unknown, .connected):
            return []
        case (.goodbye(let goodbye), .greeting), (.goodbye(let goodbye), .connected):
            return goodbyeCame(goodbye, at: now)
        case (.welcome(let welcome), .greeting):
            guard WireLimits.versions.contains(welcome.version) else {
                return turnedAway("it speaks version \(welcome.version) of the protocol", at: now)
            }
            guard welcome.credit > 0 else { return violation("a Welcome with no credit", at: now) }
            let credit = min(Int(welcome.credit), Self.maximumCredit)
            let session = Session(
                since: now, credit: credit, heard: now, maximumMessageBytes: welcome.maximumMessageBytes,
                maximumExpandedBytes: welcome.maximumExpandedBytes)
            enter(.connected(session), at: now)
            lastError = nil
            hasUnsent = true
            holdUntil = nil
            var effects: [Effect] = [.log(.connected(credit: credit))]
            if welcome.lastStoredSequence > 0 { effects.append(.settleThrough(welcome.lastStoredSequence)) }
            return effects + fill(at: now)
        case (.ack(let name), .connected(var session)):
            guard session.inFlight.contains(name) else {
                return violation("an Ack for batch \(name.sequence), which was not under way", at: now)
            }
            let covered = session.inFlight.filter { $0.epoch == name.epoch && $0.sequence <= name.sequence }
            session.inFlight.removeAll { covered.contains($0) }
            session.heard = now
            state = .connected(session)
            backOff.succeeded()
            return [.settle(covered, .delivered)] + fill(at: now) + finishIfDelivered(at: now)
        case (.refused(let refused), .connected(var session)):
            guard let place = session.inFlight.firstIndex(of: refused.name) else {
                return violation("a refusal of batch \(refused.name.sequence), which was not under way", at: now)
            }
            session.inFlight.remove(at: place)
            session.heard = now
            state = .connected(session)
            return [
                .log(.refused(refused.name, refused.reason, refused.detail)),
                .settle([refused.name], .dropped(.refused)),
            ] + fill(at: now) + finishIfDelivered(at: now)
        case (.symbolsWanted(let modules), .connected):
            return stopBy == nil ? [.sendTables(modules)] : []
        case (_, .greeting), (_, .connected):
            return violation("a message that has no place here", at: now)
        default:
            // What was still under way when the connection was given up.
            return []
        }
    }

    private mutating func goodbyeCame(_ goodbye: Goodbye, at now: Instant) -> [Effect] {
        let words = "it said goodbye (\(goodbye.reason)): \(goodbye.detail)"
        switch goodbye.reason {
        case .unsupportedVersion: return turnedAway(words, at: now)
        case .overloaded, .protocolError:
            backOff.overloaded()
            return [.disconnect] + lost(words, at: now)
        case .stopping, .idle: return [.disconnect] + lost(words, at: now)
        }
    }

    private mutating func violation(_ what: String, at now: Instant) -> [Effect] {
        switch state {
        case .greeting, .connected:
            backOff.overloaded()
            return [.sendGoodbye(.protocolError, what), .disconnect] + lost("it sent \(what)", at: now)
        default: return []
        }
    }

    // MARK: Ends of a connection

    private mutating func closed(_ why: String, at now: Instant) -> [Effect] {
        switch state {
        case .connecting, .greeting, .connected: return lost(why, at: now)
        case .idle, .waiting, .stopped: return []
        }
    }

    private mutating func lost(_ why: String, at now: Instant) -> [Effect] {
        if case .connected(let session) = state, session.since + times.goodSession <= now { backOff.succeeded() }
        lastError = why
        let effects: [Effect] = [.log(.lost(why))]
        if stopBy != nil { return effects + finish(at: now) }
        return effects + wait(backOff.next(), at: now)
    }

    private mutating func turnedAway(_ why: String, at now: Instant) -> [Effect] {
        lastError = why
        let effects: [Effect] = [.disconnect, .log(.turnedAway(why))]
        if stopBy != nil { return effects + finish(at: now) }
        enter(.waiting(until: now + backOff.nextAfterTurnedAway(), isTurnedAway: true), at: now)
        return effects
    }

    private mutating func wait(_ time: Duration, at now: Instant) -> [Effect] {
        enter(.waiting(until: now + time, isTurnedAway: false), at: now)
        return []
    }

    // MARK: Time

    private mutating func timer(at now: Instant) -> [Effect] {
        if let stopBy, now >= stopBy {
            switch state {
            case .greeting, .connected:
                return [.sendGoodbye(.stopping, "the agent stops"), .disconnect] + finish(at: now)
            case .connecting: return [.disconnect] + finish(at: now)
            case .idle, .waiting: return finish(at: now)
            case .stopped: return []
            }
        }
        switch state {
        case .waiting(let until, _) where now >= until:
            enter(.connecting(since: now), at: now)
            return [.connect]
        case .connecting(let since) where now >= since + times.answer:
            return [.disconnect] + lost("no connection within \(times.answer)", at: now)
        case .greeting(let since) where now >= since + times.answer:
            return [.disconnect] + lost("no Welcome within \(times.answer)", at: now)
        case .connected(let session) where !session.inFlight.isEmpty && now >= session.heard + times.answer:
            let count = session.inFlight.count
            return [.disconnect] + lost("no answer to \(count) batches within \(times.answer)", at: now)
        case .connected: return fill(at: now)
        default: return []
        }
    }

    // MARK: Stopping

    private mutating func stop(by: Instant, at now: Instant) -> [Effect] {
        stopBy = stopBy.map { min($0, by) } ?? by
        holdUntil = nil
        switch state {
        case .idle: return finish(at: now)
        case .waiting(_, let isTurnedAway):
            if isTurnedAway || now >= by { return finish(at: now) }
            // One last attempt, without further waiting.
            enter(.connecting(since: now), at: now)
            return [.connect]
        case .connecting, .greeting, .stopped: return []
        case .connected:
            let effects = fill(at: now)
            return effects.isEmpty ? finishIfDelivered(at: now) : effects
        }
    }

    private mutating func finishIfDelivered(at now: Instant) -> [Effect] {
        guard stopBy != nil, case .connected(let session) = state, session.inFlight.isEmpty, !hasUnsent else {
            return []
        }
        return [.sendGoodbye(.stopping, "the agent stops"), .disconnect] + finish(at: now)
    }

    private mutating func finish(at now: Instant) -> [Effect] {
        enter(.stopped, at: now)
        return [.finished]
    }

    private mutating func enter(_ next: State, at now: Instant) {
        state = next
        stateSince = now
    }
}
