import PostgreSQL
import Store
import TestSupport

/// Lends a fresh database of a server without TimescaleDB, and a connection to it.
func withPlainDatabase<Value: Sendable>(_ body: (ConnectionString, PostgresConnection) async throws -> Value) async throws -> Value {
    try await withDatabase(of: PrivatePostgres.shared(), body)
}

/// Lends a fresh database with TimescaleDB, and a connection to it.
func withTimescaleDatabase<Value: Sendable>(_ body: (ConnectionString, PostgresConnection) async throws -> Value) async throws -> Value {
    try await withDatabase(of: PrivatePostgres.timescale(), body)
}

/// Lends a fresh database of a server, and a connection to it.
func withDatabase<Value: Sendable>(
    of server: PrivatePostgres, _ body: (ConnectionString, PostgresConnection) async throws -> Value
) async throws -> Value {
    try await server.withDatabase { address in
        try await body(address, try await PostgresConnection.connect(address, applicationName: "tests"))
    }
}

extension PostgresConnection {
    /// Stores a state change for each close time.
    func insertRows(at times: [String]) async throws {
        for (number, time) in times.enumerated() {
            try await query(
                """
                INSERT INTO state_changes (to_id, operation_id, state_change_id, state_change_category, state_change_reason, ledger_number,
                    account_id, ledger_created_at) VALUES ($1, $1, 1, 'BALANCE', 'CREDIT', 1, '\\x30', $2)
                """, [String(number), time])
        }
    }
}
