public import PostgreSQL
public import StateChanges

/// What the database says of the protocols that a migration is asked for; read in one snapshot, before anything is written.
public struct MigrationPrerequisites: Sendable, Hashable {
    /// Protocols without an entry have no row in `protocols`.
    public let records: [ProtocolID: ProtocolRecord]
    /// `oldest_ingest_ledger`, under its configured name.
    public let oldest: CursorReading
    /// `latest_ingest_ledger`, under its configured name.
    public let latest: CursorReading
    /// The history cursor of each protocol asked for.
    public let historyCursors: [ProtocolID: CursorReading]

    /// Reads it all. Writes nothing.
    public static func read(
        _ ids: [ProtocolID], names: CursorNames, on connection: PostgresConnection
    ) async throws(StoreError) -> MigrationPrerequisites {
        try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.snapshot) { () throws(StoreError) in
                let records = try ProtocolRecord.read(ids, in: session)
                let cursors = try StoreError.wrapping { () throws(PostgresError) in
                    try session.readCursors([names.oldest, names.latest] + ids.map(CursorNames.history))
                }
                return MigrationPrerequisites(
                    records: records, oldest: cursors[names.oldest] ?? .missing, latest: cursors[names.latest] ?? .missing,
                    historyCursors: Dictionary(
                        ids.map { ($0, cursors[CursorNames.history($0)] ?? .missing) }, uniquingKeysWith: { first, _ in first }))
            }
        }
    }
}

/// Where the history cursor of a protocol stands when its migration begins.
public enum CursorStart: Sendable, Hashable, CustomStringConvertible {
    /// It was missing or 0, and now stands at the ledger before the oldest one.
    case created(at: UInt32)
    /// It was there; work goes on with the ledger after it.
    case resumed(at: UInt32)
    /// It stood below the ledgers that are still kept, and was moved to the ledger before the oldest one: those between have no state changes.
    case movedForward(from: UInt32, to: UInt32)

    /// The cursor's value now.
    public var ledger: UInt32 {
        switch self {
        case .created(let ledger), .resumed(let ledger), .movedForward(_, let ledger): ledger
        }
    }

