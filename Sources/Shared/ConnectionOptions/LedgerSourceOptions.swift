public import ArgumentParser
public import LedgerSources
public import Operations

/// Where ledgers come from: `--rpc-url`, `--ledger-backend-type` and the `--datastore-...` flags, which are named as the Go tool's.
public struct LedgerSourceOptions: ParsableArguments {
    /// `--ledger-backend-type`.
    enum BackendType: String, CaseIterable, Sendable {
        case rpc, datastore
    }

    static let rpcURL = Setting("rpc-url", variable: "RPC_URL", "The stellar-rpc server.", .httpURL)
    static let type = Setting<BackendType>(
        "ledger-backend-type", variable: "LEDGER_BACKEND_TYPE",
        "rpc or datastore; unless given, what the other flags say: with both, the lake for ledgers that the RPC does not keep.",
        .oneOf(placeholder: "type"))
    static let path = Setting(
        "datastore-bucket-path", variable: "DATASTORE_BUCKET_PATH",
        "The data lake: bucket/path or s3://, gs://, https://, http://, file://. With type datastore the public lake of pubnet unless given.",
        .text(placeholder: "path"))
    static let region = Setting(
        "datastore-region", variable: "DATASTORE_REGION", "The bucket's region (S3).", .text(placeholder: "region"), default: "us-east-2")
    static let endpointURL = Setting(
        "datastore-endpoint-url", variable: "DATASTORE_ENDPOINT_URL", "Another S3 or GCS server than that of AWS or Google.", .httpURL)
    static let workers = Setting(
        "datastore-num-workers", variable: "DATASTORE_NUM_WORKERS",
        "Files fetched at once, at most; how many there are follows from the network's latency.", .integer(in: 1...256), default: "64")
    static let retryLimit = Setting(
        "datastore-retry-limit", variable: "DATASTORE_RETRY_LIMIT", "How often a request is tried again.", .integer(in: 1...1000),
        default: "3")
    static let retryWait = Setting(
        "datastore-retry-wait", variable: "DATASTORE_RETRY_WAIT", "Longest wait before that, such as 5s or 500ms.", .goDuration,
        default: "5s")
    static let ledgersPerFile = Setting(
        "datastore-ledgers-per-file", variable: "DATASTORE_LEDGERS_PER_FILE", "The lake's layout; 0: as its manifest says.",
        .integer(in: 0...Int(UInt32.max)), default: "0")
    static let filesPerPartition = Setting(
        "datastore-files-per-partition", variable: "DATASTORE_FILES_PER_PARTITION", "The lake's layout; 0: as its manifest says.",
        .integer(in: 0...Int(UInt32.max)), default: "0")
    static let unsignedVariable = "DATASTORE_UNSIGNED"

    /// All of them.
    public static var settings: [AnySetting] {
        let unsigned = AnySetting("datastore-unsigned", variable: unsignedVariable, default: "false") { isTrue($0) ? "true" : "false" }
        return [
            rpcURL.erased, type.erased, path.erased, region.erased, endpointURL.erased, unsigned, workers.erased, retryLimit.erased,
            retryWait.erased, ledgersPerFile.erased, filesPerPartition.erased,
        ]
    }

    private static func isTrue(_ text: String) -> Bool { ["true", "1"].contains(text) }

    /// The lake that the Go tool reads unless told otherwise.
    static let publicLake = "s3://aws-public-blockchain/v1.1/stellar/ledgers/pubnet"

    /// Environment variables that say with which credentials a lake is read: for whoever reads ledgers, and nobody else.
    public static func isCredential(_ variable: String) -> Bool { ["AWS_", "GCS_", "GOOGLE_"].contains { variable.hasPrefix($0) } }

    /// Environment variables that say where ledgers come from.
    public static func isSetting(_ variable: String) -> Bool {
        variable == rpcURL.variable || variable == type.variable || variable.hasPrefix("DATASTORE_")
    }

    /// The text of `--rpc-url`.
    @Option(name: LedgerSourceOptions.rpcURL.name, help: LedgerSourceOptions.rpcURL.help) public var rpcURL: String?
    /// The text of `--ledger-backend-type`.
    @Option(name: LedgerSourceOptions.type.name, help: LedgerSourceOptions.type.help) public var ledgerBackendType: String?
    /// The text of `--datastore-bucket-path`.
    @Option(name: LedgerSourceOptions.path.name, help: LedgerSourceOptions.path.help) public var datastoreBucketPath: String?
    /// The text of `--datastore-region`.
    @Option(name: LedgerSourceOptions.region.name, help: LedgerSourceOptions.region.help) public var datastoreRegion: String?
    /// The text of `--datastore-endpoint-url`.
    @Option(name: LedgerSourceOptions.endpointURL.name, help: LedgerSourceOptions.endpointURL.help) public var datastoreEndpointURL: String?
    /// The text of `--datastore-num-workers`.
    @Option(name: LedgerSourceOptions.workers.name, help: LedgerSourceOptions.workers.help) public var datastoreNumWorkers: String?
    /// The text of `--datastore-retry-limit`.
    @Option(name: LedgerSourceOptions.retryLimit.name, help: LedgerSourceOptions.retryLimit.help) public var datastoreRetryLimit: String?
    /// The text of `--datastore-retry-wait`.
    @Option(name: LedgerSourceOptions.retryWait.name, help: LedgerSourceOptions.retryWait.help) public var datastoreRetryWait: String?
    /// The text of `--datastore-ledgers-per-file`.
    @Option(name: LedgerSourceOptions.ledgersPerFile.name, help: LedgerSourceOptions.ledgersPerFile.help)
    public var datastoreLedgersPerFile: String?
    /// The text of `--datastore-files-per-partition`.
    @Option(name: LedgerSourceOptions.filesPerPartition.name, help: LedgerSourceOptions.filesPerPartition.help)
    public var datastoreFilesPerPartition: String?
    /// `--datastore-unsigned`.
    @Flag(
        name: .customLong("datastore-unsigned"),
        help: "Send no credentials, as a public lake wants it. [env: DATASTORE_UNSIGNED=true]") public var datastoreUnsigned = false

