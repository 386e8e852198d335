/// Why a call to PostgreSQL failed: what was attempted, what the server or libpq said, and of which kind it is.
///
/// Neither passwords nor query arguments are ever part of it.
public struct PostgresError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What a caller can decide on.
    public enum Kind: Sendable, Hashable {
        /// The connection string cannot be read.
        case invalidConnectionString
        /// No connection could be made.
        case connectFailed
        /// The connection broke, or was closed, before or while the call ran.
        case connectionLost
        /// The calling task was cancelled.
        case cancelled
        /// 57014 that nobody here asked for: an administrator's `pg_cancel_backend`, a `statement_timeout` of the server, database or role.
        case statementCancelled
        /// 40001: the transaction collided with another one; repeating it may succeed.
        case serializationFailure
        /// 40P01: the server chose this transaction as a deadlock's victim; repeating it may succeed.
        case deadlock
        /// 55P03: a lock was not to be had within `lock_timeout`.
        case lockNotAvailable
        /// 53xxx: the disk is full, memory or connections are used up; the message says which.
        case resourcesExhausted
        /// 58000, 58030: the server's operating system failed it, as when reading or writing a file.
        case systemError
        /// The server takes no writes: a standby, or a primary that has become one (25006, or no transaction that may write begins).
        case readOnlyServer
        /// 42P01: a table does not exist.
        case undefinedTable
        /// 23505: a row with this key is already there.
        case uniqueViolation
        /// COPY stored another number of rows than it was to expect.
        case rowCountMismatch
        /// Anything else: `sqlState` tells more.
        case other
    }

    /// What a caller can decide on.
    public var kind: Kind
    /// The five characters of SQLSTATE, where the server gave them (libpq hides them for failed connection attempts).
    public var sqlState: String?
    /// The primary message of the server or of libpq.
    public var message: String
    /// The server's second line: often the key that collided or the processes of a deadlock.
    public var detail: String?
    /// The server's advice.
    public var hint: String?
    /// What was attempted: the statement or the label that the caller gave for it; for connections, the address without password.
    public var attempted: String
    /// A COMMIT was on its way when the connection broke: whether it took effect can only be read from the database.
    public var commitOutcomeUnknown = false
    /// The server refused the connection for a reason that another attempt will not change (password, missing database or role).
    public var refusedForGood = false

    /// Makes an error of a kind that no server message stands behind.
    public init(kind: Kind, message: String, attempted: String) {
        self.kind = kind
        self.message = message
        self.attempted = attempted
    }

    /// Whether repeating the same transaction on the same connection may succeed (deadlock, serialization failure).
    public var isTransient: Bool { kind == .deadlock || kind == .serializationFailure }

    /// Whether the connection is gone: the next call needs a new one.
    public var isConnectionGone: Bool { kind == .connectionLost || kind == .connectFailed }

    /// Whether the next call needs a new connection: this one is gone, or leads to a server that takes no writes (any more).
    public var needsNewConnection: Bool { isConnectionGone || kind == .readOnlyServer }

    /// Whether the same transaction may succeed later, on this or (see `needsNewConnection`) a new connection, with nobody changing anything here:
    /// collisions, lost connections, cancellations and time-outs of the server's own, a full disk, a failover.
    public var mayPass: Bool {
        switch kind {
        case .connectionLost, .statementCancelled, .serializationFailure, .deadlock, .lockNotAvailable, .resourcesExhausted, .systemError,
            .readOnlyServer:
            true
        case .connectFailed: !refusedForGood
        case .invalidConnectionString, .cancelled, .undefinedTable, .uniqueViolation, .rowCountMismatch, .other: false
        }
    }

    /// One line: what was attempted, SQLSTATE, message, detail, hint.
    public var description: String {
        var text = attempted + ": " + message
        if let sqlState { text += " (SQLSTATE \(sqlState))" }
        if let detail { text += "; detail: " + detail }
        if let hint { text += "; hint: " + hint }
        if commitOutcomeUnknown { text += "; a COMMIT was on its way: whether it took effect must be read from the database" }
        return text
    }

    static func invalidConnectionString(_ why: String) -> PostgresError {
        PostgresError(kind: .invalidConnectionString, message: why, attempted: "reading the database's connection string")
    }

    /// The kind that belongs to a SQLSTATE.
    static func kind(ofSQLState state: String) -> Kind {
        switch state {
        case "40001": .serializationFailure
        case "40P01": .deadlock
        case "55P03": .lockNotAvailable
        case "42P01": .undefinedTable
        case "23505": .uniqueViolation
        case "57014": .statementCancelled
        case "25006": .readOnlyServer
        case "58000", "58030": .systemError
        // Class 08 is broken connections; 57P0x are shutdowns, crashes and timeouts that end the session, as does 25P03.
        case "57P01", "57P02", "57P03", "57P04", "57P05", "25P03": .connectionLost
        case _ where state.hasPrefix("08"): .connectionLost
        case _ where state.hasPrefix("53"): .resourcesExhausted
        default: .other
        }
    }
}
