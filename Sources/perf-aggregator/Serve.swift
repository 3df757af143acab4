import ArgumentParser
import Dispatch
import Foundation
import Logging
import ProfilerAggregator
import Settings
import Synchronization

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes batches over TCP and answers questions over HTTP, until SIGTERM or Ctrl-C.",
        discussion: """
            Prints one line, 'listening agents=ADDR:PORT http=ADDR:PORT', once both are ready. Flags win over \
            PERF_AGGREGATOR_* environment variables, which win over the configuration file.

            EXAMPLES
              perf-aggregator serve --data /tmp/profiles
              perf-aggregator serve --config /etc/perf-fleet/aggregator.yaml --listen-http 127.0.0.1:0
            """)

    @Option(
        help: "Configuration file (YAML). Default: PERF_AGGREGATOR_CONFIG, else \(AggregatorSettings.standardPath).")
    var config: String?
    @Option(help: "Directory of the store; made with mode 0700 where it is not there.")
    var data: String?
    @Option(help: ArgumentHelp("Address for agents (127.0.0.1:7171); port 0 picks a free one.", valueName: "addr:port"))
    var listenAgents: String?
    @Option(
        help: ArgumentHelp("Address for questions (127.0.0.1:7172); port 0 picks a free one.", valueName: "addr:port"))
    var listenHttp: String?
    @Flag(help: "Reads the configuration, says whether it can be used, and ends.")
    var checkConfig = false

    func run() async throws {
        let settings: AggregatorSettings
        let environment = ProcessInfo.processInfo.environment
        do throws(SettingsError) {
            let file = try AggregatorSettings.file(asked: config, environment: environment)
            settings = try AggregatorSettings.resolve(
                file: file, environment: environment,
                flags: AggregatorSettings.Flags(data: data, listenAgents: listenAgents, listenHTTP: listenHttp))
        } catch {
            // As for a flag that is not there: EX_USAGE.
            if case .unusableValue(.flag, _, _, _) = error { throw failure(error.description, code: 64) }
            throw failure(error.description)
        }
        for warning in AggregatorSettings.warnings(environment: environment) { complain("warning: \(warning)") }
        if checkConfig {
            print("the configuration can be used: data in \(settings.dataDirectory)")
            return
        }
        var logger = Logger(label: "perf-aggregator") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = Logger.Level(rawValue: settings.logLevel.rawValue) ?? .info
        let signals = StopSignals()
        do throws(AggregatorError) {
            try await Aggregator(settings: settings, logger: logger).run(
                ready: { addresses in
                    // Not through print: its buffer would keep the line back where standard output is a pipe.
                    let line = "listening agents=\(addresses.agents) http=\(addresses.http)\n"
                    try? FileHandle.standardOutput.write(contentsOf: Data(line.utf8))
                }, until: { await signals.wait() })
        } catch {
            throw failure(error.description)
        }
    }
}

/// Writes a sentence to standard error.
func complain(_ message: String) {
    try? FileHandle.standardError.write(contentsOf: Data("perf-aggregator: \(message)\n".utf8))
}

/// Ends with an exit code, 1 unless told otherwise, and a sentence on standard error.
func failure(_ message: String, code: Int32 = 1) -> ExitCode {
    complain(message)
    return ExitCode(code)
}

/// SIGTERM and SIGINT, from its making on. SIGHUP does nothing from then on: there is nothing to read again.
final class StopSignals: Sendable {
    private let stream: AsyncStream<Void>
    /// Kept for as long as they are to report.
    private let sources: Mutex<[any DispatchSourceSignal]>

    init() {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        self.stream = stream
        signal(SIGHUP, SIG_IGN)
        sources = Mutex(
            [SIGTERM, SIGINT].map { number in
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { continuation.yield() }
                source.resume()
                return source
            })
    }

    /// Returns at the first of them.
    func wait() async {
        for await _ in stream { return }
    }
}
