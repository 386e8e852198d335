public import ArgumentParser
public import Operations
public import PostgreSQL

/// `--database-url`.
public struct DatabaseOptions: ParsableArguments {
    static let url = Setting<DatabaseAddress>(
        "database-url", variable: "DATABASE_URL", "libpq URL or key=value string.",
        .parsed(placeholder: "url", isSecret: true) { DatabaseAddress(text: $0, parsed: try ConnectionString($0)) })

    /// The URL.
    public static var settings: [AnySetting] { [url.erased] }

    /// The text of `--database-url`.
    @Option(name: DatabaseOptions.url.name, help: DatabaseOptions.url.help)
    public var databaseURL: String?

    /// Nothing given.
    public init() {}

    /// Where the database is.
    /// - Throws: `UsageError`.
    public func resolve(environment: SettingEnvironment) throws(UsageError) -> DatabaseAddress {
        try Self.url.resolve(databaseURL, environment: environment)
    }
}

/// Where a database is, as it was written and as it was understood.
public struct DatabaseAddress: Sendable, CustomStringConvertible {
    /// As given, secrets included: for the environment of another process, never for a log.
    public let text: String
    /// What to connect to; shows no password.
    public let parsed: ConnectionString
    /// Without any password.
    public var description: String { parsed.redacted }
}
