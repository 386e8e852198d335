import ArgumentParser
import Coordinator
import Inspection
import LiveIngest
import Operations

/// `wallet-backend`.
struct WalletBackendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wallet-backend",
        abstract: "Follows the Stellar network for a wallet backend, and fills in the history of contract protocols.",
        version: ProgramVersion.text,
        subcommands: [ProtocolMigrate.self, IngestCommand.self, Migrate.self, DoctorCommand.self, ConfigurationCommands.self])

    struct ProtocolMigrate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "protocol-migrate", abstract: "Migrations of protocols.",
            subcommands: [HistoryCommand.self, StatusCommand.self, PlanCommand.self])
    }

    struct ConfigurationCommands: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "config", abstract: "Settings and where they come from.", subcommands: [ConfigCheckCommand.self])
    }

    struct Migrate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "migrate", abstract: "The database's tables.", subcommands: [MigrateUpCommand.self])
    }
}
