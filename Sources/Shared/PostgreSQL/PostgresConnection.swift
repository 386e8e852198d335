/// One connection to PostgreSQL with a thread of its own: libpq's blocking calls never run on the cooperative pool.
///
/// Calls run one after another. A task that is cancelled while its call runs has the server cancel the statement, and gets an error of kind
/// `cancelled`; COMMIT and ROLLBACK are never cancelled. A server that does not respond to that within a few seconds is not waited for: the connection
/// is closed. Dropping the last reference closes the connection and ends the thread.
public actor PostgresConnection {
    private let thread: ConnectionThread
    private let waker: Waker
    private let session: PostgresSession

    /// The connection's own thread.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

    private init(to address: ConnectionString, onNotice: @escaping @Sendable (PostgresNotice) -> Void) throws(PostgresError) {
        waker = try Waker()
        session = PostgresSession(address: address, waker: waker, onNotice: onNotice)
        thread = ConnectionThread(name: "postgres")
    }

    deinit { thread.stop() }

    /// Opens a connection.
    ///
    /// `applicationName` is what `pg_stat_activity` shows, unless the connection string names another. Where the string does not say otherwise,
    /// an attempt takes at most 10 s per host, and a dead peer is noticed within about a minute. Notices of the server go to `onNotice`, on the
    /// connection's thread. Throws `connectFailed` with the address (no password), or `cancelled`.
    public static func connect(
        _ address: ConnectionString, applicationName: String, onNotice: @escaping @Sendable (PostgresNotice) -> Void = { _ in }
    ) async throws(PostgresError) -> PostgresConnection {
        let connection = try PostgresConnection(to: address, onNotice: onNotice)
        try await connection.perform { session throws(PostgresError) in try session.open(applicationName: applicationName) }
        return connection
    }

    /// Runs a body on the connection's thread: as many statements as it likes for one hop there.
    ///
    /// The session must not leave the body. If the body throws inside a transaction, that is rolled back.
    public func perform<Value: Sendable, Failure: Error>(
        _ body: @Sendable (PostgresSession) throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let flag = CancelFlag(waker: waker)
        let outcome = await withTaskCancellationHandler {
            run(body, cancelledBy: flag)
        } onCancel: {
            flag.cancel()
        }
        return try outcome.get()
    }

    private func run<Value, Failure: Error>(
        _ body: (PostgresSession) throws(Failure) -> Value, cancelledBy flag: CancelFlag
    ) -> Result<Value, Failure> {
        session.cancelFlag = flag
        defer { session.cancelFlag = nil }
        do throws(Failure) {
            return .success(try body(session))
        } catch {
            session.rollbackIfOpen()
            return .failure(error)
        }
    }

    /// Runs one statement with parameters `$1`, `$2`, ... (nil: NULL) and returns its rows; `label` stands for the statement in errors.
    @discardableResult
    public func query(_ sql: String, _ parameters: [String?] = [], label: String? = nil) async throws(PostgresError) -> [PostgresRow] {
        try await perform { session throws(PostgresError) in try session.query(sql, parameters, label: label) }
    }

    /// Runs several statements, separated by semicolons, and returns the rows of each.
    @discardableResult
    public func execute(_ script: String, label: String? = nil) async throws(PostgresError) -> [[PostgresRow]] {
        try await perform { session throws(PostgresError) in try session.execute(script, label: label) }
    }

    /// Runs a `COPY ... FROM STDIN` with the chunks as its data, as they are, and returns the number of rows that the server stored.
    @discardableResult
    public func copyIn(_ sql: String, _ chunks: some Sequence<[UInt8]> & Sendable, label: String? = nil) async throws(PostgresError) -> Int
    {
        try await perform { session throws(PostgresError) in
            try session.copyIn(sql, label: label) { copy throws(PostgresError) in
                for chunk in chunks { try unsafe copy.write(chunk.span.bytes) }
            }
        }
    }

    /// The process id of the server's backend for this connection, nil once the connection is closed.
    public var backendPID: Int32? { session.backendPID }

    /// Whether the connection still stands, as far as the last call could tell.
    public var isOpen: Bool { session.isOpen }

    /// Ends the connection; locks of the session are released by that. Later calls fail with `connectionLost`.
    public func close() {
        session.close()
    }
}
