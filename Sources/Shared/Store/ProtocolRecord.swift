internal import PostgreSQL
public import Protocols

/// A status column of `protocols`.
public enum ProtocolStatus: String, Sendable, Hashable {
    /// Nothing was done yet.
    case notStarted = "not_started"
    /// Under way, or broken off.
    case inProgress = "in_progress"
    /// Done.
    case success
    /// Given up; may be tried again.
    case failed
}

/// What `protocols` says of a protocol.
public struct ProtocolRecord: Sendable, Hashable {
    /// Its name.
    public let id: ProtocolID
    /// Whether its contracts are known.
    public let classificationStatus: ProtocolStatus
    /// How far the migration of its history is.
    public let historyMigrationStatus: ProtocolStatus

    /// The records of those protocols that have one.
    static func read(_ ids: [ProtocolID], in session: PostgresSession) throws(StoreError) -> [ProtocolID: ProtocolRecord] {
        let rows = try StoreError.wrapping { () throws(PostgresError) in
            try session.query(
                "SELECT id, classification_status, history_migration_status FROM protocols WHERE id = ANY($1)", [ids.arrayLiteral],
                label: "reading table protocols")
        }
        var records: [ProtocolID: ProtocolRecord] = [:]
        for row in rows {
            let id = ProtocolID(rawValue: row["id"] ?? "")
            records[id] = ProtocolRecord(
                id: id, classificationStatus: try status("classification_status", id, row),
                historyMigrationStatus: try status("history_migration_status", id, row))
        }
        return records
    }

    private static func status(_ column: String, _ id: ProtocolID, _ row: PostgresRow) throws(StoreError) -> ProtocolStatus {
        let text = row[column] ?? "NULL"
        guard let status = ProtocolStatus(rawValue: text) else { throw .unknownStatus(id, column: column, value: text) }
        return status
    }
}
