public import PostgreSQL

/// What a test waited for in vain.
public struct NeverTrue: Error {
    /// The SQL condition.
    public let condition: String
    /// Its parameters.
    public let parameters: [String?]
}

extension PostgresConnection {
    /// Asks the server until an SQL condition is true; the pause between two questions is the server's. Throws `NeverTrue` after two minutes, and
    /// what `stillPossible` throws, which is asked before each pause.
    public func waitUntil(
        _ condition: String, _ parameters: [String?] = [], stillPossible: () throws -> Void = {}
    ) async throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(120))
        while try await query("SELECT (\(condition)) AS reached", parameters).first?["reached"] != "t" {
            try stillPossible()
            guard ContinuousClock.now < deadline else { throw NeverTrue(condition: condition, parameters: parameters) }
            try await query("SELECT pg_sleep(0.01)")
        }
    }

    /// Waits until the backend of another connection waits for a lock.
    public func waitUntilBlocked(backend pid: Int32) async throws {
        try await waitUntil("EXISTS (SELECT FROM pg_locks WHERE pid = $1::int AND NOT granted)", [String(pid)])
    }
}
