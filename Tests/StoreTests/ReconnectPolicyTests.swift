import PostgreSQL
import Store
import Synchronization
import TestSupport
import Testing

/// An unreachable database is tried again for a bounded time.
@Suite(.timeLimit(.minutes(10))) struct ReconnectPolicyTests {
    @Test func itIsNamedWithoutItsPasswordInTheEnd() async throws {
        let clock = JumpingClock()
        let address = try ConnectionString("postgresql://alice:s3cret@/wallet?host=/no/such/folder")
        let policy = ReconnectPolicy(limit: .seconds(10), firstPause: .seconds(1), longestPause: .seconds(4))
        let pauses = Mutex<[Duration]>([])
        let error = await #expect(throws: StoreError.self) {
            try await policy.connect(
                to: address, applicationName: "tests", clock: clock, onFailure: { _, pause in pauses.withLock { $0.append(pause) } })
        }
        guard case .unreachable(_, let attempts, _) = error else {
            Issue.record("not unreachable: \(String(describing: error))")
            return
        }
        // At 0, 1, 3 and 7 s; the next one would be at 11 s.
        #expect(attempts == 4)
        #expect(pauses.withLock { $0 } == [.seconds(1), .seconds(2), .seconds(4)])
        #expect(error?.description.contains("postgresql://alice:***@") == true)
        #expect(error?.description.contains("s3cret") == false)
        #expect(error?.isConnectionGone == true)
    }

    @Test func aMissingDatabaseIsNotAskedForTwice() async throws {
        let address = try await PrivatePostgres.shared().address(ofDatabase: "no_such_database")
        let error = await #expect(throws: StoreError.self) {
            try await ReconnectPolicy().connect(to: address, applicationName: "tests", clock: JumpingClock())
        }
        guard case .unreachable(_, 1, _) = error else {
            Issue.record("tried again: \(String(describing: error))")
            return
        }
    }

    @Test func aServerThatComesBackIsReached() async throws {
        let server = try await PrivatePostgres.start()
        try await server.stop(.fast)
        let failures = AsyncStream<PostgresError>.makeStream()
        let policy = ReconnectPolicy(limit: .seconds(3600), firstPause: .milliseconds(10), longestPause: .milliseconds(100))
        let connecting = Task {
            try await policy.connect(
                to: server.address(), applicationName: "tests", onFailure: { error, _ in failures.continuation.yield(error) })
        }
        // Down for one attempt at least.
        for await error in failures.stream {
            #expect(error.kind == .connectFailed)
            break
        }
        try await server.start()
        #expect(try await connecting.value.query("SELECT 1 AS one").first?["one"] == "1")
    }
}

/// A clock whose sleeps end at once, with the time advanced.
private final class JumpingClock: Clock, Sendable {
    struct Instant: InstantProtocol {
        var offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private let time = Mutex(Instant(offset: .zero))
    var now: Instant { time.withLock { $0 } }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try Task.checkCancellation()
        time.withLock { $0 = max($0, deadline) }
    }
}
