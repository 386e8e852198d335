public import PostgreSQL

extension PostgresConnection {
    /// Asks the server until an SQL condition is true. The pause between two questions is the server's; a test's time limit ends the waiting.
    public func waitUntil(_ condition: String, _ parameters: [String?] = []) async throws {
        while try await query("SELECT (\(condition)) AS reached", parameters).first?["reached"] != "t" {
            try await query("SELECT pg_sleep(0.01)")
        }
    }

    /// Waits until the backend of another connection waits for a lock.
    public func waitUntilBlocked(backend pid: Int32) async throws {
        try await waitUntil("EXISTS (SELECT FROM pg_locks WHERE pid = $1::int AND NOT granted)", [String(pid)])
    }
}
