public import ArgumentParser
public import LedgerSources
public import Operations

/// The source of ledgers and `--network-passphrase`.
public struct NetworkOptions: ParsableArguments {
    static let passphrase = Setting(
        "network-passphrase", variable: "NETWORK_PASSPHRASE", "Compared with the source's before anything is written.", .text())

    @OptionGroup var source: LedgerSourceOptions

    /// The text of `--network-passphrase`.
    @Option(name: NetworkOptions.passphrase.name, help: NetworkOptions.passphrase.help)
    public var networkPassphrase: String?

    /// Nothing given.
    public init() {}

    /// The source of ledgers, and the passphrase of the network that it must be on.
    /// - Throws: `UsageError`.
    public func resolve(environment: [String: String]) throws(UsageError) -> (source: LedgerSourceSettings, passphrase: String) {
        (try source.resolve(environment: environment), try Self.passphrase.resolve(networkPassphrase, environment: environment))
    }
}
