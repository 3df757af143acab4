internal import ArgumentParser
internal import Glibc
internal import Logging
internal import ProfilerAgent
internal import Settings

struct RunVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Samples the whole host until told to stop, and delivers to the aggregator.",
        discussion: """
            SIGTERM delivers or spools what is held and ends with 0; SIGHUP reads the configuration again. Flags win \
            over PERF_AGENT_* environment variables, which win over the file.

            EXAMPLES:
              perf-agent run --aggregator collector.example:7171 --label zone=a
              perf-agent run --config /etc/perf-fleet/agent.yaml --check-config
            """)

    @Option(
        help: ArgumentHelp("Settings (else PERF_AGENT_CONFIG, else \(AgentSettings.standardPath)).", valueName: "file"))
    var config: String?
    @Option(help: ArgumentHelp("Where batches go.", valueName: "host:port"))
    var aggregator: String?
    @Option(help: ArgumentHelp("Samples per second and CPU.", valueName: "hz"))
    var rate: String?
    @Option(help: ArgumentHelp("Where batches wait for their acknowledgement.", valueName: "dir"))
    var spool: String?
    @Option(help: ArgumentHelp("This host's name in answers.", valueName: "name"))
    var host: String?
    @Option(help: ArgumentHelp("A label on every sample of this host; may be repeated.", valueName: "k=v"))
    var label: [String] = []
    @Flag(help: "Reads the settings, says whether they can be used, and ends.")
    var checkConfig = false

    private func settings() throws(Failure) -> AgentSettings {
        do throws(SettingsError) {
            let environment = environmentVariables()
            let file = try AgentSettings.file(asked: config, environment: environment)
            return try AgentSettings.resolve(
                file: file, environment: environment,
                flags: .init(aggregator: aggregator, rate: rate, spool: spool, host: host, labels: label))
        } catch {
            var code = Failure.Code.impossible
            if case .unusableValue(.flag, _, _, _) = error { code = .usage }
            throw Failure("\(error)", code: code)
        }
    }

    func run() async throws {
        try await reporting { () async throws(Failure) in
            let settings = try settings()
            for warning in AgentSettings.warnings(environment: environmentVariables()) {
                Output.message("perf-agent: \(warning)")
            }
            if checkConfig {
                Output.message("the settings can be used")
                return
            }
            let level = Logger.Level(rawValue: settings.logLevel.rawValue) ?? .info
            var logger = Logger(label: "perf-agent", factory: { StreamLogHandler.standardError(label: $0) })
            logger.logLevel = level
            let agent: Agent
            do throws(AgentError) {
                agent = try Agent(settings, version: programVersion, logger: logger)
            } catch { throw Failure("\(error)") }
            let ending = SignalWatch([SIGTERM, SIGINT]) { _ in agent.stop() }
            let reloading = SignalWatch([SIGHUP]) { [logger] _ in reload(agent, logger) }
            signal(SIGPIPE, SIG_IGN)
            defer { withExtendedLifetime((ending, reloading)) {} }
            do throws(AgentError) { try await agent.run() } catch { throw Failure("\(error)") }
        }
    }

    private func reload(_ agent: Agent, _ logger: Logger) {
        let new: AgentSettings
        do throws(Failure) { new = try settings() } catch {
            logger.error("the new settings are refused, the old ones stay: \(error.message)")
            return
        }
        Task {
            let needRestart = await agent.reload(new)
            logger.notice("settings read again")
            if !needRestart.isEmpty {
                logger.warning("these take effect at the next start: \(needRestart.joined(separator: ", "))")
            }
        }
    }
}