    /// For messages.
    public var description: String {
        switch self {
        case .created(let ledger): "history cursor created at \(ledger)"
        case .resumed(let ledger): "resuming after ledger \(ledger)"
        case .movedForward(let from, let to):
            "history cursor moved forward from \(from) to \(to): ledgers before \(to == .max ? to : to + 1) are no longer kept"
        }
    }
}

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
    /// - Parameter locking: nobody can change them until the transaction ends.
    static func read(
        _ ids: [ProtocolID], locking: Bool = false, in session: PostgresSession
    ) throws(StoreError) -> [ProtocolID: ProtocolRecord] {
        let rows = try StoreError.wrapping { () throws(PostgresError) in
            try session.query(
                "SELECT id, classification_status, history_migration_status FROM protocols WHERE id = ANY($1)"
                    + (locking ? " ORDER BY id FOR NO KEY UPDATE" : ""), [ids.arrayLiteral],
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

/// What a migration writes besides state changes. Each of these commits waits for the disk, whatever the server's default.
public enum MigrationRecords {
    /// Marks the protocols `in_progress` and sees to it that each has a usable history cursor, in one transaction.
    ///
    /// Throws `ingestionNotStarted`, `malformedCursor` or `unknownProtocols`, and then has written nothing.
    public static func begin(
        _ ids: [ProtocolID], names: CursorNames, on connection: PostgresConnection
    ) async throws(StoreError) -> [ProtocolID: CursorStart] {
        try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.durable) { () throws(StoreError) in
                let reading = try StoreError.wrapping { () throws(PostgresError) in
                    try session.readCursors([names.oldest])[names.oldest] ?? .missing
                }
                guard let oldest = try reading.ledger(ofKey: names.oldest), oldest > 0 else {
                    throw .ingestionNotStarted(key: names.oldest, reading)
                }
                var starts: [ProtocolID: CursorStart] = [:]
                // In the order of their keys, like every transaction that locks several cursors.
                for id in Set(ids).sorted() { starts[id] = try startCursor(id, before: oldest, in: session) }
                try setStatus(.inProgress, ids, in: session)
                return starts
            }
        }
    }

    /// Sets `history_migration_status` of protocols; throws `unknownProtocols`, with nothing written, where one has no row.
    public static func setStatus(_ status: ProtocolStatus, _ ids: [ProtocolID], on connection: PostgresConnection) async throws(StoreError)
    {
        guard !ids.isEmpty else { return }
        try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.durable) { () throws(StoreError) in try setStatus(status, ids, in: session) }
        }
    }

    /// Marks the history of protocols complete, each only where its history cursor stands at or past the ledger that its migration has reached: a server
    /// that crashed in between may have lost the last commits. With the mark, whatever was committed before it is on the disk.
    ///
    /// Throws `unknownProtocols`, with nothing written, where one has no row.
    /// - Returns: the protocols that were marked.
    public static func complete(
        _ reached: [ProtocolID: UInt32], on connection: PostgresConnection
    ) async throws(StoreError) -> Set<ProtocolID> {
        guard !reached.isEmpty else { return [] }
        return try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.durable) { () throws(StoreError) in
                let cursors = try StoreError.wrapping { () throws(PostgresError) in
                    try session.readCursors(reached.keys.map(CursorNames.history))
                }
                let holding = reached.filter { id, ledger in
                    if case .ledger(let cursor)? = cursors[CursorNames.history(id)] { cursor >= ledger } else { false }
                }
                try setStatus(.success, holding.keys.sorted(), in: session)
                return Set(holding.keys)
            }
        }
    }

    static func setStatus(_ status: ProtocolStatus, _ ids: [ProtocolID], in session: PostgresSession) throws(StoreError) {
        let rows = try StoreError.wrapping { () throws(PostgresError) in
            try session.query(
                "UPDATE protocols SET history_migration_status = $1, updated_at = now() WHERE id = ANY($2) RETURNING id",
                [status.rawValue, ids.arrayLiteral], label: "setting history_migration_status to \(status.rawValue)")
        }
        let missing = Set(ids).subtracting(rows.map { ProtocolID(rawValue: $0["id"] ?? "") })
        guard missing.isEmpty else { throw .unknownProtocols(missing.sorted()) }
    }

    /// Swaps history cursors forward over ledgers that are no longer kept, each only where it stands as believed; it waits for the disk.
    /// - Parameters:
    ///   - cursors: where each is believed to stand.
    ///   - ledger: where they are put.
    /// - Returns: the protocols whose cursors were swapped.
    public static func moveForward(
        from cursors: [ProtocolID: UInt32], to ledger: UInt32, on connection: PostgresConnection
    ) async throws(StoreError) -> Set<ProtocolID> {
        try await connection.perform { session throws(StoreError) in
            try session.storeTransaction(.durable) { () throws(StoreError) in
                var moved: Set<ProtocolID> = []
                // In the order of their keys, like every transaction that locks several cursors.
                for (id, cursor) in cursors.sorted(by: { $0.key < $1.key }) where cursor < ledger {
                    if try moveForward(id, from: cursor, to: ledger, in: session) { moved.insert(id) }
                }
                return moved
            }
        }
    }

    private static func moveForward(
        _ id: ProtocolID, from cursor: UInt32, to ledger: UInt32, in session: PostgresSession
    ) throws(StoreError) -> Bool {
        try StoreError.wrapping { () throws(PostgresError) in
            try CursorSwap.swap([id], from: cursor, to: ledger, in: session)[id] == .swapped
        }
    }

    private static func startCursor(_ id: ProtocolID, before oldest: UInt32, in session: PostgresSession) throws(StoreError) -> CursorStart
    {
        let first = oldest - 1
        let key = CursorNames.history(id)
        let (inserted, reading) = try StoreError.wrapping { () throws(PostgresError) in
            let inserted = try session.query(
                "INSERT INTO ingest_store (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING RETURNING key", [key, String(first)],
                label: "creating \(key)")
            // The row is there now, and nobody can move it until this transaction ends.
            let row = try session.query(
                "SELECT value FROM ingest_store WHERE key = $1 FOR NO KEY UPDATE", [key], label: "reading \(key)"
            ).first
            return (!inserted.isEmpty, CursorReading(row?["value"]))
        }
        if inserted { return .created(at: first) }
        let found = try reading.ledger(ofKey: key) ?? 0
        guard found < first || found == 0 else { return .resumed(at: found) }
        _ = try moveForward(id, from: found, to: first, in: session)
        return found == 0 ? .created(at: first) : .movedForward(from: found, to: first)
    }
}
