import Logging
import PostgreSQL
import StateChanges
import Store
import TestSupport

/// Says nothing.
let quiet = Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() })

/// Lends a fresh database without tables.
func withEmptyDatabase<Value: Sendable>(_ body: (ConnectionString) async throws -> Value) async throws -> Value {
    try await PrivatePostgres.shared().withDatabase(body)
}

/// Lends a fresh database with the tables, two registered protocols, and a connection to it.
func withStore<Value: Sendable>(_ body: (ConnectionString, PostgresConnection) async throws -> Value) async throws -> Value {
    try await withEmptyDatabase { address in
        let connection = try await connect(address)
        _ = try await Schema.create(registering: ["SEP41", "SEP50"], on: connection)
        return try await body(address, connection)
    }
}

/// Lends a fresh database with the tables, whose default for `synchronous_commit` is the one given, and which notes the value that holds inside of each
/// transaction that writes a cursor or a protocol's status.
func withSettingsNoted(synchronousCommit: String, _ body: (PostgresConnection) async throws -> Void) async throws {
    try await withStore { address, first in
        try await first.execute(
            """
            DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = \(synchronousCommit)', current_database()); END $$;
            CREATE TABLE noted (setting text);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
                AS 'BEGIN INSERT INTO noted VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END';
            CREATE TRIGGER noted AFTER INSERT OR UPDATE ON ingest_store FOR EACH ROW EXECUTE FUNCTION note();
            CREATE TRIGGER noted AFTER INSERT OR UPDATE ON protocols FOR EACH ROW EXECUTE FUNCTION note()
            """)
        // A default counts for sessions that come later.
        let connection = try await connect(address)
        try await body(connection)
    }
}

func connect(_ address: ConnectionString, as name: String = "tests") async throws -> PostgresConnection {
    try await PostgresConnection.connect(address, applicationName: name)
}

extension PostgresConnection {
    func setCursor(_ key: String, _ value: String) async throws {
        try await query(
            "INSERT INTO ingest_store (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [key, value])
    }

    func setHistoryCursor(_ id: ProtocolID, _ value: String) async throws { try await setCursor(CursorNames.history(id), value) }

    func cursor(_ key: String) async throws -> String? {
        try await query("SELECT value FROM ingest_store WHERE key = $1", [key]).first?["value"]
    }

    func historyCursor(_ id: ProtocolID) async throws -> String? { try await cursor(CursorNames.history(id)) }

    /// The values of `synchronous_commit` noted so far, each once.
    func notedSettings() async throws -> [String?] { try await query("SELECT DISTINCT setting FROM noted ORDER BY setting").map { $0[0] } }

    func forgetSettings() async throws { try await query("DELETE FROM noted") }

    func count(_ table: String) async throws -> Int {
        try await query("SELECT count(*) AS count FROM \(table)")[0].integer("count")
    }

    func migrationStatus(_ id: ProtocolID) async throws -> String? {
        try await query("SELECT history_migration_status AS status FROM protocols WHERE id = $1", [id.rawValue]).first?["status"]
    }
}

/// The lines of a logger, as they come.
struct LogLines: Sendable {
    private let stream: AsyncStream<String>

    struct Ended: Error {}

    static func logger() -> (LogLines, Logger) {
        let (stream, continuation) = AsyncStream<String>.makeStream()
        return (LogLines(stream: stream), Logger(label: "tests", factory: { _ in Handler(continuation: continuation) }))
    }

    /// Waits for a line that fits.
    func first(_ fits: @Sendable (String) -> Bool) async throws -> String {
        for await line in stream where fits(line) { return line }
        throw Ended()
    }

    private struct Handler: LogHandler {
        let continuation: AsyncStream<String>.Continuation
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            continuation.yield("\(event.message) \(event.metadata ?? [:])")
        }
    }
}
