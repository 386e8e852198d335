import PostgreSQL
import Synchronization
import TestSupport
import Testing

/// Queries, scripts and errors over a real server.
@Suite(.timeLimit(.minutes(5))) struct PostgresConnectionTests {
    @Test func answersComeByNameAndPosition() async throws {
        try await withConnection { connection in
            let rows = try await connection.query("SELECT $1::int + 1 AS next, $2::text AS nothing", ["41", nil])
            #expect(rows.count == 1)
            #expect(rows[0]["next"] == "42")
            #expect(rows[0][0] == "42")
            #expect(rows[0]["nothing"] == nil)
            #expect(rows[0].columns == ["next", "nothing"])
            #expect(try rows[0].integer("next", as: UInt32.self) == 42)
            #expect(throws: PostgresError.self) { try rows[0].required("nothing") }
            #expect(throws: PostgresError.self) { try rows[0].required("no_such_column") }
        }
    }

    @Test func aScriptAnswersPerStatement() async throws {
        try await withConnection { connection in
            let answers = try await connection.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2); SELECT n FROM t ORDER BY n")
            #expect(answers.count == 3)
            #expect(answers[2].map { $0["n"] } == ["1", "2"])
        }
    }

    @Test func textsWithQuotesAndNonASCIIArriveUnchanged() async throws {
        try await withConnection { connection in
            let text = "it's \"ünï\\cödé\" $1 🚀"
            #expect(try await connection.query("SELECT $1 AS text", [text])[0]["text"] == text)
            let literal = try await connection.perform { session throws(PostgresError) in try session.literal(text) }
            #expect(try await connection.execute("SELECT \(literal) AS text")[0][0]["text"] == text)
            let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT $1", ["a\0b"]) }
            #expect(error?.message.contains("NUL") == true)
        }
    }

    @Test func errorsTellTheStatementAndHideItsArguments() async throws {
        try await withConnection { connection in
            let error = await #expect(throws: PostgresError.self) {
                try await connection.query("SELECT n FROM missing WHERE n = $1", ["hidden-argument"])
            }
            #expect(error?.kind == .undefinedTable)
            #expect(error?.sqlState == "42P01")
            #expect(error?.description.contains("SELECT n FROM missing") == true)
            #expect(error?.description.contains("hidden-argument") == false)

            try await connection.execute("CREATE TABLE t (n int PRIMARY KEY); INSERT INTO t VALUES (1)")
            let twice = await #expect(throws: PostgresError.self) {
                try await connection.query("INSERT INTO t VALUES (1)", label: "storing one")
            }
            #expect(twice?.kind == .uniqueViolation)
            #expect(twice?.detail?.contains("(n)=(1)") == true)
            #expect(twice?.attempted == "storing one")
            #expect(try await connection.query("SELECT 1 AS still").first?["still"] == "1")
        }
    }

    @Test func aLockThatIsNotToBeHad() async throws {
        try await withDatabase { address in
            let holder = try await PostgresConnection.connect(address, applicationName: "holder")
            let other = try await PostgresConnection.connect(address, applicationName: "other")
            try await holder.execute("CREATE TABLE t (n int)")
            try await holder.query("BEGIN")
            try await holder.query("LOCK TABLE t")
            let error = await #expect(throws: PostgresError.self) { try await other.execute("SET lock_timeout = '1ms'; SELECT n FROM t") }
            #expect(error?.kind == .lockNotAvailable)
        }
    }

    @Test func noticesGoToTheHandler() async throws {
        try await withDatabase { address in
            let box = NoticeBox()
            let connection = try await PostgresConnection.connect(address, applicationName: "tests") { box.append($0) }
            try await connection.execute("DO $$ BEGIN RAISE WARNING 'mind the gap'; END $$")
            #expect(box.all.map(\.message) == ["mind the gap"])
            #expect(box.all.map(\.severity) == ["WARNING"])
        }
    }

    @Test func theServerSeesTheApplicationName() async throws {
        try await withDatabase { address in
            let connection = try await PostgresConnection.connect(address, applicationName: "wallet-backend tests")
            let row = try await connection.query("SELECT application_name, pid FROM pg_stat_activity WHERE pid = pg_backend_pid()")[0]
            #expect(row["application_name"] == "wallet-backend tests")
            let pid = await connection.backendPID
            #expect(try row.integer("pid") == pid)
        }
    }

    @Test func aClosedConnectionSaysSo() async throws {
        try await withConnection { connection in
            await connection.close()
            let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
            #expect(error?.kind == .connectionLost)
            #expect(await connection.backendPID == nil)
            #expect(error?.description.contains(PrivatePostgres.password) == false)
        }
    }

    @Test func theLastReferenceEndsTheSession() async throws {
        try await withDatabase { address in
            let observer = try await PostgresConnection.connect(address, applicationName: "observer")
            let pid = try await PostgresConnection.connect(address, applicationName: "short-lived").backendPID
            try await observer.waitUntil("NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1::int)", [String(try #require(pid))])
        }
    }

    @Test func refusalsNameTheAddressAndNoPassword() async throws {
        let server = try await PrivatePostgres.shared()
        let missing = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(try server.address(ofDatabase: "no_such_database"), applicationName: "tests")
        }
        #expect(missing?.kind == .connectFailed)
        #expect(missing?.refusedForGood == true)
        #expect(missing?.description.contains("no_such_database") == true)
        #expect(missing?.description.contains(PrivatePostgres.password) == false)

        let nowhere = try ConnectionString("postgresql://alice:s3cret@/wallet?host=/no/such/folder,/neither/here")
        let unreachable = await #expect(throws: PostgresError.self) {
            try await PostgresConnection.connect(nowhere, applicationName: "tests")
        }
        #expect(unreachable?.kind == .connectFailed)
        #expect(unreachable?.refusedForGood == false)
        #expect(unreachable?.description.contains("/no/such/folder") == true)
        #expect(unreachable?.description.contains("/neither/here") == true)
        #expect(unreachable?.description.contains("s3cret") == false)
    }

    @Test func ofSeveralHostsTheFirstThatAcceptsIsTaken() async throws {
        let server = try await PrivatePostgres.shared()
        let text = try server.address().redacted.replacing("host=", with: "host=/no/such/folder,")
        let connection = try await PostgresConnection.connect(try ConnectionString(text), applicationName: "tests")
        #expect(try await connection.query("SELECT 1 AS one").first?["one"] == "1")
    }

    @Test func aQueryThatIsACopyIsRefused() async throws {
        try await withConnection { connection in
            try await connection.execute("CREATE TABLE t (n int)")
            await #expect(throws: PostgresError.self) { try await connection.query("COPY t FROM STDIN") }
        }
    }
}

/// Collects notices from the connection's thread.
private final class NoticeBox: Sendable {
    private let notices = Mutex<[PostgresNotice]>([])
    var all: [PostgresNotice] { notices.withLock { $0 } }
    func append(_ notice: PostgresNotice) { notices.withLock { $0.append(notice) } }
}
