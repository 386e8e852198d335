public import ArgumentParser
public import Operations

/// `--rpc-url` and `--network-passphrase`.
public struct NetworkOptions: ParsableArguments {
    static let passphrase = Setting(
        "network-passphrase", variable: "NETWORK_PASSPHRASE", "Compared with the RPC's before anything is written.", .text())

    @OptionGroup var rpc: RPCURLOptions

    /// The text of `--network-passphrase`.
    @Option(name: NetworkOptions.passphrase.name, help: NetworkOptions.passphrase.help)
    public var networkPassphrase: String?

    /// Nothing given.
    public init() {}

    /// The RPC's URL, which may hold credentials, and the passphrase of the network that it must be on.
    /// - Throws: `UsageError`.
    public func resolve(environment: [String: String]) throws(UsageError) -> (rpcURL: String, passphrase: String) {
        (try rpc.resolve(environment: environment), try Self.passphrase.resolve(networkPassphrase, environment: environment))
    }
}

/// `--rpc-url`.
public struct RPCURLOptions: ParsableArguments {
    static let url = Setting("rpc-url", variable: "RPC_URL", "The stellar-rpc server.", .httpURL)

    /// The text of `--rpc-url`.
    @Option(name: RPCURLOptions.url.name, help: RPCURLOptions.url.help)
    public var rpcURL: String?

    /// Nothing given.
    public init() {}

    /// The RPC's URL, which may hold credentials.
    /// - Throws: `UsageError`.
    public func resolve(environment: [String: String]) throws(UsageError) -> String {
        try Self.url.resolve(rpcURL, environment: environment).text
    }
}
