import Foundation
import PostgreSQL
import Synchronization
import TestSupport
import Testing

/// A server that is there but does not respond: whoever is cancelled does not wait for it.
@Suite(.serialized, .timeLimit(.minutes(10))) struct UnresponsiveServerTests {
    /// Below the ten seconds within which a signal must end a process.
    private static let limit = Duration.seconds(9)

    private static func with(
        _ body: (PrivatePostgres, PostgresConnection, PostgresConnection) async throws -> Void
    ) async throws {
        let server = try await PrivatePostgres.start()
        let observer = try await PostgresConnection.connect(server.address(), applicationName: "observer")
        let connection = try await PostgresConnection.connect(server.address(), applicationName: "tests")
        try await body(server, connection, observer)
        await connection.close()
    }

    @Test func aStatementOnAStoppedServerEndsSoonAfterItsCancellation() async throws {
        try await Self.with { server, connection, observer in
            let pid = try #require(await connection.backendPID)
            let task = Task { try await connection.query("SELECT pg_sleep(100000)") }
            try await observer.waitUntil(
                "EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1::int AND wait_event = 'PgSleep')", [String(pid)])
            try await server.pause()
            task.cancel()
            let error = await #expect(throws: PostgresError.self) {
                try await within(Self.limit, "the end of a cancelled statement") { try await task.value }
            }
            #expect(error?.kind == .cancelled)
            #expect(await connection.isOpen == false)
            let next = await #expect(throws: PostgresError.self) { try await connection.query("SELECT 1") }
            #expect(next?.isConnectionGone == true)
            try await server.resume()
        }
    }

    /// The cancel request arrives; what it is for does not take note of it.
    @Test func aStatementOfAStoppedBackendEndsSoonAfterItsCancellation() async throws {
        try await Self.with { _, connection, observer in
            let pid = try #require(await connection.backendPID)
            let task = Task { try await connection.query("SELECT pg_sleep(100000)") }
            try await observer.waitUntil(
                "EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1::int AND wait_event = 'PgSleep')", [String(pid)])
            try await Self.stop(pid)
            task.cancel()
            let error = await #expect(throws: PostgresError.self) {
                try await within(Self.limit, "the end of a cancelled statement") { try await task.value }
            }
            #expect(error?.kind == .cancelled)
            kill(pid, SIGCONT)
        }
    }

    @Test func aCommitOnAStoppedServerEndsSoonAfterItsCancellationAndItsOutcomeIsUnknown() async throws {
        try await Self.with { server, connection, observer in
            try await observer.execute(
                """
                CREATE TABLE t (n int);
                CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(100000); RETURN NULL; END';
                CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()
                """)
            let pid = try #require(await connection.backendPID)
            let task = Task {
                try await connection.perform { session throws(PostgresError) in
                    try session.transaction(.readCommitted) { () throws(PostgresError) in try session.query("INSERT INTO t VALUES (1)") }
                }
            }
            try await observer.waitUntil(
                "EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1::int AND query = 'COMMIT' AND wait_event = 'PgSleep')", [String(pid)])
            try await server.pause()
            task.cancel()
            let error = await #expect(throws: PostgresError.self) {
                try await within(Self.limit, "the end of a COMMIT after the cancellation") { _ = try await task.value }
            }
            #expect(error?.isConnectionGone == true)
            #expect(error?.commitOutcomeUnknown == true)
            try await server.resume()
        }
    }

    @Test func aRollbackOnAStoppedServerEndsSoonAfterItsCancellation() async throws {
        struct GivenUp: Error {}
        try await Self.with { server, connection, _ in
            let (reached, signal) = AsyncStream<Void>.makeStream()
            let goOn = DispatchSemaphore(value: 0)
            let task = Task {
                try await connection.perform { session throws(any Error) in
                    try session.begin(.readCommitted)
                    signal.finish()
                    // On the connection's own thread.
                    goOn.wait()
                    throw GivenUp()
                }
            }
            for await _ in reached {}
            try await server.pause()
            goOn.signal()
            task.cancel()
            await #expect(throws: GivenUp.self) {
                try await within(Self.limit, "the end of a ROLLBACK after the cancellation") { try await task.value }
            }
            #expect(await connection.isOpen == false)
            try await server.resume()
        }
    }

    @Test func connectingToAStoppedServerEndsAtOnceWhenItIsCancelledAndInTimeWhenNot() async throws {
        try await Self.with { server, _, _ in
            try await server.pause()
            try await Self.expectNoConnection(to: try server.addressText(of: try server.address()))
            try await server.resume()
        }
    }

    /// A socket on which nobody accepts: the kernel takes the connection, and no byte ever comes.
    @Test func connectingToWhatNeverRespondsEndsAtOnceWhenItIsCancelledAndInTimeWhenNot() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("silent-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array("\(folder.path)/.s.PGSQL.5432".utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        #expect(bound == 0 && listen(listener, 16) == 0)
        try await Self.expectNoConnection(to: "host=\(folder.path) user=nobody dbname=none")
    }

    private static func expectNoConnection(to text: String) async throws {
        let address = try ConnectionString(text)
        let task = Task { try await PostgresConnection.connect(address, applicationName: "tests") }
        task.cancel()
        let cancelled = await #expect(throws: PostgresError.self) {
            try await within(limit, "the end of a cancelled attempt to connect") { _ = try await task.value }
        }
        #expect(cancelled?.kind == .cancelled)
        let brief = try ConnectionString(text + " connect_timeout=1")
        let late = await #expect(throws: PostgresError.self) {
            try await within(limit, "the end of an attempt to connect") {
                _ = try await PostgresConnection.connect(brief, applicationName: "tests")
            }
        }
        #expect(late?.kind == .connectFailed)
        #expect(late?.message.contains("no response within 1 s") == true)
    }

    /// Stops a process and waits until it is seen to be stopped: a signal takes effect when its time comes.
    private static func stop(_ pid: Int32) async throws {
        kill(pid, SIGSTOP)
        try await within(.seconds(60), "SIGSTOP to take effect on process \(pid)") {
            while true {
                let stat = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
                if stat.split(separator: ")").last?.dropFirst().first == "T" { return }
                await Task.yield()
            }
        }
    }
}
