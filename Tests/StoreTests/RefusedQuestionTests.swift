import PostgreSQL
import Store
import Synchronization
import TestSupport
import Testing

/// A session that holds locks, and a server that refuses for now what is asked on it.
@Suite(.timeLimit(.minutes(10))) struct RefusedQuestionTests {
    private static let lock = "wallet-backend-test-refused"

    private static func refusal(_ kind: PostgresError.Kind) -> StoreError {
        .database(PostgresError(kind: kind, message: "not now", attempted: "asking"))
    }

    private static func query(
        _ sql: String, _ parameters: [String?] = [], on connection: PostgresConnection
    ) async throws(StoreError) -> [PostgresRow] {
        do throws(PostgresError) { return try await connection.query(sql, parameters) } catch { throw .database(error) }
    }

    /// Lends a session whose pauses are short and whose patience is given, holding a lock, and an observer.
    private static func with(
        patience limit: Duration, _ body: (LockedSession, PostgresConnection) async throws -> Void
    ) async throws {
        try await withEmptyDatabase { address in
            let observer = try await connect(address, as: "observer")
            let policy = ReconnectPolicy(limit: limit, firstPause: .milliseconds(1), longestPause: .milliseconds(10))
            let session = LockedSession(to: address, applicationName: "the asker", patience: policy, logger: quiet)
            try await session.open(ReconnectPolicy())
            try await session.take([lock], ReconnectPolicy(), waitingForLocksAtMost: .seconds(30))
            try await body(session, observer)
            await session.close()
        }
    }

    /// Asks a question that fails as often as is wanted, and returns the process id of the backend that gave the response.
    private static func ask(_ session: LockedSession, failing times: Int, _ kind: PostgresError.Kind) async throws -> (Int32?, Int) {
        let asked = Mutex(0)
        let pid = try await session.ask { connection throws(StoreError) in
            let count = asked.withLock { count in
                count += 1
                return count
            }
            guard count > times else { throw refusal(kind) }
            return await connection.backendPID
        }
        return (pid, asked.withLock { $0 })
    }

    @Test(arguments: [PostgresError.Kind.statementCancelled, .resourcesExhausted, .systemError, .lockNotAvailable])
    func whatPassesIsAskedAgainOnTheSameSession(kind: PostgresError.Kind) async throws {
        try await Self.with(patience: .seconds(3600)) { session, observer in
            let (pid, asked) = try await within(.seconds(120), "the response after 30 refusals") {
                try await Self.ask(session, failing: 30, kind)
            }
            #expect(asked == 31)
            #expect(try await AdvisoryLock.holders(of: Self.lock, on: observer).map(\.pid) == [pid])
        }
    }

    @Test(arguments: [PostgresError.Kind.statementCancelled, .resourcesExhausted])
    func whatDoesNotPassIsGivenUpInTheEnd(kind: PostgresError.Kind) async throws {
        try await Self.with(patience: .milliseconds(50)) { session, _ in
            let error = await #expect(throws: StoreError.self) {
                try await within(.seconds(120), "the end of patience") { _ = try await Self.ask(session, failing: .max, kind) }
            }
            guard case .refused(_, let tries, let last) = error else {
                Issue.record("not given up: \(String(describing: error))")
                return
            }
            #expect(tries >= 1 && last.kind == kind)
            #expect(error?.mayPass == false && error?.needsNewConnection == false)
            #expect(error?.description.contains("not now") == true)
            // The session stands, and its patience is as long as before.
            let (_, asked) = try await Self.ask(session, failing: 1, kind)
            #expect(asked == 2)
        }
    }

    @Test func whatNeverPassesIsNotAskedAgain() async throws {
        try await Self.with(patience: .seconds(3600)) { session, _ in
            let asked = Mutex(0)
            let error = await #expect(throws: StoreError.self) {
                try await session.ask { _ throws(StoreError) in
                    asked.withLock { $0 += 1 }
                    throw Self.refusal(.undefinedTable)
                }
            }
            #expect(error == Self.refusal(.undefinedTable))
            #expect(asked.withLock { $0 } == 1)
        }
    }

    @Test func aQueryThatAnAdministratorCancelsIsAskedAgain() async throws {
        try await Self.with(patience: .seconds(3600)) { session, observer in
            let asked = Mutex(0)
            let asking = Task {
                try await session.ask { connection throws(StoreError) in
                    let count = asked.withLock { count in
                        count += 1
                        return count
                    }
                    return try await Self.query(
                        "SELECT pg_sleep($1::int), 42 AS number", [count == 1 ? "100000" : "0"], on: connection
                    ).first?["number"]
                }
            }
            let sleeping = "application_name = 'the asker' AND wait_event = 'PgSleep' AND datname = current_database()"
            try await observer.waitUntil("EXISTS (SELECT FROM pg_stat_activity WHERE \(sleeping))")
            try await observer.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE \(sleeping)")
            #expect(try await within(.seconds(120), "the question to be asked again") { try await asking.value } == "42")
            #expect(asked.withLock { $0 } == 2)
        }
    }

    @Test func aCancelledTaskIsNotPatient() async throws {
        try await Self.with(patience: .seconds(3600)) { session, _ in
            let (refused, signal) = AsyncStream<Void>.makeStream()
            let asking = Task {
                try await session.ask { _ throws(StoreError) in
                    signal.yield()
                    throw Self.refusal(.resourcesExhausted)
                }
            }
            for await _ in refused { break }
            asking.cancel()
            let error = await #expect(throws: StoreError.self) {
                try await within(.seconds(60), "the end of a cancelled question") { try await asking.value }
            }
            #expect(error?.underlying?.kind == .cancelled)
        }
    }

    @Test func aSessionOnAServerThatTakesNoWritesIsAsGoodAsLost() async throws {
        try await Self.with(patience: .seconds(3600)) { session, observer in
            let error = await #expect(throws: StoreError.self) { try await Self.ask(session, failing: .max, .readOnlyServer) }
            #expect(error?.needsNewConnection == true && error?.isConnectionGone == false)
            let next = await #expect(throws: StoreError.self) { try await Self.ask(session, failing: 0, .other) }
            #expect(next?.isConnectionGone == true)
            try await observer.waitUntil(
                "NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'the asker' AND datname = current_database())")
        }
    }

    @Test func aPersistentQuestionToAServerThatTakesNoWritesIsGivenUpInTheEnd() async throws {
        try await Self.with(patience: .milliseconds(50)) { session, _ in
            let error = await #expect(throws: StoreError.self) {
                try await within(.seconds(120), "the end of patience") {
                    try await session.askPersistently(ReconnectPolicy(), waitingForLocksAtMost: .seconds(30)) { _ throws(StoreError) in
                        throw Self.refusal(.readOnlyServer)
                    }
                }
            }
            guard case .refused = error else {
                Issue.record("not given up: \(String(describing: error))")
                return
            }
        }
    }

    /// A failover: the server comes back as a standby, with which nothing can be done, and later takes writes again.
    @Test func restoreWaitsUntilTheServerTakesWrites() async throws {
        let server = try await PrivatePostgres.start()
        let (lines, logger) = LogLines.logger()
        let session = LockedSession(to: try server.address(), applicationName: "the asker", logger: logger)
        try await session.open(ReconnectPolicy())
        try await session.take([Self.lock], ReconnectPolicy(), waitingForLocksAtMost: .seconds(30))
        try await server.demote()
        let restoring = Task { try await session.restore(ReconnectPolicy(limit: .seconds(600)), waitingForLocksAtMost: .seconds(30)) }
        _ = try await within(.seconds(120), "a line about the standby") { try await lines.first { $0.contains("of no use yet") } }
        try await server.promote()
        try await within(.seconds(120), "the session on the new primary") { try await restoring.value }
        let observer = try await connect(server.address())
        #expect(try await AdvisoryLock.holders(of: Self.lock, on: observer).map(\.applicationName) == ["the asker"])
        await session.close()
    }
}
