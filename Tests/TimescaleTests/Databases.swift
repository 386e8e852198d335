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
