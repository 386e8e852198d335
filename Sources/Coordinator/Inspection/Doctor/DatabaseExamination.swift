import Foundation
import Pipeline
import PostgreSQL
import StateChanges
import Store
import Timescale

/// The part of `doctor` that asks the database.
package struct DatabaseExamination: Sendable {
    let address: ConnectionString
    let names: CursorNames
    let network: String?

    /// What was found, and which ledgers a migration of all that is not complete would need.
    struct Result: Sendable {
        var findings: [Finding] = []
        var needed: LedgerRange?
        var latest: UInt32?
    }

    func run() async -> Result {
        var result = Result()
        let connection: PostgresConnection
        do {
            connection = try await InspectionSession.open(address, for: "doctor")
        } catch {
            result.findings.append(
                .fail("database", "\(error)", "check --database-url, that the server runs, and that its pg_hba.conf lets this machine in"))
            return result
        }
        result.findings.append(.ok("database", "\(address) is reached"))
        for check in [server, timescale, tables, grants] { result.findings += await reported(connection, check) }
        await overview(connection, &result)
        result.findings += await reported(connection, clock)
        await connection.close()
        return result
    }

    private func reported(
        _ connection: PostgresConnection, _ check: (PostgresConnection) async throws(StoreError) -> [Finding]
    ) async -> [Finding] {
        do throws(StoreError) {
            return try await check(connection)
        } catch {
            return [.fail("database", "\(error)", "mend what the server says, then ask again")]
        }
    }

    private func ask(_ sql: String, _ connection: PostgresConnection) async throws(StoreError) -> PostgresRow? {
        do throws(PostgresError) { return try await connection.query(sql).first } catch { throw .database(error) }
    }

    // MARK: the server

    private func server(_ connection: PostgresConnection) async throws(StoreError) -> [Finding] {
        let row = try await ask(
            """
            SELECT current_setting('server_version') AS text, current_setting('server_version_num') AS number,
                   pg_is_in_recovery() AS standby
            """, connection)
        var findings = [Self.version(row?["text"] ?? "unknown", number: row?["number"].flatMap { Int($0) } ?? 0)]
        if row?["standby"] == "t" {
            findings.append(.fail("writes", "the server is a standby and takes none", "name the primary in --database-url"))
        }
        return findings
    }

    package static func version(_ text: String, number: Int) -> Finding {
        number >= 150_000
            ? .ok("version", "PostgreSQL \(text)")
            : .fail("version", "PostgreSQL \(text)", "version 15 or later is needed: upgrade the server")
    }

    private func timescale(_ connection: PostgresConnection) async throws(StoreError) -> [Finding] {
        let installed = try await ask("SELECT extversion AS version FROM pg_extension WHERE extname = 'timescaledb'", connection)?[
            "version"]
        guard let installed else { return [.ok("timescaledb", "not in this database: state_changes is an ordinary table")] }
        guard let found = try await TimescaleExtension.find(on: connection) else {
            return [
                .fail(
                    "timescaledb", "\(installed) is in this database, but the server has not loaded it",
                    "add timescaledb to shared_preload_libraries and restart the server")
            ]
        }
        let hypertable = try await Hypertable.find(on: connection)
        let licence = found.license == .community ? "community" : "Apache"
        let kept = hypertable.map { "a hypertable\($0.hasColumnstore ? " with compression" : "")" } ?? "an ordinary table"
        return [.ok("timescaledb", "\(installed), \(licence) licence; state_changes is \(kept)")]
    }

    private func tables(_ connection: PostgresConnection) async throws(StoreError) -> [Finding] {
        do throws(StoreError) {
            let notes = try await Schema.verify(on: connection)
            let indexes: Finding =
                notes.isEmpty
                ? .ok("indexes", "state_changes has its key and indexes")
                : .warn(
                    "indexes", notes.map(\.description).joined(separator: "; "),
                    "nothing breaks, but it costs time: make or drop them while no migration runs")
            return [.ok("tables", "all there, with the columns and keys that are needed"), indexes]
        } catch {
            guard case .schemaMismatch(let differences) = error else { throw error }
            return [
                .fail(
                    "tables", differences.map(\.description).joined(separator: "; "),
                    "is this the database of a wallet-backend? Upgrade it, or this program "
                        + "('wallet-backend migrate up' makes missing tables, for development)"
                )
            ]
        }
    }

    private func grants(_ connection: PostgresConnection) async throws(StoreError) -> [Finding] {
        let grants = try await Grants.read(on: connection)
        return Grants.Use.allCases.map { use in
            let name = "role, \(use.rawValue)"
            guard let remedy = grants.remedy(use) else { return .ok(name, "\(grants.role) may do what \(use.subject) needs") }
            let found = "\(grants.role) lacks what \(use.subject) needs"
            return use == .rebuild
                ? .warn(name, found, "only for --rebuild: \(remedy)")
                : .fail(name, found, "\(remedy) (unless \(use.subject) uses another role)")
        }
    }

    private func clock(_ connection: PostgresConnection) async throws(StoreError) -> [Finding] {
        let before = Date().timeIntervalSince1970
        let row = try await ask("SELECT extract(epoch FROM clock_timestamp())::text AS now", connection)
        let after = Date().timeIntervalSince1970
        guard let server = row?["now"].flatMap({ Double($0) }) else { return [] }
        // Somewhere between the two.
        return [Self.clock(difference: max(before - server, server - after, 0))]
    }

    package static func clock(difference seconds: Double) -> Finding {
        let found = "this machine and the database server differ by \(seconds < 1 ? "less than 1 s" : Readable.duration(seconds))"
        return seconds < 5
            ? .ok("clock", found)
            : .warn(
                "clock", found, "logs of the two cannot be compared: let both follow a time server (chrony, systemd-timesyncd)")
    }

    // MARK: protocols

    private func overview(_ connection: PostgresConnection, _ result: inout Result) async {
        let found: MigrationOverview
        do {
            found = try await MigrationOverview.read(names: names, network: network, on: connection)
        } catch {
            result.findings.append(.fail("cursors", "\(error)", "mend what the server says, then ask again"))
            return
        }
        guard found.missingTables.isEmpty else { return }
        result.latest = found.latest.number
        result.needed = Self.needed(found)
        result.findings.append(Self.cursors(found, names))
        result.findings += Self.locks(found)
        result.findings.append(Self.liveIngestion(found, network))
    }

    /// From the history that is furthest behind, of those that are not complete.
    static func needed(_ found: MigrationOverview) -> LedgerRange? {
        guard let oldest = found.oldest.number, oldest > 0, let latest = found.latest.number else { return nil }
        let starts = found.records.filter { $0.history.status != "success" }.map { max($0.history.cursor.number ?? 0, oldest - 1) }
        guard let lowest = starts.min(), lowest < latest else { return nil }
        return (lowest + 1)...latest
    }

    static func cursors(_ found: MigrationOverview, _ names: CursorNames) -> Finding {
        var wrong: [String] = []
        for (key, reading) in [(names.oldest, found.oldest), (names.latest, found.latest)] {
            if case .malformed = reading { wrong.append("\(key) is \(reading)") }
        }
        for record in found.records {
            for (key, cursor) in [
                (CursorNames.history(record.id), record.history.cursor), (CursorNames.currentState(record.id), record.currentState.cursor),
            ] {
                switch cursor {
                case .malformed: wrong.append("\(key) is \(cursor)")
                case .ledger(let ledger):
                    if let latest = found.latest.number, ledger > latest {
                        wrong.append("\(key) is \(ledger), past \(names.latest), \(latest)")
                    }
                case .missing: break
                }
            }
        }
        if let oldest = found.oldest.number, let latest = found.latest.number, oldest > latest {
            wrong.append("\(names.oldest), \(oldest), is past \(names.latest), \(latest)")
        }
        guard wrong.isEmpty else {
            return .fail(
                "cursors", wrong.joined(separator: "; "),
                "something else than live ingestion and migrations wrote there: correct ingest_store by hand")
        }
        guard let oldest = found.oldest.number, oldest > 0, let latest = found.latest.number, latest > 0 else {
            return .warn(
                "cursors", "\(names.oldest) is \(found.oldest), \(names.latest) is \(found.latest)",
                "ingestion has not started yet: start it before a migration")
        }
        return .ok("cursors", "ledgers \(oldest) to \(latest) are ingested; no cursor is past that")
    }

    static func locks(_ found: MigrationOverview) -> [Finding] {
        var findings: [Finding] = []
        for record in found.records {
            for holder in record.history.holders {
                findings.append(.ok("locks", "the history of \(record.id.rawValue) is migrated by \(holder)"))
            }
            for holder in record.currentState.holders {
                findings.append(.ok("locks", "the current state of \(record.id.rawValue) is migrated by \(holder)"))
            }
            if record.history.status == "in_progress", record.history.holders.isEmpty {
                findings.append(
                    .warn(
                        "locks", "the history of \(record.id.rawValue) is in_progress, but nobody migrates it",
                        "its migration was killed: run it again, it resumes at cursor + 1"))
            }
        }
        return findings.isEmpty ? [.ok("locks", "no migration is running")] : findings
    }

    static func liveIngestion(_ found: MigrationOverview, _ network: String?) -> Finding {
        guard let holders = found.liveIngestion, let network else {
            return .warn("live ingestion", "cannot be told without --network", "give the name that live ingestion was started with")
        }
        guard let first = holders.first else {
            return .warn("live ingestion", "nobody holds its lock for the network \(network)", "start it, unless it is meant to stand")
        }
        return .ok("live ingestion", "is running: \(first)")
    }
}
