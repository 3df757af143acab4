import Glibc
import Profiles

/// The ledger's file that the epoch before left, on tmpfs or in the spool, and its replacement.
struct EpochBefore {
    /// The greater of what was found; nil where there is nothing of this agent.
    private(set) var account: EpochAccount?
    /// What could not be read, for the log.
    private(set) var failures: [DeliveryError] = []
    private let agent: Identifier
    private let spool: PrivateDirectory
    private let runtime: Result<PrivateDirectory, DeliveryError>

    static let spoolName = "ledger"

    init(agent: Identifier, spool: PrivateDirectory, runtimeDirectory: String) {
        self.agent = agent
        self.spool = spool
        do { runtime = .success(try PrivateDirectory(runtimeDirectory, create: true)) } catch {
            runtime = .failure(error)
        }
        if case .success(let directory) = runtime { read(runtimeName, in: directory) }
        read(Self.spoolName, in: spool)
    }

    /// Several agents of one host, each with a spool of its own, have each a file.
    private var runtimeName: String { "\(agent).ledger" }

    private mutating func read(_ name: String, in directory: PrivateDirectory) {
        do {
            guard let page = try directory.read(name, limit: LedgerFile.bytes),
                let found = LedgerFile.account(in: page), found.agent == agent
            else { return }
            // Two files exist where the directory on tmpfs came or went between two starts: the one left behind was
            // removed by the start that left it, so two of different epochs mean a kill in that start.
            if let account, account.ledger.taken >= found.ledger.taken { return }
            account = found
        } catch {
            failures.append(error)
        }
    }

    /// Begins a new file; `failure` says why it doesn't lie on tmpfs.
    func replace(epoch: Identifier) throws(DeliveryError) -> (ledger: LedgerFile, failure: DeliveryError?) {
        var failure: DeliveryError?
        switch runtime {
        case .success(let directory):
            do {
                let ledger = try LedgerFile(creating: runtimeName, in: directory, agent: agent, epoch: epoch)
                try spool.remove(Self.spoolName)
                return (ledger, nil)
            } catch {
                failure = error
            }
        case .failure(let error): failure = error
        }
        let ledger = try LedgerFile(creating: Self.spoolName, in: spool, agent: agent, epoch: epoch)
        if case .success(let directory) = runtime {
            // A stale file there would be read by the next start; that it can't be removed is part of `failure`.
            do { try directory.remove(runtimeName) } catch { failure = error }
        }
        return (ledger, failure)
    }
}
