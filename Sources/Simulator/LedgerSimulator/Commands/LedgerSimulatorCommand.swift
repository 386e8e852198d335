public import ArgumentParser

/// `ledger-simulator`.
public struct LedgerSimulatorCommand: AsyncParsableCommand {
    /// The tree of commands.
    public static let configuration = CommandConfiguration(
        commandName: "ledger-simulator",
        abstract: "An RPC server and a data lake over simulated or recorded ledgers, for tests, demonstrations and benchmarks.",
        subcommands: [
            ServeCommand.self, ContractsCommand.self, ExpectCommand.self, MakeCommand.self, LakeCommand.self, ServeLakeCommand.self,
        ], defaultSubcommand: ServeCommand.self)

    /// Nothing given.
    public init() {}
}
