import Profiles

/// Which agent is asked for which module's symbol table. A module is asked of one agent at a time over all
/// connections; of another one when the first has none, is gone, or lets the time pass.
struct SymbolRequests {
    /// Numbers connections.
    typealias Connection = UInt64

    /// Modules of one connection that are under way at a time: a table may take the agent a while.
    static let perConnection = 8
    /// Without a part of any table for so long, the agent's modules are asked of others. It may fetch debug files for two
    /// minutes, and its helper read them for one.
    static let patience = Duration.seconds(240)
    /// Modules that are remembered at most; more are asked for when there is room again.
    static let maximumModules = 200_000
    /// Agents that are remembered as able to answer for one module.
    private static let candidatesPerModule = 8
    /// After so many agents had no table for a module, no more are asked.
    private static let refusalsPerModule = 3

    private struct Request {
        var module: Module
        var asked: Connection?
        var candidates: [Connection]
        var refused: Set<Connection> = []
    }

    private struct Agent {
        var underWay: Set<ModuleIdentity> = []
        var waiting: [ModuleIdentity] = []
        var lastProgress: ContinuousClock.Instant
    }

    private var requests: [ModuleIdentity: Request] = [:]
    private var agents: [Connection: Agent] = [:]
    /// Those that have offered something and are not gone. Requests may still name others as candidates.
    private var live: Set<Connection> = []

    /// Modules without a table, and how many of them are asked for right now.
    var openCount: Int { requests.count }
    var underWayCount: Int { agents.values.reduce(0) { $0 + $1.underWay.count } }

    /// Says that a connection, which is open, can be asked for these modules, none of which has a table.
    mutating func offer(
        _ modules: [Module], from connection: Connection, at now: ContinuousClock.Instant
    ) -> [Connection: [Module]] {
        live.insert(connection)
        for module in modules where module.identity.kind != .name {
            guard var request = requests[module.identity] else {
                guard requests.count < Self.maximumModules else { continue }
                requests[module.identity] = Request(module: module, asked: nil, candidates: [connection])
                enqueue(module.identity, connection, now)
                continue
            }
            request.candidates.removeAll { !live.contains($0) }
            guard !request.refused.contains(connection), !request.candidates.contains(connection),
                request.refused.count < Self.refusalsPerModule,
                request.candidates.count < Self.candidatesPerModule
            else { continue }
            request.candidates.append(connection)
            requests[module.identity] = request
            if request.asked == nil { enqueue(module.identity, connection, now) }
        }
        return assign(to: [connection], at: now)
    }

    /// A part of a table came: the agent is at work.
    mutating func progress(_ connection: Connection, at now: ContinuousClock.Instant) {
        agents[connection]?.lastProgress = now
    }

    /// The module has a table now.
    mutating func done(
        _ module: ModuleIdentity, by connection: Connection, at now: ContinuousClock.Instant
    ) -> [Connection: [Module]] {
        let asked = requests.removeValue(forKey: module)?.asked
        for one in [connection, asked].compactMap(\.self) { agents[one]?.underWay.remove(module) }
        agents[connection]?.lastProgress = now
        return assign(to: [connection, asked].compactMap(\.self), at: now)
    }

    /// The agent has no table, or none that can be read.
    mutating func failed(
        _ module: ModuleIdentity, by connection: Connection, at now: ContinuousClock.Instant
    ) -> [Connection: [Module]] {
        agents[connection]?.underWay.remove(module)
        agents[connection]?.lastProgress = now
        return assign(to: [connection] + passOn([module], from: connection, now), at: now)
    }

    mutating func disconnected(
        _ connection: Connection, at now: ContinuousClock.Instant
    ) -> [Connection: [Module]] {
        live.remove(connection)
        guard let agent = agents.removeValue(forKey: connection) else { return [:] }
        let modules = agent.underWay.union(agent.waiting)
        let others = passOn(Array(modules), from: connection, now)
        for identity in modules where requests[identity]?.candidates.isEmpty == true {
            // Whoever brings the module next will be asked.
            requests[identity] = nil
        }
        return assign(to: others, at: now)
    }

    /// Takes modules from agents that let their time pass.
    mutating func expire(at now: ContinuousClock.Instant) -> [Connection: [Module]] {
        var others: [Connection] = []
        for (connection, agent) in agents
        where !agent.underWay.isEmpty && agent.lastProgress.duration(to: now) > Self.patience {
            agents[connection]?.underWay = []
            agents[connection]?.waiting = []
            agents[connection]?.lastProgress = now
            others += passOn(Array(agent.underWay.union(agent.waiting)), from: connection, now)
        }
        return assign(to: others, at: now)
    }

    private mutating func enqueue(
        _ module: ModuleIdentity, _ connection: Connection, _ now: ContinuousClock.Instant
    ) {
        requests[module]?.asked = connection
        agents[connection, default: Agent(lastProgress: now)].waiting.append(module)
    }

    private mutating func passOn(
        _ modules: [ModuleIdentity], from connection: Connection, _ now: ContinuousClock.Instant
    ) -> [Connection] {
        var others: [Connection] = []
        for module in modules {
            guard var request = requests[module] else { continue }
            request.candidates.removeAll { $0 == connection || !live.contains($0) }
            // Who is gone has not refused: its agent may come back and have the table.
            if live.contains(connection) { request.refused.insert(connection) }
            guard request.asked == connection else {
                requests[module] = request
                continue
            }
            request.asked = nil
            requests[module] = request
            if let next = request.candidates.first {
                enqueue(module, next, now)
                others.append(next)
            }
        }
        return others
    }

    private mutating func assign(
        to connections: [Connection], at now: ContinuousClock.Instant
    ) -> [Connection: [Module]] {
        var wanted: [Connection: [Module]] = [:]
        for connection in Set(connections) {
            guard var agent = agents[connection] else { continue }
            while agent.underWay.count < Self.perConnection, !agent.waiting.isEmpty {
                let identity = agent.waiting.removeFirst()
                guard let request = requests[identity], request.asked == connection else { continue }
                if agent.underWay.isEmpty { agent.lastProgress = now }
                agent.underWay.insert(identity)
                wanted[connection, default: []].append(request.module)
            }
            agents[connection] = agent
        }
        return wanted
    }
}
