internal import CLibPQ
internal import Glibc

/// The synchronous side of a connection: lives on the connection's thread and is lent to the body of `PostgresConnection.perform`.
@safe public final class PostgresSession {
    /// Where the connection leads; its description hides passwords.
    public let address: ConnectionString
    /// The cancellation of the call that runs now.
    var cancelFlag: CancelFlag?
    /// The cancel request that is under way for the statement that runs now.
    var cancelRequest: DetachedCall<Void>?
    var handle: OpaquePointer?
    let waker: Waker
    let notices: NoticeSink

    init(address: ConnectionString, waker: Waker, onNotice: @escaping @Sendable (PostgresNotice) -> Void) {
        self.address = address
        self.waker = waker
        notices = NoticeSink(onNotice)
    }

    // PQfinish sends a farewell and closes the socket; on a non-blocking connection it does not wait.
    deinit { close() }

    func close() {
        unsafe PQfinish(handle)
        unsafe handle = nil
        cancelRequest = nil
    }

    /// Whether the connection still stands, as far as the last call could tell.
    public var isOpen: Bool { unsafe handle != nil && PQstatus(handle) == CONNECTION_OK }

    /// The process id of the server's backend, nil once the connection is closed.
    public var backendPID: Int32? { unsafe isOpen ? PQbackendPID(handle) : nil }

    /// Whether a transaction is open, be it failed already.
    public var isInTransaction: Bool {
        let status = unsafe PQtransactionStatus(handle)
        return status == PQTRANS_INTRANS || status == PQTRANS_INERROR
    }

    // MARK: statements

    /// Runs one statement with parameters `$1`, `$2`, ... (nil: NULL) and returns its rows; `label` stands for the statement in errors.
    @discardableResult
    public func query(_ sql: String, _ parameters: [String?] = [], label: String? = nil) throws(PostgresError) -> [PostgresRow] {
        let call = ServerCall.statement(label ?? sql.asAttempt)
        try refuseNUL(in: parameters + [sql], attempted: call.attempted)
        let values = unsafe parameters.map { parameter in unsafe parameter.flatMap { unsafe strdup($0) } }
        defer { unsafe values.forEach { unsafe free($0) } }
        let results = try unsafe run(call) { handle in
            let pointers = unsafe values.map { unsafe UnsafePointer($0) }
            return unsafe PQsendQueryParams(handle, sql, Int32(pointers.count), nil, pointers, nil, nil, 0)
        }
        return results.last?.rows ?? []
    }

    /// Runs one statement whose parameters and rows travel in PostgreSQL's binary format; for values that are large or many.
    public func binaryQuery(_ sql: String, _ parameters: [[UInt8]] = [], label: String? = nil) throws(PostgresError) -> BinaryRows {
        let call = ServerCall.statement(label ?? sql.asAttempt)
        try refuseNUL(in: [sql], attempted: call.attempted)
        // One block of all parameters, so that their addresses hold while libpq copies them.
        let block = parameters.flatMap { $0 }
        var starts: [Int] = []
        for parameter in parameters { starts.append((starts.last ?? 0) + parameter.count) }
        var rows: ServerResult?
        try unsafe run(
            call,
            send: { handle in
                unsafe block.withUnsafeBufferPointer { bytes in
                    // An empty array has no address, and no address is NULL.
                    let none: [CChar] = [0]
                    return unsafe none.withUnsafeBufferPointer { none in
                        let pointers: [UnsafePointer<CChar>?] = unsafe zip(parameters, starts).map { parameter, end in
                            guard !parameter.isEmpty, let base = bytes.baseAddress else { return none.baseAddress }
                            return unsafe UnsafeRawPointer(base + (end - parameter.count)).assumingMemoryBound(to: CChar.self)
                        }
                        return unsafe PQsendQueryParams(
                            handle, sql, Int32(parameters.count), nil, pointers, parameters.map { Int32($0.count) },
                            parameters.map { _ in 1 }, 1)
                    }
                }
            },
            taking: { result in rows = consume result })
        guard let rows = rows.take() else {
            throw PostgresError(kind: .other, message: "the server sent no result", attempted: call.attempted)
        }
        return BinaryRows(rows)
    }

