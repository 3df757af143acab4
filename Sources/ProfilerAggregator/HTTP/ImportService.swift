import Dispatch
import Formats
import ProfileStore
import Profiles
import WireProtocol

/// Takes what `perf-query import` sends: batches, framed as agents frame them. They are checked by the same rules, all of
/// them before the first is stored, and are named by what they hold, so that a second time changes nothing.
struct ImportService: Sendable {
    /// Browsers send this to no other origin without asking first.
    static let contentType = "application/x-perf-batches"
    static let maximumBytes = 256 << 20
    private static let maximumBatches = 100_000

    /// Decoding takes seconds; it gets a thread of its own, so that connections have the others.
    private static let decoding = DispatchQueue(label: "import.decode", attributes: .concurrent)

    let store: any ProfileStore
    let now: @Sendable () -> Timestamp

    /// The batches of a body, all of them checked.
    private static func decode(_ bytes: [UInt8], received: Timestamp) throws(APIError) -> [CheckedBatch] {
        var decoder = MessageDecoder()
        decoder.append(bytes)
        var batches: [CheckedBatch] = []
        do throws(WireError) {
            while let message = try decoder.next() {
                guard case .batch(let batch) = message, batches.count < maximumBatches else {
                    throw .badContent("a message that is no batch, or more than \(maximumBatches)")
                }
                let profile = try batch.windowProfile()
                batches.append(CheckedBatch(batch, profile: profile, received: received))
            }
        } catch {
            throw APIError(.badRequest, "batch \(batches.count + 1): \(error)")
        }
        guard decoder.bufferedBytes == 0, !batches.isEmpty else {
            throw APIError(.badRequest, "the body is not a row of whole batches")
        }
        return batches
    }

    func take(_ bytes: [UInt8]) async throws(APIError) -> ImportAnswer {
        let received = now()
        let decoded: Result<[CheckedBatch], APIError> = await withCheckedContinuation { continuation in
            Self.decoding.async {
                do throws(APIError) {
                    continuation.resume(returning: .success(try Self.decode(bytes, received: received)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        let batches = try decoded.get()
        let samples = batches.reduce(UInt64(0)) { $0 &+ $1.batch.samples }
        var new: [CheckedBatch] = []
        for checked in batches {
            let name = checked.batch.name
            // The same file with another time given has other digests, and is the same import.
            let last = await store.lastStoredSequence(agent: name.agent, epoch: name.epoch)
            if name.sequence > last { new.append(checked) }
        }
        // The oldest alone: where it is too old, nothing of the import is stored.
        new.sort {
            ($0.batch.window.start, $0.batch.name.sequence) < ($1.batch.window.start, $1.batch.name.sequence)
        }
        // Nor is it where the newest is refused.
        if let end = new.map(\.batch.window.end).max(), end > now() + SQLiteStore.maximumLead {
            throw Self.inFuture
        }
        var outcomes = await store.append(Array(new.prefix(1)))
        if outcomes.allSatisfy({ Self.problem($0) == nil }) { outcomes += await store.append(Array(new.dropFirst())) }
        if let problem = outcomes.lazy.compactMap({ Self.problem($0) }).first { throw problem }
        for agent in Set(batches.map(\.batch.name.agent)) {
            // An import is no agent that falls silent.
            do { try await store.noteGoodbye(agent: agent, at: now()) } catch { throw APIError(error) }
        }
        let stored = zip(new, outcomes).reduce(UInt64(0)) { $0 &+ ($1.1 == .stored ? $1.0.batch.samples : 0) }
        // Sums over batches may pass 2⁶⁴ where somebody wants them to.
        return ImportAnswer(samples: samples, stored: stored, alreadyStored: samples >= stored ? samples - stored : 0)
    }

    private static let inFuture = APIError(
        .badRequest, "its samples lie in the future, or end there; --at gives them another time")

    private static func problem(_ outcome: AppendOutcome) -> APIError? {
        switch outcome {
        case .stored, .alreadyStored, .storedAsConflict: nil
        case .expired:
            APIError(.badRequest, "its samples are older than what the store keeps; --at gives them another time")
        case .inFuture: inFuture
        case .failed(let error): APIError(error)
        }
    }
}
