import PostgreSQL
import StateChanges
import Store
import TestSupport
import Testing

/// A commit that meets other sessions, or loses its own.
@Suite(.timeLimit(.minutes(10))) struct CommitCollisionTests {
    private static let commit = StateChangeCommit(ledgers: 100...109, rows: [Tuples.rows("SEP41", ledgers: 100...109)])
    private static let liveSwap = "BEGIN; UPDATE ingest_store SET value = '100' WHERE key = 'protocol_SEP41_history_cursor'"

    /// Live ingestion moves the cursor while the commit waits for it: the commit sees the value that was committed, and stores nothing.
    @Test(arguments: [
        ("COMMIT", CursorSwapOutcome.refused(.ledger(100)), 0), ("ROLLBACK", .swapped, 10),
    ])
    func theSwapWaitsForTheOther(end: String, outcome: CursorSwapOutcome, rows: Int) async throws {
        try await withStore { address, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let live = try await connect(address)
            let observer = try await connect(address)
            let pid = try #require(await connection.backendPID)
            try await live.execute(Self.liveSwap)
            let writing = Task { try await Self.commit.run(on: connection) }
            try await observer.waitUntilBlocked(backend: pid)
            try await live.query(end)
            #expect(try await writing.value.outcomes == ["SEP41": outcome])
            #expect(try await connection.count("state_changes") == rows)
        }
    }

    /// Retention moves on to a ledger while the commit waits for another session, which holds something in a transaction.
    private static func movingRetention(
        to oldest: UInt32, while held: String, _ check: (StateChangeCommit.Result, PostgresConnection) async throws -> Void
    ) async throws {
        try await withStore { address, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            try await connection.setCursor("oldest_ingest_ledger", "100")
            let other = try await connect(address)
            let observer = try await connect(address)
            let pid = try #require(await connection.backendPID)
            try await other.execute("BEGIN; " + held)
            let commit = StateChangeCommit(ledgers: 100...109, rows: Self.commit.rows, oldestName: "oldest_ingest_ledger")
            let writing = Task { try await commit.run(on: connection) }
            try await observer.waitUntilBlocked(backend: pid)
            try await observer.setCursor("oldest_ingest_ledger", "\(oldest)")
            try await other.query("ROLLBACK")
            try await check(try await writing.value, connection)
        }
    }

    /// What was waited for may have taken long: the oldest ledger counts as it is then.
    @Test func theOldestLedgerIsReadWhenTheCursorsAreHeld() async throws {
        let held = "SELECT FROM ingest_store WHERE key = 'protocol_SEP41_history_cursor' FOR UPDATE"
        try await Self.movingRetention(to: 101, while: held) { result, connection async throws in
            #expect(result.belowOldest == 101)
            #expect(try await connection.count("state_changes") == 0)
        }
    }

    /// Retention does not wait for a commit that is under way, nor the commit for retention.
    @Test func retentionMovesOnBesideACommit() async throws {
        try await Self.movingRetention(to: 105, while: "LOCK TABLE state_changes IN ACCESS EXCLUSIVE MODE") {
            result, connection async throws in
            #expect(result.storedRows == 10)
            #expect(try await connection.historyCursor("SEP41") == "109")
        }
    }

    /// The other session waits for the first cursor, which the commit holds, and has the table that the commit wants next. It never looks for deadlocks
    /// itself, so that the commit is the victim. The gate holds the commit up until the other waits.
    @Test func aDeadlockIsTransientAndTheSameCommitSucceedsAgain() async throws {
        try await withStore { address, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            try await connection.setHistoryCursor("SEP50", "99")
            let pid = try #require(await connection.backendPID)
            try await connection.execute("SET deadlock_timeout = '10ms'")
            let commit = StateChangeCommit(ledgers: 100...109, rows: Self.commit.rows + [.init("SEP50", rowCount: 0, chunks: [])])
            let other = try await connect(address)
            let otherPID = try #require(await other.backendPID)
            let gate = try await connect(address)
            let observer = try await connect(address)
            try await other.execute("SET deadlock_timeout = '1h'")
            try await other.execute("BEGIN; LOCK TABLE state_changes IN ACCESS EXCLUSIVE MODE")
            try await gate.execute("BEGIN; SELECT FROM ingest_store WHERE key = 'protocol_SEP50_history_cursor' FOR UPDATE")
            let writing = Task { try await commit.run(on: connection) }
            try await observer.waitUntilBlocked(backend: pid)
            let waiting = Task {
                try await other.query("UPDATE ingest_store SET value = value WHERE key = 'protocol_SEP41_history_cursor'")
            }
            try await observer.waitUntilBlocked(backend: otherPID)
            try await gate.query("ROLLBACK")
            let error = await #expect(throws: StoreError.self) { try await writing.value }
            #expect(error?.isTransient == true)
            #expect(error?.description.contains("ledgers 100 to 109") == true)
            _ = try await waiting.value
            try await other.query("ROLLBACK")
            #expect(try await commit.run(on: connection).outcomes == ["SEP41": .swapped, "SEP50": .swapped])
            #expect(try await connection.count("state_changes") == 10)
        }
    }

    @Test func aSessionTerminatedInTheMiddleLeavesNothing() async throws {
        try await withStore { address, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let pid = try #require(await connection.backendPID)
            let other = try await connect(address)
            let observer = try await connect(address)
            // The swap is done, COPY waits for the table.
            try await other.execute("BEGIN; LOCK TABLE state_changes IN ACCESS EXCLUSIVE MODE")
            let writing = Task { try await Self.commit.run(on: connection) }
            try await observer.waitUntilBlocked(backend: pid)
            try await observer.query("SELECT pg_terminate_backend($1::int)", [String(pid)])
            let error = await #expect(throws: StoreError.self) { try await writing.value }
            #expect(error?.isConnectionGone == true)
            #expect(error?.isOutcomeUnknown == false)
            try await other.query("ROLLBACK")
            #expect(try await observer.historyCursor("SEP41") == "99")
            let again = try await connect(address)
            #expect(try await Self.commit.run(on: again).storedRows == 10)
        }
    }

    /// A deferred trigger runs inside of COMMIT and waits there: the session dies when COMMIT is on its way.
    @Test func aSessionTerminatedInItsCommitHasAnUnknownOutcome() async throws {
        try await withStore { address, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            try await connection.execute(
                """
                CREATE TABLE gate (n int);
                CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN LOCK TABLE gate; RETURN NULL; END';
                CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON state_changes DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION wait_at_gate()
                """)
            let pid = try #require(await connection.backendPID)
            let other = try await connect(address)
            let observer = try await connect(address)
            try await other.execute("BEGIN; LOCK TABLE gate")
            let writing = Task { try await Self.commit.run(on: connection) }
            try await observer.waitUntilBlocked(backend: pid)
            try await observer.query("SELECT pg_terminate_backend($1::int)", [String(pid)])
            let error = await #expect(throws: StoreError.self) { try await writing.value }
            #expect(error?.isConnectionGone == true)
            #expect(error?.isOutcomeUnknown == true)
            #expect(try await observer.historyCursor("SEP41") == "99")
        }
    }

    @Test func aCancelledCommitIsRolledBack() async throws {
        try await withStore { address, connection in
            try await connection.setHistoryCursor("SEP41", "99")
            let pid = try #require(await connection.backendPID)
            let other = try await connect(address)
            let observer = try await connect(address)
            try await other.execute("BEGIN; LOCK TABLE state_changes IN ACCESS EXCLUSIVE MODE")
            let writing = Task { try await Self.commit.run(on: connection) }
            try await observer.waitUntilBlocked(backend: pid)
            writing.cancel()
            let error = await #expect(throws: StoreError.self) { try await writing.value }
            #expect(error?.underlying?.kind == .cancelled)
            try await other.query("ROLLBACK")
            #expect(try await connection.historyCursor("SEP41") == "99")
            #expect(try await Self.commit.run(on: connection).storedRows == 10)
        }
    }
}
