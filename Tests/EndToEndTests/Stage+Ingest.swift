import Foundation
import PostgreSQL
import TestSupport
import Testing

/// What live ingestion needs on top: a database at some place, the program, and places where it waits for the test.
extension Stage {
    /// Makes `ingest_store` say that live ingestion has come so far; nil: that it never ran.
    func stand(at latest: UInt32?) async throws {
        if let latest {
            try await connection.query("UPDATE ingest_store SET value = $1 WHERE key = 'latest_ingest_ledger'", ["\(latest)"])
        } else {
            try await connection.query("DELETE FROM ingest_store WHERE key IN ('oldest_ingest_ledger', 'latest_ingest_ledger')")
        }
    }

    /// Creates the history cursors of both protocols.
    func createCursors(at ledger: UInt32) async throws {
        try await connection.query(
            "INSERT INTO ingest_store VALUES ('protocol_SEP41_history_cursor', $1), ('protocol_SEP50_history_cursor', $1)", ["\(ledger)"])
    }

    /// The value of a cursor by its whole key; nil where its row is missing.
    func value(_ key: String) async throws -> String? {
        try await connection.query("SELECT value FROM ingest_store WHERE key = $1", [key]).first?["value"]
    }

    /// `latest_ingest_ledger`.
    func latest() async throws -> UInt32? { try await value("latest_ingest_ledger").flatMap { UInt32($0) } }

    /// Starts live ingestion; settings given again here win.
    func ingestion(_ arguments: [String] = [], environment: [String: String] = [:]) throws -> RunningProgram {
        var settings = ["DATABASE_URL": databaseText, "RPC_URL": rpcURL, "NETWORK_PASSPHRASE": Self.passphrase, "NETWORK": "test"]
        settings.merge(environment) { $1 }
        return try RunningProgram("wallet-backend", ["ingest"] + arguments, environment: settings)
    }

    /// Starts live ingestion that must end by itself, and expects its exit status.
    @discardableResult
    func ingest(
        _ arguments: [String] = [], environment: [String: String] = [:], exits status: Int32,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> RunningProgram {
        let run = try ingestion(arguments, environment: environment)
        #expect(await run.exit() == status, "\(run.log)", sourceLocation: sourceLocation)
        #expect(!run.log.contains(PrivatePostgres.password), sourceLocation: sourceLocation)
        return run
    }

    /// Waits until live ingestion says that it is at the tip, which is this ledger; the fixture's last unless given.
    func untilAtTip(_ run: RunningProgram, _ ledger: UInt32? = nil, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let number = "ledger=\(ledger ?? fixture.ledgers.upperBound) "
        let line = await run.line { $0.contains("at the tip") && ($0 + " ").contains(number) }
        _ = try #require(line, "\(run.log)", sourceLocation: sourceLocation)
    }

    /// Ends live ingestion as an operator does, and expects that it ends well.
    func end(_ run: RunningProgram, signal: Int32 = SIGTERM, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        run.send(signal)
        #expect(await run.exit() == 0, "\(run.log)", sourceLocation: sourceLocation)
        // Its lock is free for the next one.
        try await untilNoIngestion()
    }

    /// Waits until the server has noticed that live ingestion's session is gone.
    func untilNoIngestion() async throws {
        try await connection.waitUntil("NOT EXISTS (SELECT FROM pg_stat_activity WHERE \(Self.ingestSession))")
    }

    /// Ends live ingestion's session from the outside, as an administrator does.
    func terminateIngestion(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let ended = try await connection.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE \(Self.ingestSession)")
        #expect(ended.count == 1, sourceLocation: sourceLocation)
    }

    /// Which rows of pg_stat_activity are live ingestion's.
    static let ingestSession = "datname = current_database() AND application_name LIKE 'wallet-backend ingest %, pid %'"

    /// Expects the rows of the ledgers up to where live ingestion says that it is, and both cursors there.
    func expectIngested(_ ledger: UInt32, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        #expect(try await latest() == ledger, sourceLocation: sourceLocation)
        for id in ["SEP41", "SEP50"] { #expect(try await cursor(id) == "\(ledger)", sourceLocation: sourceLocation) }
        try await expectRows(fixture.expected.filter { $0.ledger <= ledger }, sourceLocation: sourceLocation)
    }

    /// The same stage with the RPC elsewhere.
    func withRPC(_ url: String) -> Stage {
        Stage(
            database: database, databaseText: databaseText, connection: connection, fixture: fixture, simulator: simulator, rpcURL: url)
    }
}

/// A place in live ingestion's transaction where it waits until the test lets it go on.
struct Gate: Sendable {
    /// Where in the transaction.
    enum Place: String, Sendable, CaseIterable {
        /// `latest_ingest_ledger` was moved, nothing else yet.
        case inTransaction = "NOT DEFERRABLE"
        /// COMMIT was sent.
        case inCommit = "DEFERRABLE INITIALLY DEFERRED"
    }

    private let holder: PostgresConnection
    private let stage: Stage

    /// A gate, closed, in the transaction of one ledger.
    init(_ stage: Stage, at ledger: UInt32, _ place: Place) async throws {
        self.stage = stage
        try await stage.connection.execute(
            """
            CREATE TABLE gate (n int);
            CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN LOCK TABLE gate IN SHARE MODE; RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER at_gate AFTER UPDATE ON ingest_store \(place.rawValue) FOR EACH ROW
                WHEN (NEW.key = 'latest_ingest_ledger' AND NEW.value = '\(ledger)') EXECUTE FUNCTION wait_at_gate()
            """)
        holder = try await PostgresConnection.connect(stage.database, applicationName: "gate")
        try await holder.execute("BEGIN; LOCK TABLE gate")
    }

    /// Waits until the program stands before it.
    func reached(by run: RunningProgram, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await stage.reach(
            """
            EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                    WHERE \(Stage.ingestSession) AND l.relation = 'gate'::regclass AND NOT l.granted)
            """, run, sourceLocation: sourceLocation)
    }

    /// Opens it for good.
    func open() async throws { try await holder.query("ROLLBACK") }
}

/// A simulator of the test's own, which it may end and start again at the same port.
struct OtherSimulator: Sendable {
    let program: RunningProgram
    let url: String

    init(port: UInt16, _ arguments: [String]) async throws {
        program = try RunningProgram(
            "ledger-simulator", ["serve", "--port", "\(port)", "--network-passphrase", Stage.passphrase] + arguments)
        _ = try #require(await program.line(containing: "listening on "), "\(program.log)")
        url = "http://127.0.0.1:\(port)"
    }

    func end() async {
        program.send(SIGKILL)
        _ = await program.exit()
    }
}
