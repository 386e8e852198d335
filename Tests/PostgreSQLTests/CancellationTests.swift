import PostgreSQL
import TestSupport
import Testing

/// Cancelling a task ends its statement on the server and leaves the connection usable.
@Suite(.timeLimit(.minutes(5))) struct CancellationTests {
    @Test func aRunningStatementEnds() async throws {
        try await withDatabase { address in
            let observer = try await PostgresConnection.connect(address, applicationName: "observer")
            let connection = try await PostgresConnection.connect(address, applicationName: "sleeper")
            let task = Task { try await connection.query("SELECT pg_sleep(100000)") }
            try await observer.waitUntil(
                "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'sleeper' AND wait_event = 'PgSleep')")
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
            #expect(try await connection.query("SELECT 1 AS one").first?["one"] == "1")
        }
    }

    @Test func aCancelledTaskSendsNothing() async throws {
        try await withConnection { connection in
            try await connection.execute("CREATE TABLE t (n int)")
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await connection.query("INSERT INTO t VALUES (1)")
            }
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
            #expect(try await connection.query("SELECT n FROM t").isEmpty)
        }
    }

    @Test func aCancelledTransactionIsRolledBack() async throws {
        try await withDatabase { address in
            let holder = try await PostgresConnection.connect(address, applicationName: "holder")
            let connection = try await PostgresConnection.connect(address, applicationName: "waiter")
            let pid = try #require(await connection.backendPID)
            try await holder.execute("CREATE TABLE t (n int)")
            try await holder.query("BEGIN")
            try await holder.query("LOCK TABLE t")
            let task = Task {
                try await connection.perform { session throws(PostgresError) in
                    try session.transaction(.readCommitted) { () throws(PostgresError) in
                        try session.execute("CREATE TABLE u (n int)")
                        try session.query("SELECT n FROM t")
                    }
                }
            }
            try await holder.waitUntilBlocked(backend: pid)
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
            #expect(try await connection.query("SELECT to_regclass('u') AS u").first?["u"] == nil)
        }
    }

    @Test func aCommitIsNotCancelled() async throws {
        try await withConnection { connection in
            try await connection.execute("CREATE TABLE t (n int)")
            let task = Task {
                try await connection.perform { session throws(PostgresError) in
                    try session.transaction(.readCommitted) { () throws(PostgresError) in
                        try session.query("INSERT INTO t VALUES (1)")
                        // The last moment before COMMIT.
                        withUnsafeCurrentTask { $0?.cancel() }
                    }
                }
            }
            try await task.value
            #expect(try await connection.query("SELECT n FROM t").count == 1)
        }
    }

    @Test func aCopyThatTheServerDoesNotTakeEnds() async throws {
        try await withDatabase { address in
            let holder = try await PostgresConnection.connect(address, applicationName: "holder")
            let connection = try await PostgresConnection.connect(address, applicationName: "copier")
            let pid = try #require(await connection.backendPID)
            try await holder.execute("CREATE TABLE t (n int PRIMARY KEY)")
            // The COPY waits for this row to be committed or not, and takes no more data meanwhile.
            try await holder.execute("BEGIN; INSERT INTO t VALUES (7)")
            let block = Array(String(repeating: "7\n", count: 100_000).utf8)
            let task = Task { try await connection.copyIn("COPY t FROM STDIN", [[UInt8]](repeating: block, count: 200)) }
            try await holder.waitUntilBlocked(backend: pid)
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
            try await holder.query("COMMIT")
            #expect(try await connection.query("SELECT n FROM t").count == 1)
        }
    }
}
