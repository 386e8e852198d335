import Foundation
import PostgreSQL
import TestSupport
import Testing

/// A database with the tables and tracked contracts, a simulated RPC, and the programs under test.
struct Stage: Sendable {
    static let passphrase = "Standalone Network ; February 2017"

    let database: ConnectionString
    let databaseText: String
    let connection: PostgresConnection
    let fixture: Fixture
    let simulator: RunningProgram
    let rpcURL: String

    /// Prepares everything for a fixture: live ingestion has stored its ledgers, classified its contracts, and is not running.
    static func with<Result: Sendable>(
        _ fixture: Fixture? = nil, server: PrivatePostgres? = nil, simulatorArguments: [String] = [], _ body: (Stage) async throws -> Result
    ) async throws -> Result {
        let fixture = try fixture ?? Fixture.synthetic()
        let postgres: PrivatePostgres
        if let server { postgres = server } else { postgres = try await PrivatePostgres.shared() }
        return try await postgres.withDatabase { database in
            let connection = try await PostgresConnection.connect(database, applicationName: "tests")
            let text = try postgres.addressText(of: database)
            let up = try RunningProgram("wallet-backend", ["migrate", "up"], environment: ["DATABASE_URL": text])
            #expect(await up.exit() == 0, "\(up.log)")
            try await prepare(fixture, connection)
            let simulator = try RunningProgram(
                "ledger-simulator",
                ["serve", "--port", "0", "--ledgers", fixture.folder.path, "--network-passphrase", passphrase] + simulatorArguments)
            let line = try #require(await simulator.line(containing: "listening on "), "\(simulator.log)")
            let url = String(line.split(separator: " ").last ?? "")
            let stage = Stage(
                database: database, databaseText: text, connection: connection, fixture: fixture, simulator: simulator, rpcURL: url)
            do {
                let result = try await body(stage)
                simulator.send(SIGKILL)
                await connection.close()
                return result
            } catch {
                simulator.send(SIGKILL)
                await connection.close()
                throw error
            }
        }
    }

    private static func prepare(_ fixture: Fixture, _ connection: PostgresConnection) async throws {
        for (id, contracts) in fixture.contracts {
            try await connection.query("UPDATE protocols SET classification_status = 'success' WHERE id = $1", [id])
            try await connection.query("INSERT INTO protocol_wasms(wasm_hash, protocol_id) VALUES (sha256($1::text::bytea), $1)", [id])
            try await connection.query(
                """
                INSERT INTO protocol_contracts(contract_id, wasm_hash)
                SELECT decode(contract, 'hex'), sha256($1::text::bytea) FROM unnest($2::text[]) AS contract
                """, [id, "{" + contracts.joined(separator: ",") + "}"])
        }
        try await connection.query(
            "INSERT INTO ingest_store VALUES ('oldest_ingest_ledger', $1), ('latest_ingest_ledger', $2)",
            ["\(fixture.ledgers.lowerBound)", "\(fixture.ledgers.upperBound)"])
    }

    /// The same stage on a new connection, after the server was away.
    func reconnected() async throws -> Stage {
        Stage(
            database: database, databaseText: databaseText,
            connection: try await PostgresConnection.connect(database, applicationName: "tests"), fixture: fixture, simulator: simulator,
            rpcURL: rpcURL)
    }

    /// Starts a migration; flags given again here win.
    func migration(_ arguments: [String] = [], protocols: [String] = ["SEP50", "SEP41"], environment: [String: String] = [:]) throws
        -> RunningProgram
    {
        var settings = [
            "DATABASE_URL": databaseText, "RPC_URL": rpcURL, "NETWORK_PASSPHRASE": Self.passphrase, "NETWORK": "test",
            "CONVERGENCE_WAIT": "0.2",
        ]
        settings.merge(environment) { $1 }
        return try RunningProgram(
            "wallet-backend", ["protocol-migrate", "history", "--protocol-id"] + protocols + arguments, environment: settings)
    }

    /// Runs a migration to its end and expects its exit status.
    @discardableResult
    func migrate(
        _ arguments: [String] = [], protocols: [String] = ["SEP50", "SEP41"], environment: [String: String] = [:], exits status: Int32 = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> RunningProgram {
        let program = try migration(arguments, protocols: protocols, environment: environment)
        #expect(await program.exit() == status, "\(program.log)", sourceLocation: sourceLocation)
        return program
    }

    /// Waits for an SQL condition that a program brings about; one that ends instead is an error.
    func reach(_ condition: String, _ run: RunningProgram, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await connection.waitUntil(condition) {
            try #require(kill(run.pid, 0) == 0, "\(run.log)", sourceLocation: sourceLocation)
        }
    }

    /// The table as it is.
    func rows() async throws -> [StateChangeRow] {
        try await connection.query(StateChangeRow.query).map { row in
            var columns: [String: String?] = [:]
            for name in StateChangeRow.columnNames + ["ledger_created_at"] { columns[name] = .some(row[name]) }
            return try StateChangeRow(found: columns)
        }.sorted()
    }

    /// Compares the table with what must be in it, row by row, all columns.
    func expectRows(_ expected: [StateChangeRow]? = nil, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let found = try await rows()
        let expected = (expected ?? fixture.expected).sorted()
        #expect(found.count == expected.count, sourceLocation: sourceLocation)
        let missing = Set(expected).subtracting(found).sorted()
        let extra = Set(found).subtracting(expected).sorted()
        #expect(
            missing.isEmpty && extra.isEmpty, "missing \(missing.prefix(3)), unexpected \(extra.prefix(3))", sourceLocation: sourceLocation)
    }

    /// A cursor's text; nil where its row is missing.
    func cursor(_ id: String) async throws -> String? {
        try await connection.query("SELECT value FROM ingest_store WHERE key = $1", ["protocol_\(id)_history_cursor"]).first?["value"]
    }

    /// `history_migration_status`.
    func status(_ id: String) async throws -> String? {
        try await connection.query("SELECT history_migration_status FROM protocols WHERE id = $1", [id]).first?["history_migration_status"]
    }

    /// Expects the end of a complete migration: rows, cursors and statuses.
    func expectComplete(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await expectRows(sourceLocation: sourceLocation)
        for id in fixture.contracts.keys {
            #expect(try await cursor(id) == "\(fixture.ledgers.upperBound)", sourceLocation: sourceLocation)
            #expect(try await status(id) == "success", sourceLocation: sourceLocation)
        }
    }

    /// Everything that a migration may write, as text: equal before and after means that nothing was written.
    func fingerprint() async throws -> String {
        try await connection.query(
            """
            SELECT (SELECT string_agg(t::text, ';' ORDER BY key) FROM ingest_store t) || '|' ||
                   (SELECT string_agg(id || history_migration_status || updated_at, ';' ORDER BY id) FROM protocols) || '|' ||
                   (SELECT count(*) FROM state_changes) AS everything
            """
        ).first?["everything"] ?? ""
    }
}
