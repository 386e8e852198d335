import Logging
import PostgreSQL
import Protocols
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

    func count(_ table: String) async throws -> Int {
        try await query("SELECT count(*) AS count FROM \(table)")[0].integer("count")
    }

    func migrationStatus(_ id: ProtocolID) async throws -> String? {
        try await query("SELECT history_migration_status AS status FROM protocols WHERE id = $1", [id.rawValue]).first?["status"]
    }
}
