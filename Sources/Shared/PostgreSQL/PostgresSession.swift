internal import CLibPQ
internal import Glibc

/// The synchronous side of a connection: lives on the connection's thread and is lent to the body of `PostgresConnection.perform`.
public final class PostgresSession {
    /// Where the connection leads; its description hides passwords.
    public let address: ConnectionString
    /// The cancellation of the call that runs now.
    var cancelFlag: CancelFlag?
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
        PQfinish(handle)
        handle = nil
    }

    /// Whether the connection still stands, as far as the last call could tell.
    public var isOpen: Bool { handle != nil && PQstatus(handle) == CONNECTION_OK }

    /// The process id of the server's backend, nil once the connection is closed.
    public var backendPID: Int32? { isOpen ? PQbackendPID(handle) : nil }

    /// Whether a transaction is open, be it failed already.
    public var isInTransaction: Bool {
        let status = PQtransactionStatus(handle)
        return status == PQTRANS_INTRANS || status == PQTRANS_INERROR
    }

    /// Runs one statement with parameters `$1`, `$2`, ... (nil: NULL) and gives its rows; `label` stands for the statement in errors.
    @discardableResult
    public func query(_ sql: String, _ parameters: [String?] = [], label: String? = nil) throws(PostgresError) -> [PostgresRow] {
        let attempted = label ?? sql.asAttempt
        try refuseNUL(in: parameters + [sql], attempted: attempted)
        let values = parameters.map { parameter in parameter.flatMap { strdup($0) } }
        defer { for value in values { free(value) } }
        let answers = try run(attempted) { handle in
            let pointers = values.map { UnsafePointer($0) }
            return PQsendQueryParams(handle, sql, Int32(pointers.count), nil, pointers, nil, nil, 0)
        }
        return answers.last?.rows ?? []
    }

    /// Runs several statements, separated by semicolons, in one round trip, and gives the rows of each.
    ///
    /// Outside of a transaction they are one transaction, as the simple query protocol has it.
    @discardableResult
    public func execute(_ script: String, label: String? = nil) throws(PostgresError) -> [[PostgresRow]] {
        let attempted = label ?? script.asAttempt
        try refuseNUL(in: [script], attempted: attempted)
        return try run(attempted) { handle in PQsendQuery(handle, script) }.map(\.rows)
    }

    /// A text as an SQL literal with its quotes, for statements that cannot take parameters.
    public func literal(_ text: String) throws(PostgresError) -> String {
        try refuseNUL(in: [text], attempted: "quoting a literal")
        guard let handle, let quoted = PQescapeLiteral(handle, text, text.utf8.count) else {
            throw lost(attempted: "quoting a literal")
        }
        defer { PQfreemem(quoted) }
        return String(cString: quoted)
    }

    /// What one statement gave.
    struct Answer {
        let rows: [PostgresRow]
        let commandTag: String
        let affectedRows: Int?
    }

    /// Sends something and collects all answers to it; the first error of the server is thrown after the last answer, when the session is free again.
    @discardableResult
    func run(_ attempted: String, cancellable: Bool = true, send: (OpaquePointer) -> Int32) throws(PostgresError) -> [Answer] {
        guard let handle, PQstatus(handle) == CONNECTION_OK else { throw lost(attempted: attempted) }
        if cancellable, cancelFlag?.isCancelled == true {
            throw PostgresError(kind: .cancelled, message: "the task was cancelled", attempted: attempted)
        }
        guard send(handle) == 1 else { throw failure(attempted: attempted) }
        return try collect(attempted, cancellable: cancellable)
    }

    func collect(_ attempted: String, cancellable: Bool) throws(PostgresError) -> [Answer] {
        var answers: [Answer] = []
        var first: PostgresError?
        while let result = try nextResult(attempted, cancellable: cancellable) {
            if let error = result.error(attempted: attempted) {
                first = first ?? error
            } else if isCopy(result.status) {
                close()
                throw PostgresError(
                    kind: .other, message: "a COPY from or to the client has a call of its own; connection closed", attempted: attempted)
            } else {
                answers.append(Answer(rows: result.rows, commandTag: result.commandTag, affectedRows: result.affectedRows))
            }
        }
        if let first { throw adjusted(first) }
        guard PQstatus(handle) == CONNECTION_OK else { throw lost(attempted: attempted) }
        return answers
    }

    private func isCopy(_ status: ExecStatusType) -> Bool {
        status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH
    }

    /// An error after which the connection is no more tells that first, whatever SQLSTATE came with it.
    func adjusted(_ error: PostgresError) -> PostgresError {
        guard !isOpen else { return error }
        var error = error
        error.kind = .connectionLost
        return error
    }

    /// libpq's own complaint when it could not send or read.
    func failure(attempted: String) -> PostgresError {
        let message = handle.map { String(cString: PQerrorMessage($0)).trimmed } ?? ""
        return PostgresError(
            kind: isOpen ? .other : .connectionLost, message: message.isEmpty ? "the connection to \(address) broke" : message,
            attempted: attempted)
    }

    func lost(attempted: String) -> PostgresError {
        let message = handle == nil ? "the connection to \(address) is closed" : "the connection to \(address) broke"
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
