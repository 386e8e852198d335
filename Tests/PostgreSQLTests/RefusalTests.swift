import PostgreSQL
import TestSupport
import Testing

/// What a server refuses for reasons of its own: which of it may pass, and which is our own doing.
@Suite(.timeLimit(.minutes(10))) struct RefusalTests {
    /// A statement that somebody else cancels is not a cancelled task.
    @Test func aStatementCancelledByAnAdministratorMayPass() async throws {
        try await withDatabase { address in
            let observer = try await PostgresConnection.connect(address, applicationName: "observer")
            let connection = try await PostgresConnection.connect(address, applicationName: "sleeper")
            let pid = try #require(await connection.backendPID)
            let task = Task { try await connection.query("SELECT pg_sleep(100000)") }
            try await observer.waitUntil(
                "EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1::int AND wait_event = 'PgSleep')", [String(pid)])
            try await observer.query("SELECT pg_cancel_backend($1::int)", [String(pid)])
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .statementCancelled && error?.sqlState == "57014")
            #expect(error?.mayPass == true && error?.needsNewConnection == false)
            #expect(try await connection.query("SELECT 1 AS one").first?["one"] == "1")
        }
    }

    @Test func aStatementThatTheServersTimeLimitEndsMayPass() async throws {
        try await withConnection { connection in
            try await connection.execute("SET statement_timeout = '10ms'")
            let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT pg_sleep(100000)") }
            #expect(error?.kind == .statementCancelled && error?.mayPass == true)
        }
    }

    @Test func aCancelledTaskDoesNotPass() async throws {
        try await withConnection { connection in
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await connection.query("SELECT 1")
            }
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .cancelled && error?.mayPass == false)
        }
    }

    @Test(
        arguments: [
            ("53100", .resourcesExhausted, true, false), ("53200", .resourcesExhausted, true, false),
            ("53300", .resourcesExhausted, true, false), ("58030", .systemError, true, false), ("25006", .readOnlyServer, true, true),
            ("55P03", .lockNotAvailable, true, false), ("40001", .serializationFailure, true, false), ("40P01", .deadlock, true, false),
            ("57014", .statementCancelled, true, false), ("23505", .uniqueViolation, false, false), ("22012", .other, false, false),
            ("42P01", .undefinedTable, false, false),
        ] as [(String, PostgresError.Kind, Bool, Bool)])
    func eachSQLStateHasItsKind(state: String, kind: PostgresError.Kind, mayPass: Bool, needsNewConnection: Bool) async throws {
        try await withConnection { connection in
            let error = await #expect(throws: PostgresError.self) {
                try await connection.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '\(state)', MESSAGE = 'as asked'; END $$")
            }
            #expect(error?.kind == kind)
            #expect(error?.mayPass == mayPass)
            #expect(error?.needsNewConnection == needsNewConnection)
            #expect(error?.description.contains("as asked") == true)
        }
    }

    /// A server that was fenced off by its default refuses what does not say that it writes; a transaction of ours says so.
    @Test func aDefaultOfReadingOnlyIsARefusalOfWrites() async throws {
        try await withConnection { connection in
            try await connection.execute("CREATE TABLE t (n int); SET default_transaction_read_only = on")
            let error = await #expect(throws: PostgresError.self) { try await connection.query("INSERT INTO t VALUES (1)") }
            #expect(error?.kind == .readOnlyServer)
            _ = try await connection.perform { session throws(PostgresError) in
                try session.transaction(.readCommitted) { () throws(PostgresError) in try session.query("INSERT INTO t VALUES (1)") }
            }
        }
    }

    @Test(arguments: [PostgresSession.TransactionMode.readCommitted, .durable, .relaxed])
    func aStandbyBeginsNoTransactionThatMayWrite(mode: PostgresSession.TransactionMode) async throws {
        let server = try await PrivatePostgres.start()
        try await server.demote()
        let connection = try await PostgresConnection.connect(server.address(), applicationName: "tests")
        let error = await #expect(throws: PostgresError.self) {
            try await connection.perform { session throws(PostgresError) in
                try session.transaction(mode) { () throws(PostgresError) in try session.query("SELECT 1") }
            }
        }
        #expect(error?.kind == .readOnlyServer)
        #expect(error?.mayPass == true && error?.needsNewConnection == true)
        // Reading is possible.
        _ = try await connection.perform { session throws(PostgresError) in
            try session.transaction(.snapshot) { () throws(PostgresError) in try session.query("SELECT 1") }
        }
    }

    @Test(arguments: [
        (PostgresSession.TransactionMode.readCommitted, "local"), (.durable, "on"), (.relaxed, "off"), (.snapshot, "local"),
    ])
    func whatACommitWaitsForIsTheModes(mode: PostgresSession.TransactionMode, setting: String) async throws {
        try await withConnection { connection in
            try await connection.execute("SET synchronous_commit = local")
            let found = try await connection.perform { session throws(PostgresError) in
                try session.transaction(mode) { () throws(PostgresError) in try session.query("SHOW synchronous_commit").first?[0] }
            }
            #expect(found == setting)
            #expect(try await connection.query("SHOW synchronous_commit").first?[0] == "local")
        }
    }

    @Test func binaryValuesComeAsTheyAre() async throws {
        try await withConnection { connection in
            let found = try await connection.perform { session throws(PostgresError) in
                let rows = try session.binaryQuery(
                    "SELECT $1::bytea, NULL::bytea, $2::bytea, $3::text UNION ALL SELECT ''::bytea, '\\x00', NULL, 'x'",
                    [[0, 1, 255], [], Array("grün".utf8)])
                return (0..<rows.count).map { row in (0..<4).map { rows.bytes(row: row, column: $0) } }
            }
            #expect(found == [[[0, 1, 255], nil, [], Array("grün".utf8)], [[], [0], nil, [UInt8(ascii: "x")]]])
        }
    }
}
