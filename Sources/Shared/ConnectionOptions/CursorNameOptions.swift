public import ArgumentParser
public import Operations
public import Store

/// `--oldest-ledger-cursor-name` and `--latest-ledger-cursor-name`.
public struct CursorNameOptions: ParsableArguments {
    static let oldest = Setting(
        "oldest-ledger-cursor-name", variable: "OLDEST_LEDGER_CURSOR_NAME", "Key of the oldest kept ledger in ingest_store.",
        .text(placeholder: "key"), default: "oldest_ingest_ledger")
    static let latest = Setting(
        "latest-ledger-cursor-name", variable: "LATEST_LEDGER_CURSOR_NAME", "Key of the latest ingested ledger in ingest_store.",
        .text(placeholder: "key"), default: "latest_ingest_ledger")

    /// Both.
    public static var settings: [AnySetting] { [oldest.erased, latest.erased] }

    /// The text of `--oldest-ledger-cursor-name`.
    @Option(name: CursorNameOptions.oldest.name, help: CursorNameOptions.oldest.help)
    public var oldestLedgerCursorName: String?

    /// The text of `--latest-ledger-cursor-name`.
    @Option(name: CursorNameOptions.latest.name, help: CursorNameOptions.latest.help)
    public var latestLedgerCursorName: String?

    /// Nothing given.
    public init() {}

    /// The keys in `ingest_store`.
    /// - Throws: `UsageError`.
    public func resolve(environment: SettingEnvironment) throws(UsageError) -> CursorNames {
        let oldest = try Self.oldest.resolve(oldestLedgerCursorName, environment: environment)
        let latest = try Self.latest.resolve(latestLedgerCursorName, environment: environment)
        guard oldest != latest else {
            throw UsageError("--oldest-ledger-cursor-name and --latest-ledger-cursor-name are the same: \(oldest)")
        }
        return CursorNames(oldest: oldest, latest: latest)
    }
}
