import PostgreSQL
import StateChanges
import Store

/// What `protocol-migrate status` found at one look.
struct MigrationStatus: Sendable, Hashable {
    /// About how often the network closes a ledger.
    static let secondsPerLedger = 5.0

    /// One of the two migrations of a protocol.
    struct Migration: Sendable, Hashable {
        enum Kind: String, Sendable, Hashable {
            case history
            case currentState = "current state"
        }

        let kind: Kind
        let found: MigrationOverview.Migration
        /// Ledgers between the cursor and the latest ingested one; nil where one of them is not known.
        let lag: Int?
        let speed: Double?

        /// Somebody holds its lock.
        var isRunning: Bool { !found.holders.isEmpty }
        var secondsLeft: Double? {
            guard let speed, let lag, lag > 0 else { return nil }
            return Double(lag) / speed
        }
        var cursor: UInt32? { found.cursor.number }
        /// Its speed is of interest.
        var isMoving: Bool { isRunning && (lag ?? 0) > 0 }
    }

    struct Entry: Sendable, Hashable {
        let id: ProtocolID
        let classification: String?
        let migrations: [Migration]
    }

    /// Unix seconds.
    let time: Double
    /// Shows no password.
    let database: String
    let network: String?
    let names: CursorNames
    /// Nil where the database could not be asked.
    let overview: MigrationOverview?
    let entries: [Entry]
    /// What keeps this command from saying all.
    let problems: [String]

    init(
        time: Double, database: String, network: String?, names: CursorNames, _ result: Result<MigrationOverview, StoreError>,
        speeds: [String: CursorSpeed]
    ) {
        self.time = time
        self.database = database
        self.network = network
        self.names = names
        switch result {
        case .failure(let error):
            overview = nil
            entries = []
            problems = ["\(error)"]
        case .success(let found):
            overview = found
            entries = found.records.map { record in
                Entry(
                    id: record.id, classification: record.classificationStatus,
                    migrations: [
                        Self.migration(.history, record.history, CursorNames.history(record.id), found.latest, speeds),
                        Self.migration(.currentState, record.currentState, CursorNames.currentState(record.id), found.latest, speeds),
                    ])
            }
            problems =
                found.missingTables.isEmpty
                ? []
                : [
                    "there is no table \(found.missingTables.joined(separator: " and ")): is this the database of a wallet-backend? "
                        + "('wallet-backend migrate up' makes the tables, for development)"
                ]
        }
    }

    private static func migration(
        _ kind: Migration.Kind, _ found: MigrationOverview.Migration, _ key: String, _ latest: CursorReading,
        _ speeds: [String: CursorSpeed]
    ) -> Migration {
        let lag: Int? =
            if let cursor = found.cursor.number, cursor > 0, let latest = latest.number { max(0, Int(latest) - Int(cursor)) } else { nil }
        return Migration(
            kind: kind, found: found, lag: lag, speed: found.holders.isEmpty ? nil : speeds[key]?.ledgersPerSecond)
    }

    /// What an operator should know or do.
    var notes: [String] {
        guard let overview, overview.missingTables.isEmpty else { return [] }
        var notes: [String] = []
        if entries.isEmpty { notes.append("no protocol is registered: 'wallet-backend migrate up' registers those of this build") }
        for (key, reading) in [(names.oldest, overview.oldest), (names.latest, overview.latest)] {
            switch reading {
            case .missing, .ledger(0): notes.append("ingestion has not started yet: \(key) in ingest_store is \(reading)")
            case .malformed: notes.append("\(key) in ingest_store is \(reading): correct it by hand")
            case .ledger: break
            }
        }
        if overview.liveIngestion == nil { notes.append("whether live ingestion is running cannot be told without --network") }
        for entry in entries { for migration in entry.migrations { notes += self.notes(entry, migration) } }
        return notes
    }

    private func notes(_ entry: Entry, _ migration: Migration) -> [String] {
        let name = "\(entry.id.rawValue) \(migration.kind.rawValue)"
        var notes: [String] = []
        if case .malformed = migration.found.cursor { notes.append("\(name): its cursor is \(migration.found.cursor): correct it by hand") }
        if let cursor = migration.cursor, let latest = overview?.latest.number, cursor > latest {
            notes.append("\(name): its cursor is \(cursor), past \(names.latest), \(latest): something else moved it, correct it by hand")
        }
        guard migration.kind == .history else { return notes }
        switch migration.found.status {
        case "in_progress" where !migration.isRunning:
            notes.append("\(name) is in_progress, but nobody migrates it: its migration was killed. Run it again: it resumes at cursor + 1")
        case "failed" where !migration.isRunning:
            notes.append("\(name) has failed: the migration's log says why. Run it again: it resumes at cursor + 1")
        default: break
        }
        if entry.classification != "success", migration.found.status != "success" {
            notes.append("\(name) cannot be migrated yet: classification_status is '\(entry.classification ?? "NULL")', not 'success'")
        }
        return notes
    }
}
