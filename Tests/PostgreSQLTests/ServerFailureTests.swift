import PostgreSQL
import TestSupport
import Testing

/// A server that goes away: each test breaks one of its own.
@Suite(.timeLimit(.minutes(10))) struct ServerFailureTests {
    @Test func aServerThatStopsAtOnceAndComesBack() async throws {
        let server = try await PrivatePostgres.start()
        let connection = try await PostgresConnection.connect(server.address(), applicationName: "tests")
        try await connection.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        try await connection.execute("BEGIN; INSERT INTO t VALUES (2)")
        try await server.stop(.immediate)

        let lost = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
        #expect(lost?.kind == .connectionLost)
        #expect(lost?.isConnectionGone == true)
        let refused = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(server.address(), applicationName: "tests")
        }
        #expect(refused?.kind == .connectFailed)
        #expect(refused?.refusedForGood == false)
        #expect(refused?.description.contains(PrivatePostgres.password) == false)

        try await server.start()
        let again = try await PostgresConnection.connect(server.address(), applicationName: "tests")
        #expect(try await again.query("SELECT n FROM t").map { $0["n"] } == ["1"])
    }

    @Test func aServerThatIsKilledInTheMiddleOfAStatement() async throws {
        let server = try await PrivatePostgres.start()
        let observer = try await PostgresConnection.connect(server.address(), applicationName: "observer")
        let connection = try await PostgresConnection.connect(server.address(), applicationName: "sleeper")
        let task = Task { try await connection.query("SELECT pg_sleep(100000)") }
        try await observer.waitUntil("EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'sleeper' AND wait_event = 'PgSleep')")
        try await server.kill()
        let error = await #expect(throws: PostgresError.self) { try await task.value }
        #expect(error?.kind == .connectionLost)
        try await server.start()
        let again = try await PostgresConnection.connect(server.address(), applicationName: "tests")
        #expect(try await again.query("SELECT 1 AS one").first?["one"] == "1")
    }
}
