import PostgreSQL
import Store
import Synchronization
import TestSupport
import Testing

/// A session that does not come back without its locks.
@Suite(.serialized, .timeLimit(.minutes(5))) struct LockedSessionTests {
    private static let locks = ["wallet-backend-test-a", "wallet-backend-test-b"]

    /// Of the locks that the server shows, this database's.
    private static let here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"

    /// Lends a session that is open, and an observer.
    private static func with(_ body: (LockedSession, PostgresConnection, ConnectionString) async throws -> Void) async throws {
        try await withEmptyDatabase { address in
            let observer = try await connect(address, as: "observer")
            let session = LockedSession(to: address, applicationName: "the owner", logger: quiet)
            try await session.open(ReconnectPolicy())
            try await body(session, observer, address)
            await session.close()
        }
    }

    private static func answer(_ session: LockedSession) async throws(StoreError) -> String? {
        try await session.ask { connection throws(StoreError) in
            do throws(PostgresError) {
                return try await connection.query("SELECT 42 AS answer").first?["answer"]
            } catch {
                throw .database(error)
            }
        }
    }

    private static func take(_ names: [String], _ session: LockedSession) async throws(StoreError) {
        try await session.take(names, ReconnectPolicy(), waitingForLocksAtMost: .seconds(30))
    }

    private static func kill(_ observer: PostgresConnection) async throws {
        let killed = try await observer.query(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'the owner'
            """)
        #expect(killed.count == 1)
        try await observer.waitUntil("NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'the owner')")
    }

    /// Who holds the locks, one name per lock and holder.
    private static func holders(_ observer: PostgresConnection) async throws -> [String?] {
        var names: [String?] = []
        for lock in locks { names += try await AdvisoryLock.holders(of: lock, on: observer).map(\.applicationName) }
        return names
    }

    @Test func itsLocksComeBackWithRestore() async throws {
        try await Self.with { session, observer, _ in
            try await Self.take([Self.locks[0]], session)
            try await Self.take([Self.locks[1]], session)
            #expect(try await Self.holders(observer) == ["the owner", "the owner"])
            try await Self.kill(observer)
            #expect(try await Self.holders(observer) == [])
            try await session.restore(ReconnectPolicy(), waitingForLocksAtMost: .seconds(30))
            #expect(try await Self.holders(observer) == ["the owner", "the owner"])
            #expect(try await Self.answer(session) == "42")
            // The old session, if there is one, goes: there are never two.
            try await session.restore(ReconnectPolicy(), waitingForLocksAtMost: .seconds(30))
            try await observer.waitUntil("(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'the owner') = 1")
            #expect(try await Self.holders(observer) == ["the owner", "the owner"])
            await session.close()
            try await observer.waitUntil("NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND \(Self.here))")
        }
    }

    @Test func aQuestionAfterItWasKilledFailsAndNothingReconnects() async throws {
        try await Self.with { session, observer, _ in
            try await Self.take(Self.locks, session)
            try await Self.kill(observer)
            for _ in 0..<3 {
                let error = await #expect(throws: StoreError.self) { try await Self.answer(session) }
                #expect(error?.isConnectionGone == true, "\(String(describing: error))")
                #expect(error?.description.contains(PrivatePostgres.password) == false)
            }
            #expect(try await observer.count("pg_stat_activity WHERE application_name = 'the owner'") == 0)
            #expect(try await Self.holders(observer) == [])
        }
    }

    @Test func restoreIsRefusedWhileAnotherSessionHoldsALock() async throws {
        try await Self.with { session, observer, address in
            try await Self.take(Self.locks, session)
            try await Self.kill(observer)
            let other = try await connect(address, as: "the usurper")
            // The second of them: the first, taken again, must not stay behind.
            try await AdvisoryLock.acquire(Self.locks[1], on: other)
            let error = await #expect(throws: StoreError.self) {
                try await session.restore(ReconnectPolicy(), waitingForLocksAtMost: .milliseconds(50))
            }
            guard case .lockHeld(Self.locks[1], let holders) = error else {
                Issue.record("not a held lock: \(String(describing: error))")
                return
            }
            let pid = await other.backendPID
            #expect(holders.map(\.pid) == [pid])
            #expect(error?.description.contains("the usurper") == true)
            let question = await #expect(throws: StoreError.self) { try await Self.answer(session) }
            #expect(question?.isConnectionGone == true)
            try await observer.waitUntil("NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'the owner')")
            #expect(try await Self.holders(observer) == ["the usurper"])

            await other.close()
            try await session.restore(ReconnectPolicy(), waitingForLocksAtMost: .seconds(30))
            #expect(try await Self.holders(observer) == ["the owner", "the owner"])
        }
    }

    @Test func restoreWaitsUntilTheServerHasNoticedThatTheOtherIsGone() async throws {
        try await Self.with { session, observer, address in
            try await Self.take(Self.locks, session)
            try await Self.kill(observer)
            // An old session of the same process, which the server takes to be alive.
            let other = try await connect(address, as: "the owner")
            try await AdvisoryLock.acquire(Self.locks[0], on: other)
            let restoring = Task { try await session.restore(ReconnectPolicy(), waitingForLocksAtMost: .seconds(3600)) }
            try await observer.waitUntil("EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND \(Self.here))")
            await other.close()
            try await restoring.value
            #expect(try await Self.holders(observer) == ["the owner", "the owner"])
        }
    }

    @Test func aLockThatIsHeldIsNotWaitedForAtFirst() async throws {
        try await Self.with { session, _, address in
            let other = try await connect(address, as: "the first")
            try await AdvisoryLock.acquire(Self.locks[1], on: other)
            let error = await #expect(throws: StoreError.self) { try await Self.take(Self.locks, session) }
            guard case .lockHeld(Self.locks[1], _) = error else {
                Issue.record("not a held lock: \(String(describing: error))")
                return
            }
            #expect(error?.description.contains("the first") == true)
        }
    }

    @Test func aPersistentQuestionMakesANewSessionWithItsLocks() async throws {
        try await Self.with { session, observer, _ in
            try await Self.take(Self.locks, session)
            try await Self.kill(observer)
            let answer = try await session.askPersistently(ReconnectPolicy(), waitingForLocksAtMost: .seconds(30)) {
                connection throws(StoreError) in
                do throws(PostgresError) {
                    return try await connection.query("SELECT 42 AS answer").first?["answer"]
                } catch {
                    throw .database(error)
                }
            }
            #expect(answer == "42")
            #expect(try await Self.holders(observer) == ["the owner", "the owner"])
        }
    }

    @Test func aQuestionThatCollidedIsAskedAgain() async throws {
        try await Self.with { session, _, _ in
            let asked = Mutex(0)
            let answer = try await session.ask { _ throws(StoreError) in
                let count = asked.withLock { count in
                    count += 1
                    return count
                }
                guard count > 2 else { throw Self.collision }
                return count
            }
            #expect(answer == 3)
        }
    }

    @Test func aQuestionThatAlwaysCollidesIsGivenUp() async throws {
        try await Self.with { session, _, _ in
            let asked = Mutex(0)
            let error = await #expect(throws: StoreError.self) {
                try await session.ask { _ throws(StoreError) in
                    asked.withLock { $0 += 1 }
                    throw Self.collision
                }
            }
            #expect(error == Self.collision)
            #expect(asked.withLock { $0 } == 20)
        }
    }

    private static let collision = StoreError.commitFailed(
        ledgers: 100...100, PostgresError(kind: .deadlock, message: "deadlock detected", attempted: "COMMIT"))

    @Test func aSessionThatWasNeverOpenedIsGone() async throws {
        let session = LockedSession(
            to: try await PrivatePostgres.shared().address(), applicationName: "nobody", logger: quiet)
        let error = await #expect(throws: StoreError.self) { try await Self.answer(session) }
        #expect(error?.isConnectionGone == true)
    }
}
