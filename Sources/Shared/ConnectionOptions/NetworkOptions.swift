public import ArgumentParser
public import LedgerSources
public import Operations

/// The source of ledgers and `--network-passphrase`.
public struct NetworkOptions: ParsableArguments {
    static let passphrase = Setting(
        "network-passphrase", variable: "NETWORK_PASSPHRASE", "Compared with the source's before anything is written.", .text())

    /// All of them.
    public static var settings: [AnySetting] { LedgerSourceOptions.settings + [passphrase.erased] }

    @OptionGroup var source: LedgerSourceOptions

    /// The text of `--network-passphrase`.
    @Option(name: NetworkOptions.passphrase.name, help: NetworkOptions.passphrase.help)
    public var networkPassphrase: String?

    /// Nothing given.
    public init() {}

    /// The same for whoever can do without some of it: nil for what is not given.
    /// - Throws: `UsageError` where what is given is wrong.
    public func resolveIfGiven(environment: SettingEnvironment) throws(UsageError) -> (source: LedgerSourceSettings?, passphrase: String?) {
        var settings: LedgerSourceSettings?
        if try source.isGiven(environment: environment) { settings = try source.resolve(environment: environment) }
        return (settings, try Self.passphrase.resolveIfGiven(networkPassphrase, environment: environment))
    }

    /// The source of ledgers, and the passphrase of the network that it must be on.
    /// - Throws: `UsageError`.
    public func resolve(environment: SettingEnvironment) throws(UsageError) -> (source: LedgerSourceSettings, passphrase: String) {
        (try source.resolve(environment: environment), try Self.passphrase.resolve(networkPassphrase, environment: environment))
    }
}
