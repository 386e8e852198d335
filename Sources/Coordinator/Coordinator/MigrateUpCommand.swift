public import ArgumentParser
import ConnectionOptions
import Logging
import Operations
import PostgreSQL
import Protocols
import StateChanges
import Store
import Timescale

/// `wallet-backend migrate up`.
public struct MigrateUpCommand: AsyncParsableCommand {
    /// Name and help.
    public static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Create the tables that are missing and register the protocols that this build knows.",
        discussion:
            "For development, tests and demonstrations: a database of wallet-backend has the tables already. Never alters an existing table."
    )

    @OptionGroup var databaseOptions: DatabaseOptions
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var file: ConfigurationOptions

    /// Nothing given.
    public init() {}

    /// Creates what is missing.
    public func run() async throws {
        let environment = try file.environment()
        let (log, database) = try UsageError.reported {
            (
                try logging.resolve(process: "migrate-up", environment: environment),
                try databaseOptions.resolve(environment: environment).parsed
            )
        }
        let logger = log.makeLogger()
        environment.logWarning(to: logger)
        do {
            let connection = try await ReconnectPolicy().connect(to: database, applicationName: "wallet-backend migrate up", logger: logger)
            let layout = try await TableLayout.best(on: connection)
            let done = try await Schema.create(layout, registering: ProtocolRegistry.processors.map(\.id), on: connection)
            let hypertable = try await Hypertable.find(on: connection)
            await connection.close()
            done.notes.log(to: logger)
            logger.info(
                "database is up to date",
                metadata: [
                    "created": "\(done.createdTables.joined(separator: " "))",
                    "registered": "\(done.registeredProtocols.map(\.rawValue).joined(separator: " "))",
                    "hypertable": "\(hypertable != nil)",
                    "columnstore": "\(hypertable?.hasColumnstore ?? false)",
                ])
        } catch {
            logger.critical("migrate up failed", metadata: ["cause": "\(error)"])
            throw ExitStatus.failure.exitCode
        }
    }
}
