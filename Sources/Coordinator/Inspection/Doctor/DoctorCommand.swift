public import ArgumentParser
import ConnectionOptions
import Coordinator
import Logging
import Operations

/// `wallet-backend doctor`.
public struct DoctorCommand: AsyncParsableCommand {
    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Examine database, source of ledgers and machine: each line is ok, or says what to do. Changes nothing.",
        discussion: """
            Give it the settings of the process that it is to be run for. 'fail': what is needed is not there. 'warn': it works, or is needed only for some.

            Exit status: 0 nothing failed, 1 something did, 64 usage.
            """)

    @OptionGroup var databaseOptions: DatabaseOptions
    @OptionGroup var networkOptions: NetworkOptions
    @OptionGroup var cursorNames: CursorNameOptions
    @Option(name: HistoryCommand.network.name, help: HistoryCommand.network.help) var network: String?
    @Flag(name: .customLong("json"), help: "One JSON document instead of the lines.") var json = false
    @OptionGroup var file: ConfigurationOptions

    /// Nothing given.
    public init() {}

    /// Examines everything, then says what it found.
    public func run() async throws {
        let environment = try file.environment()
        let (database, source) = try UsageError.reported {
            let (settings, passphrase) = try networkOptions.resolveIfGiven(environment: environment)
            return (
                DatabaseExamination(
                    address: try databaseOptions.resolve(environment: environment).parsed,
                    names: try cursorNames.resolve(environment: environment),
                    network: try HistoryCommand.network.resolveIfGiven(network, environment: environment)),
                SourceExamination(
                    settings: settings, passphrase: passphrase,
                    // What is tried again in vain comes out as a finding.
                    logger: LogConfiguration(process: "doctor", level: .critical).makeLogger())
            )
        }
        TerminationSignals.ignoreBrokenPipes()
        var findings: [Finding] = []
        if let warning = environment.warning { findings.append(.warn("configuration", warning, "let its owner alone read it")) }
        let stored = await database.run()
        findings += stored.findings
        findings += await source.run(needed: stored.needed, latest: stored.latest)
        findings += MachineExamination().run()
        Output.write(json ? findings.json.line : findings.text)
        if findings.contains(where: { $0.verdict == .fail }) { throw ExitStatus.failure.exitCode }
    }
}
