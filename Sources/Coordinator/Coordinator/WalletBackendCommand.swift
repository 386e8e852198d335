public import ArgumentParser

/// `wallet-backend`.
public struct WalletBackendCommand: AsyncParsableCommand {
    /// The tree of commands.
    public static let configuration = CommandConfiguration(
        commandName: "wallet-backend", abstract: "Fills in the history of contract protocols for a Stellar wallet backend.",
        subcommands: [ProtocolMigrate.self, Migrate.self])

    /// Nothing given.
    public init() {}

    struct ProtocolMigrate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "protocol-migrate", abstract: "Migrations of protocols.", subcommands: [HistoryCommand.self])
    }

    struct Migrate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "migrate", abstract: "The database's tables.", subcommands: [MigrateUpCommand.self])
    }
}