    /// Nothing given.
    public init() {}

    /// The source.
    /// - Throws: `UsageError`.
    public func resolve(environment: SettingEnvironment) throws(UsageError) -> LedgerSourceSettings {
        let url = try Self.rpcURL.resolveIfGiven(rpcURL, environment: environment)?.text
        let path = try Self.path.resolveIfGiven(datastoreBucketPath, environment: environment)
        let type = try Self.type.resolveIfGiven(ledgerBackendType, environment: environment)
        switch type {
        case .rpc:
            guard let url else {
                throw UsageError("--rpc-url or the environment variable RPC_URL is required with --ledger-backend-type rpc")
            }
            return LedgerSourceSettings(rpcURL: url, lake: nil)
        case .datastore:
            return LedgerSourceSettings(rpcURL: nil, lake: try lake(path ?? Self.publicLake, environment))
        case nil:
            if url == nil, path == nil {
                throw UsageError(
                    "--rpc-url or --datastore-bucket-path (or the environment variable RPC_URL or DATASTORE_BUCKET_PATH) is required: where ledgers come from"
                )
            }
            var settings = LedgerSourceSettings(rpcURL: url, lake: nil)
            if let path { settings.lake = try lake(path, environment) }
            return settings
        }
    }

    /// Whether anything says where ledgers come from.
    func isGiven(environment: SettingEnvironment) throws(UsageError) -> Bool {
        let type = try Self.type.resolveIfGiven(ledgerBackendType, environment: environment)
        let url = try Self.rpcURL.resolveIfGiven(rpcURL, environment: environment)
        let path = try Self.path.resolveIfGiven(datastoreBucketPath, environment: environment)
        return type != nil || url != nil || path != nil
    }

    private func lake(_ path: String, _ environment: SettingEnvironment) throws(UsageError) -> LedgerSourceSettings.Lake {
        var lake = LedgerSourceSettings.Lake(path: path)
        lake.region = try Self.region.resolve(datastoreRegion, environment: environment)
        lake.endpointURL = try Self.endpointURL.resolveIfGiven(datastoreEndpointURL, environment: environment)?.text
        lake.workers = try Self.workers.resolve(datastoreNumWorkers, environment: environment)
        lake.retryLimit = try Self.retryLimit.resolve(datastoreRetryLimit, environment: environment)
        lake.retryWait = try Self.retryWait.resolve(datastoreRetryWait, environment: environment)
        lake.ledgersPerFile = UInt32(try Self.ledgersPerFile.resolve(datastoreLedgersPerFile, environment: environment))
        lake.filesPerPartition = UInt32(try Self.filesPerPartition.resolve(datastoreFilesPerPartition, environment: environment))
        if lake.ledgersPerFile == 0 { lake.ledgersPerFile = nil }
        if lake.filesPerPartition == 0 { lake.filesPerPartition = nil }
        lake.unsigned = datastoreUnsigned || Self.isTrue(environment[Self.unsignedVariable] ?? "")
        return lake
    }
}

extension LedgerSourceSettings {
    /// The settings as environment variables, secrets included, for another process of ours.
    public var environment: [String: String] {
        var variables: [String: String] = [:]
        variables[LedgerSourceOptions.rpcURL.variable ?? ""] = rpcURL
        if let lake {
            let pairs: [(String?, String?)] = [
                (LedgerSourceOptions.path.variable, lake.path), (LedgerSourceOptions.region.variable, lake.region),
                (LedgerSourceOptions.endpointURL.variable, lake.endpointURL), (LedgerSourceOptions.workers.variable, "\(lake.workers)"),
                (LedgerSourceOptions.retryLimit.variable, "\(lake.retryLimit)"),
                (LedgerSourceOptions.retryWait.variable, "\(Int(lake.retryWait / .milliseconds(1)))ms"),
                (LedgerSourceOptions.ledgersPerFile.variable, "\(lake.ledgersPerFile ?? 0)"),
                (LedgerSourceOptions.filesPerPartition.variable, "\(lake.filesPerPartition ?? 0)"),
                (LedgerSourceOptions.unsignedVariable, lake.unsigned ? "true" : nil),
            ]
            for (name, value) in pairs { if let name, let value { variables[name] = value } }
        }
        return variables.filter { !$0.key.isEmpty }
    }
}
