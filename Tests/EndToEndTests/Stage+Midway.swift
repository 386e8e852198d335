import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import PostgreSQL
import TestSupport
import Testing

/// Standing in the midst of a migration for as long as a test needs, however slow the machine is.
extension Stage {
    /// Of a simulator: the second half of the fixture's ledgers is kept back until `release`.
    static let holding = ["--hold-from", "1010"]

    /// Waits until a migration with batches of one ledger has committed everything before the ledgers that are kept back.
    func untilHeld(_ run: RunningProgram, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await reach(
            "(SELECT count(*) = 2 FROM ingest_store WHERE key LIKE 'protocol%history_cursor' AND value = '1009')", run,
            sourceLocation: sourceLocation)
    }

    /// Lets the simulator serve what it kept back.
    func release(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        var request = HTTPClientRequest(url: rpcURL + "/release")
        request.method = .POST
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        #expect(response.status == .noContent, sourceLocation: sourceLocation)
    }

    /// Waits until the writer of a migration waits for a lock, in its transaction.
    func untilWriterIsBlocked(_ run: RunningProgram, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await reach(
            """
            EXISTS (SELECT FROM pg_stat_activity a JOIN pg_locks l USING (pid)
                    WHERE a.datname = current_database() AND a.application_name = 'wallet-backend writer' AND NOT l.granted)
            """, run, sourceLocation: sourceLocation)
    }

    /// Lets a migration go on that is held, and stops its writer in the next transaction, for as long as the session that comes back is open.
    func stopWriterInTransaction(_ run: RunningProgram, sourceLocation: SourceLocation = #_sourceLocation) async throws
        -> PostgresConnection
    {
        try await untilHeld(run, sourceLocation: sourceLocation)
        let hand = try await hand("SELECT FROM ingest_store WHERE key = 'protocol_SEP50_history_cursor' FOR UPDATE")
        try await release(sourceLocation: sourceLocation)
        try await untilWriterIsBlocked(run, sourceLocation: sourceLocation)
        return hand
    }

    /// A session of somebody else that has a transaction open, in which it has done this.
    func hand(_ script: String) async throws -> PostgresConnection {
        let hand = try await PostgresConnection.connect(database, applicationName: "hand")
        try await hand.execute("BEGIN; " + script)
        return hand
    }
}
