import PostgreSQL
import TestSupport

/// Lends a connection to a fresh database.
func withConnection<Value: Sendable>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
    try await withDatabase { address in
        try await body(try await PostgresConnection.connect(address, applicationName: "tests"))
    }
}

/// Lends a fresh database on the server that all tests share.
func withDatabase<Value: Sendable>(_ body: (ConnectionString) async throws -> Value) async throws -> Value {
    try await PrivatePostgres.shared().withDatabase(body)
}
