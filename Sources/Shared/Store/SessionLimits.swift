public import PostgreSQL

/// How long a writer that hangs in the midst of its transaction can hold the cursors, on which live ingestion would have to wait.
public enum SessionLimits {
    /// Sets them for the session: the server ends a session that does nothing within a transaction for a minute, and a statement after ten.
    /// (The largest batch that can be asked for stays well below.)
    public static func set(on connection: PostgresConnection) async throws(StoreError) {
        try await connection.perform { session throws(StoreError) in
            try StoreError.wrapping { () throws(PostgresError) in
                _ = try session.execute("SET idle_in_transaction_session_timeout = '1min'; SET statement_timeout = '10min'")
            }
        }
    }
}