    /// Runs several statements, separated by semicolons, in one round trip, and returns the rows of each.
    ///
    /// Outside of a transaction they are one transaction, as the simple query protocol has it.
    @discardableResult
    public func execute(_ script: String, label: String? = nil) throws(PostgresError) -> [[PostgresRow]] {
        let call = ServerCall.statement(label ?? script.asAttempt)
        try refuseNUL(in: [script], attempted: call.attempted)
        return try unsafe run(call) { handle in unsafe PQsendQuery(handle, script) }.map(\.rows)
    }

    /// A text as an SQL literal with its quotes, for statements that cannot take parameters.
    public func literal(_ text: String) throws(PostgresError) -> String {
        try refuseNUL(in: [text], attempted: "quoting a literal")
        guard let handle = unsafe handle, let quoted = unsafe PQescapeLiteral(handle, text, text.utf8.count) else {
            throw lost(attempted: "quoting a literal")
        }
        defer { unsafe PQfreemem(quoted) }
        return unsafe String(cString: quoted)
    }

    // MARK: transactions

    /// How a transaction reads, whether it may write, and what its commit waits for; said in full, since a database's defaults may differ.
    public enum TransactionMode: Sendable {
        /// Each statement sees what was committed before it. Whether the commit waits for the disk is the server's default.
        case readCommitted
        /// The same, and the commit waits for the disk, whatever the server's default.
        case durable
        /// The same, and the commit does not wait for the disk: after a crash of the server the last of them may be gone.
        case relaxed
        /// Every statement sees the state of the first one; nothing can be written.
        case snapshot

        fileprivate var statements: [String] {
            switch self {
            case .readCommitted: ["BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"]
            case .durable: Self.readCommitted.statements + ["SET LOCAL synchronous_commit = on"]
            case .relaxed: Self.readCommitted.statements + ["SET LOCAL synchronous_commit = off"]
            case .snapshot: ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"]
            }
        }
    }

    /// Begins a transaction and runs a script in it, all in one round trip; returns the rows of the script's statements.
    @discardableResult
    public func begin(_ mode: TransactionMode, running script: String = "", label: String? = nil) throws(PostgresError) -> [[PostgresRow]] {
        let begin = mode.statements.joined(separator: "; ")
        do throws(PostgresError) {
            let rows = try execute(script.isEmpty ? begin : begin + "; " + script, label: label ?? begin)
            return Array(rows.dropFirst(mode.statements.count))
        } catch {
            var error = error
            // A standby does not begin a transaction that may write: "feature not supported", says PostgreSQL. Nothing else here is of that kind.
            if error.sqlState == "0A000", mode != .snapshot { error.kind = .readOnlyServer }
            throw error
        }
    }

    /// Runs a body inside a transaction: COMMIT when it returns, ROLLBACK when it throws.
    public func transaction<Value, Failure: Error>(
        _ mode: TransactionMode, rethrowing wrap: (PostgresError) -> Failure, _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        do throws(Failure) {
            do throws(PostgresError) { try begin(mode) } catch { throw wrap(error) }
            let value = try body()
            do throws(PostgresError) { try commit() } catch { throw wrap(error) }
            return value
        } catch {
            rollbackIfOpen()
            throw error
        }
    }

    /// Runs a body that only talks to the database inside a transaction.
    public func transaction<Value>(_ mode: TransactionMode, _ body: () throws(PostgresError) -> Value) throws(PostgresError) -> Value {
        try transaction(mode, rethrowing: { $0 }, body)
    }

    /// Commits the open transaction. The server is never asked to cancel it, since its outcome would then be in doubt; but when the task is cancelled
    /// and the server does not respond, the connection is closed after a few seconds.
    ///
    /// Throws with `commitOutcomeUnknown` where the connection was lost or closed after COMMIT was sent, and where the server rolled back instead (it
    /// does so when an earlier statement of the transaction had failed).
    public func commit(label: String = "COMMIT") throws(PostgresError) {
        let wasOpen = isOpen
        let results: [StatementResult]
        do throws(PostgresError) {
            results = try unsafe run(.commit(label)) { unsafe PQsendQuery($0, "COMMIT") }
        } catch {
            var error = error
            error.commitOutcomeUnknown = wasOpen && error.kind == .connectionLost
            throw error
        }
        guard results.last?.commandTag == "COMMIT" else {
            throw PostgresError(
                kind: .other, message: "the server rolled the transaction back: one of its statements had failed", attempted: label)
        }
    }

