public import Logging
public import PostgreSQL
public import StateChanges

/// Session-level advisory locks, named by text: held until released or until the session ends, however it ends.
public enum AdvisoryLock {
    /// The lock's key: FNV-1a 64 of the name's UTF-8, taken as a signed number.
    public static func key(for name: String) -> Int64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int64(bitPattern: hash)
    }

    /// The names of the locks that a coordinator holds while it migrates the history of a protocol: one migration per protocol at a time. The first is
    /// ours, the second that of the Go tool's migrations, so that neither runs beside the other.
    public static func migrationNames(_ id: ProtocolID) -> [String] {
        ["wallet-backend-migrate-" + CursorNames.history(id), "wallet-backend-history-" + id.rawValue]
    }

    /// The names of the fencing locks that a writer holds while it may commit rows of these protocols, in the order in which every writer takes them: a
    /// new writer waits until the old one's session is really gone.
    public static func writerNames(_ ids: [ProtocolID]) -> [String] {
        Set(ids).sorted().map { "wallet-backend-writer-" + CursorNames.history($0) }
    }

    /// The name of the lock that the Go tool's migration of a protocol's current state holds.
    public static func currentStateName(_ id: ProtocolID) -> String { "wallet-backend-current-state-" + id.rawValue }

    /// The name of the lock that live ingestion holds while it runs.
    public static func liveIngestionName(network: String) -> String { "wallet-backend-ingest-" + network }

    /// Takes the lock for this connection's session if no other session has it; throws `lockHeld`, naming the holder, if one has.
    ///
    /// Locks count: one that this session has already taken is taken once more.
    public static func acquire(_ name: String, on connection: PostgresConnection) async throws(StoreError) {
        try await connection.perform { session throws(StoreError) in
            let taken = try StoreError.wrapping { () throws(PostgresError) in
                try session.query("SELECT pg_try_advisory_lock($1) AS taken", [String(key(for: name))], label: "taking lock '\(name)'")
                    .first?["taken"]
            }
            guard taken == "t" else { throw .lockHeld(name: name, holders: try holders(of: name, in: session)) }
        }
    }

    /// Takes the lock, waiting for another session to let go of it; throws `lockHeld` after `limit` (whole milliseconds, at least one).
    /// - Parameter logger: gets a line about the sessions that it waits for.
    public static func acquire(
        _ name: String, waitingAtMost limit: Duration, on connection: PostgresConnection, logger: Logger
    ) async throws(StoreError) {
        do throws(StoreError) {
            return try await acquire(name, on: connection)
        } catch {
            guard case .lockHeld(_, let holders) = error else { throw error }
            logger.notice(
                "waiting for a session to end that holds a lock",
                metadata: [
                    "lock": "\(name)", "held_by": "\(holders.map(\.description).joined(separator: "; "))", "at_most": "\(limit)",
                ])
        }
        try await connection.perform { session throws(StoreError) in
            do throws(PostgresError) {
                try session.transaction(.readCommitted) { () throws(PostgresError) in
                    // lock_timeout 0 would mean no limit; its largest value is about 24 days.
                    let milliseconds = min(max(1, Int64(limit / .milliseconds(1))), Int64(Int32.max))
                    try session.query("SELECT set_config('lock_timeout', $1, true)", ["\(milliseconds)ms"])
                    // A session-level lock outlives the transaction, its timeout setting does not.
                    try session.query("SELECT pg_advisory_lock($1)", [String(key(for: name))], label: "waiting for lock '\(name)'")
                }
            } catch {
                guard error.kind == .lockNotAvailable else { throw .database(error) }
                throw .lockHeld(name: name, holders: try holders(of: name, in: session))
            }
        }
    }

    /// Lets go of the lock; returns false where this session did not hold it.
    @discardableResult
    public static func release(_ name: String, on connection: PostgresConnection) async throws(StoreError) -> Bool {
        try await connection.perform { session throws(StoreError) in
            try StoreError.wrapping { () throws(PostgresError) in
                try session.query("SELECT pg_advisory_unlock($1) AS held", [String(key(for: name))], label: "releasing lock '\(name)'")
                    .first?["held"] == "t"
            }
        }
    }

    /// Who holds the lock in this database.
    public static func holders(of name: String, on connection: PostgresConnection) async throws(StoreError) -> [LockHolder] {
        try await connection.perform { session throws(StoreError) in try holders(of: name, in: session) }
    }

    private static func holders(of name: String, in session: PostgresSession) throws(StoreError) -> [LockHolder] {
        try holders(ofEach: [name], in: session)[name] ?? []
    }

    /// Who holds which of the locks in this database; locks that nobody holds have no entry.
    static func holders(ofEach names: [String], in session: PostgresSession) throws(StoreError) -> [String: [LockHolder]] {
        let names = Dictionary(names.map { (key(for: $0), $0) }, uniquingKeysWith: { first, _ in first })
        let keys = "{" + names.keys.map { "\($0)" }.joined(separator: ",") + "}"
        let label = names.count == 1 ? "asking who holds lock '\(names.values.first ?? "")'" : "asking who holds which lock"
        return try StoreError.wrapping { () throws(PostgresError) in
            // A 64-bit key stands in pg_locks as two halves, with objsubid 1.
            let rows = try session.query(
                """
                SELECT wanted.key, l.pid, a.application_name, host(a.client_addr) AS client, date_trunc('second', a.backend_start)::text AS since
                FROM unnest($1::bigint[]) AS wanted(key)
                JOIN pg_locks l ON l.classid = ((wanted.key >> 32) & 4294967295)::oid AND l.objid = (wanted.key & 4294967295)::oid
                LEFT JOIN pg_stat_activity a ON a.pid = l.pid
                WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
                  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                ORDER BY l.pid
                """, [keys], label: label)
            var holders: [String: [LockHolder]] = [:]
            for row in rows {
                guard let name = names[try row.integer("key")] else { continue }
                holders[name, default: []].append(
                    LockHolder(
                        pid: try row.integer("pid"), applicationName: row["application_name"].flatMap { $0.isEmpty ? nil : $0 },
                        clientAddress: row["client"], connectedSince: row["since"]))
            }
            return holders
        }
    }
}

/// A session that holds a lock. What the server hides from this user, or does not know, is nil.
public struct LockHolder: Sendable, Hashable, CustomStringConvertible {
    /// The process id of its backend on the database server.
    public let pid: Int32
    /// What it calls itself.
    public let applicationName: String?
    /// Its address; nil for a session over the server's own socket.
    public let clientAddress: String?
    /// When it connected, as the server writes times.
    public let connectedSince: String?

    /// For messages.
    public var description: String {
        "\(applicationName ?? "an unnamed session") (server process \(pid), from \(clientAddress ?? "the server's own socket"), "
            + "connected since \(connectedSince ?? "unknown"))"
    }
}
