import PostgreSQL
import StateChanges
import Store
import TestSupport
import Testing

/// The time limits of database and role are for other people's queries.
@Suite(.timeLimit(.minutes(5))) struct SessionLimitsTests {
    private static let limits = """
        SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('idle_session_timeout'),
               current_setting('idle_in_transaction_session_timeout')
        """

    private static func setDefault(_ setting: String, _ value: String, _ connection: PostgresConnection) async throws {
        try await connection.execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET \(setting) = \(value)', current_database()); END $$")
    }

    @Test func theyAreSetOnEachNewSession() async throws {
        try await withEmptyDatabase { address in
            let observer = try await connect(address, as: "observer")
            for setting in ["statement_timeout", "lock_timeout", "idle_session_timeout"] {
                try await Self.setDefault(setting, "60000", observer)
            }
            #expect(try await connect(address).query("SHOW statement_timeout").first?[0] == "1min")
            let plain = try await ReconnectPolicy().connect(to: address, applicationName: "tests", logger: quiet)
            #expect(try await plain.query(Self.limits).map { row in (0..<4).map { row[$0] } } == [["0", "0", "0", "1min"]])
            let session = LockedSession(to: address, applicationName: "the holder", logger: quiet)
            try await session.open(ReconnectPolicy())
            for _ in 0..<2 {
                let found = try await session.ask { connection throws(StoreError) in
                    do throws(PostgresError) { return try await connection.query(Self.limits) } catch { throw .database(error) }
                }
                #expect(found.map { row in (0..<4).map { row[$0] } } == [["0", "0", "0", "1min"]])
                try await session.restore(ReconnectPolicy(), waitingForLocksAtMost: .seconds(30))
            }
            await session.close()
        }
    }

    /// The session is opened as the writer opens it. What is held up, by a lock here, takes longer than the database's limit allows.
    @Test(arguments: ["", "DEFERRABLE INITIALLY DEFERRED"]) func aCopyOrCommitMayTakeLongerThanTheDatabasesLimit(when: String) async throws
    {
        try await withStore { address, first in
            try await first.setHistoryCursor("SEP41", "99")
            try await first.execute(
                """
                CREATE TABLE gate (n int);
                CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN LOCK TABLE gate; RETURN NULL; END';
                CREATE CONSTRAINT TRIGGER at_gate AFTER INSERT ON state_changes \(when) FOR EACH ROW EXECUTE FUNCTION wait_at_gate()
                """)
            let gate = try await connect(address)
            try await gate.execute("BEGIN; LOCK TABLE gate")
            // For sessions that come later.
            try await Self.setDefault("statement_timeout", "200", first)
            let connection = try await ReconnectPolicy().connect(to: address, applicationName: "writer", logger: quiet)
            let pid = try #require(await connection.backendPID)
            let commit = StateChangeCommit(ledgers: 100...109, rows: [Tuples.rows("SEP41", ledgers: 100...109)])
            let writing = Task { try await commit.run(on: connection) }
            try await first.waitUntilBlocked(backend: pid)
            // Longer than the limit, by the server's clock, which is the one that counts.
            try await first.waitUntil(
                "EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1::int AND clock_timestamp() - query_start > interval '500 ms')",
                ["\(pid)"])
            try await gate.query("ROLLBACK")
            let result = try await within(.seconds(120), "the end of the commit") { try await writing.value }
            #expect(result.storedRows == 10)
        }
    }
}