    /// Rolls the open transaction back. Does nothing where none is open.
    ///
    /// Nothing is thrown: if it fails, or takes too long after a cancellation, the connection is closed, and the server rolls back by itself.
    public func rollbackIfOpen() {
        guard isOpen, isInTransaction else { return }
        do throws(PostgresError) {
            try unsafe run(.rollback) { unsafe PQsendQuery($0, "ROLLBACK") }
        } catch {
            close()
        }
    }

    // MARK: results

    /// What one statement gave.
    struct StatementResult {
        let rows: [PostgresRow]
        let commandTag: String
        let affectedRows: Int?
    }

    /// Sends something and collects all results of it; the server's first error is thrown after the last result, when the session is free again.
    @discardableResult
    func run(_ call: ServerCall, send: (OpaquePointer) -> Int32) throws(PostgresError) -> [StatementResult] {
        var results: [StatementResult] = []
        try unsafe run(
            call, send: send,
            taking: { result in
                results.append(StatementResult(rows: result.rows, commandTag: result.commandTag, affectedRows: result.affectedRows))
            })
        return results
    }

    /// The same, with each result handed over as it is.
    func run(
        _ call: ServerCall, send: (OpaquePointer) -> Int32, taking take: (consuming ServerResult) -> Void
    ) throws(PostgresError) {
        guard let handle = unsafe handle, isOpen else { throw lost(attempted: call.attempted) }
        if call.isCancellable { try refuseIfCancelled(call.attempted) }
        guard unsafe send(handle) == 1 else { throw failure(attempted: call.attempted) }
        try collect(call, taking: take)
    }

    func collect(_ call: ServerCall, taking take: (consuming ServerResult) -> Void) throws(PostgresError) {
        var first: PostgresError?
        while let result = try nextResult(call) {
            if let error = result.error(attempted: call.attempted) {
                first = first ?? error
            } else if isCopy(result.status) {
                close()
                throw PostgresError(
                    kind: .other, message: "a COPY from or to the client has a call of its own; connection closed",
                    attempted: call.attempted)
            } else {
                take(result)
            }
        }
        try finishCancelRequest(call)
        if let first { throw adjusted(first, call) }
        guard isOpen else { throw lost(attempted: call.attempted) }
    }

    private func isCopy(_ status: ExecStatusType) -> Bool {
        status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH
    }

    func refuseIfCancelled(_ attempted: String) throws(PostgresError) {
        guard cancelFlag?.cancelledAt != nil else { return }
        throw PostgresError(kind: .cancelled, message: "the task was cancelled", attempted: attempted)
    }

    /// What a server's error means here: after the loss of the connection that comes first, whatever SQLSTATE came with it; and a statement that was
    /// cancelled is our own doing only where the task was.
    func adjusted(_ error: PostgresError, _ call: ServerCall) -> PostgresError {
        var error = error
        if !isOpen {
            error.kind = .connectionLost
        } else if error.kind == .statementCancelled, call.isCancellable, cancelFlag?.cancelledAt != nil {
            error.kind = .cancelled
        }
        return error
    }

    /// libpq's own complaint when it could not send or read.
    func failure(attempted: String) -> PostgresError {
        let message = unsafe handle.map { unsafe String(cString: PQerrorMessage($0)).trimmed } ?? ""
        return PostgresError(
            kind: isOpen ? .other : .connectionLost, message: message.isEmpty ? "the connection to \(address) broke" : message,
            attempted: attempted)
    }

    func lost(attempted: String) -> PostgresError {
        let message = unsafe handle == nil ? "the connection to \(address) is closed" : "the connection to \(address) broke"
        return PostgresError(kind: .connectionLost, message: message, attempted: attempted)
    }

    private func refuseNUL(in texts: [String?], attempted: String) throws(PostgresError) {
        guard texts.allSatisfy({ $0?.utf8.contains(0) != true }) else {
            throw PostgresError(kind: .other, message: "a text holds a NUL character, which PostgreSQL cannot store", attempted: attempted)
        }
    }
}

extension String {
    /// A statement as errors show it: on one line and not endless.
    var asAttempt: String {
        let line = trimmed
        return line.count <= 200 ? line : line.prefix(200) + "..."
    }
}
