import PostgreSQL
import TestSupport
import Testing

/// Transactions and the collisions that they may meet.
@Suite(.timeLimit(.minutes(5))) struct TransactionTests {
    @Test func aThrowingBodyRollsBack() async throws {
        struct Refusal: Error {}
        try await withConnection { connection in
            try await connection.execute("CREATE TABLE t (n int)")
            await #expect(throws: Refusal.self) {
                try await connection.perform { session in
                    try session.query("BEGIN")
                    try session.query("INSERT INTO t VALUES (1)")
                    throw Refusal()
                }
            }
            #expect(await connection.perform { session in session.isInTransaction } == false)
            #expect(try await connection.query("SELECT n FROM t").isEmpty)
        }
    }

    @Test func aCommitThatRolledBackIsAnError() async throws {
        try await withConnection { connection in
            let error = await #expect(throws: PostgresError.self) {
                try await connection.perform { session throws(PostgresError) in
                    try session.query("BEGIN")
                    _ = try? session.query("SELECT 1 / 0")
                    try session.commit()
                }
            }
            #expect(error?.kind == .other)
            #expect(error?.commitOutcomeUnknown == false)
        }
    }

    @Test func aDeadlockIsTransient() async throws {
        try await withDatabase { address in
            let one = try await PostgresConnection.connect(address, applicationName: "one")
            let two = try await PostgresConnection.connect(address, applicationName: "two")
            let onePID = try #require(await one.backendPID)
            try await one.execute("CREATE TABLE t (n int); CREATE TABLE u (n int)")
            try await one.execute("BEGIN; LOCK TABLE t")
            // Only the second session looks for deadlocks at all, so that it is the victim.
            try await one.execute("SET deadlock_timeout = '1h'")
            try await two.execute("SET deadlock_timeout = '10ms'; BEGIN; LOCK TABLE u")
            let waiting = Task { try await one.query("LOCK TABLE u") }
            let observer = try await PostgresConnection.connect(address, applicationName: "observer")
            try await observer.waitUntilBlocked(backend: onePID)
            let error = await #expect(throws: PostgresError.self) { try await two.query("LOCK TABLE t") }
            #expect(error?.kind == .deadlock)
            #expect(error?.isTransient == true)
            try await two.query("ROLLBACK")
            #expect(try await waiting.value.isEmpty)
        }
    }

    @Test func aSerializationFailureIsTransient() async throws {
        try await withDatabase { address in
            let one = try await PostgresConnection.connect(address, applicationName: "one")
            let two = try await PostgresConnection.connect(address, applicationName: "two")
            try await one.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
            try await two.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT n FROM t")
            try await one.execute("UPDATE t SET n = 2")
            let error = await #expect(throws: PostgresError.self) { try await two.execute("UPDATE t SET n = 3") }
            #expect(error?.kind == .serializationFailure)
            #expect(error?.isTransient == true)
        }
    }

    @Test func aTerminatedSessionIsLost() async throws {
        try await withDatabase { address in
            let killer = try await PostgresConnection.connect(address, applicationName: "killer")
            let victim = try await PostgresConnection.connect(address, applicationName: "victim")
            let pid = try #require(await victim.backendPID)
            try await killer.execute("CREATE TABLE t (n int)")
            try await victim.execute("BEGIN; INSERT INTO t VALUES (1)")
            try await killer.query("SELECT pg_terminate_backend($1::int)", [String(pid)])
            try await killer.waitUntil("NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1::int)", [String(pid)])
            let error = await #expect(throws: PostgresError.self) {
                try await victim.perform { session throws(PostgresError) in try session.commit() }
            }
            #expect(error?.kind == .connectionLost)
            #expect(error?.commitOutcomeUnknown == true)
            #expect(await victim.isOpen == false)
            #expect(try await killer.query("SELECT n FROM t").isEmpty)
        }
    }
}
