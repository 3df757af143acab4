import Profiles

extension AgentAccount {
    /// Adds up the epochs of each agent: taken, stored and dropped of all, the rest from the one that came last.
    static func accounts(
        of epochs: [EpochKey: EpochAccount], goodbyes: [Identifier: Timestamp]
    ) -> [AgentAccount] {
        var agents: [Identifier: AgentAccount] = [:]
        for (key, epoch) in epochs {
            let stored = epoch.storedSamples
            let settled = stored &+ epoch.ledger.droppedTotal
            // Not stored and not dropped is still on its way. A ledger that says less than what is stored (a machine
            // that ran twice) makes nothing pending, and what is stored was taken.
            let pending = epoch.ledger.taken > settled ? epoch.ledger.taken - settled : 0
            let seen = Timestamp(nanoseconds: epoch.lastReceived)
            var agent =
                agents[key.agent]
                ?? AgentAccount(
                    id: key.agent, host: epoch.host, version: epoch.agentVersion,
                    lastSeen: Timestamp(nanoseconds: .min), samplesPerSecond: epoch.samplesPerSecond,
                    clockOffsetNanoseconds: epoch.clockOffsetNanoseconds, taken: 0, stored: 0, pending: 0,
                    dropped: [:], conflictBatches: 0, conflictSamples: 0, saidGoodbye: false)
            agent.taken &+= settled &+ pending
            agent.stored &+= stored
            agent.pending &+= pending
            agent.dropped.merge(epoch.ledger.dropped) { $0 &+ $1 }
            agent.conflictBatches &+= epoch.conflictBatches
            agent.conflictSamples &+= epoch.conflictSamples
            if seen > agent.lastSeen {
                agent.lastSeen = seen
                agent.host = epoch.host
                agent.version = epoch.agentVersion
                if epoch.samplesPerSecond > 0 { agent.samplesPerSecond = epoch.samplesPerSecond }
                agent.clockOffsetNanoseconds = epoch.clockOffsetNanoseconds
            }
            agents[key.agent] = agent
        }
        return agents.values.map { agent in
            var agent = agent
            if let goodbye = goodbyes[agent.id] { agent.saidGoodbye = goodbye >= agent.lastSeen }
            return agent
        }
        .sorted { ($0.host, $0.id) < ($1.host, $1.id) }
    }
}
