import ArgumentParser
import Logging
import Operations
import PostgreSQL
import Protocols
import Store

/// `wallet-backend migrate up`.
struct MigrateUpCommand: AsyncParsableCommand {
    private static let database = Setting(
        "database-url", variable: "DATABASE_URL", "libpq URL or key=value string.",
        .parsed(placeholder: "url", isSecret: true) { try ConnectionString($0) })

    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Create the tables that are missing and register the protocols that this build knows.",
        discussion:
            "For development, tests and demonstrations: a database of wallet-backend has the tables already. Never alters an existing table."
    )

    @Option(name: Self.database.name, help: Self.database.help) var databaseURL: String?
    @OptionGroup var logging: LoggingOptions

    func run() async throws {
        let environment = ProcessEnvironment.current
        let (log, database) = try UsageError.reported {
            (
                try logging.resolve(process: "migrate-up", environment: environment),
                try Self.database.resolve(databaseURL, environment: environment)
            )
        }
        let logger = log.makeLogger()
        do {
            let connection = try await ReconnectPolicy().connect(
                to: database, applicationName: "wallet-backend migrate up",
                onFailure: { error, pause in
                    logger.warning("database not reached, trying again", metadata: ["cause": "\(error)", "pause": "\(pause)"])
                })
            let done = try await Schema.create(registering: ProtocolRegistry.processors.map(\.id), on: connection)
            await connection.close()
            logger.info(
                "database is up to date",
                metadata: [
                    "created": "\(done.createdTables)", "registered": "\(done.registeredProtocols.map(\.rawValue))",
                    "hypertable": "\(done.isHypertable)",
                ])
        } catch {
            logger.critical("migrate up failed", metadata: ["cause": "\(error)"])
            throw ExitStatus.failure.exitCode
        }
    }
}
