internal import CLibPQ

extension PostgresSession {
    /// How a transaction reads and whether it may write; said in full, since a database's defaults may differ.
    public enum TransactionMode: String, Sendable {
        /// Each statement sees what was committed before it.
        case readCommitted = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
        /// Every statement sees the state of the first one; nothing can be written.
        case snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

        /// The statement that begins such a transaction, without semicolon.
        public var beginStatement: String { rawValue }
    }

    /// Runs a body inside a transaction: COMMIT when it returns, ROLLBACK when it throws.
    public func transaction<Value, Failure: Error>(
        _ mode: TransactionMode, rethrowing wrap: (PostgresError) -> Failure, _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        do throws(PostgresError) { try query(mode.beginStatement) } catch { throw wrap(error) }
        do throws(Failure) {
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

    /// Commits the open transaction; never cancelled, since its outcome would then be in doubt.
    ///
    /// Throws with `commitOutcomeUnknown` where the connection broke after COMMIT was sent, and where the server rolled back instead (it does so
    /// when an earlier statement of the transaction had failed).
    public func commit(label: String = "COMMIT") throws(PostgresError) {
        let wasOpen = isOpen
        let answers: [Answer]
        do throws(PostgresError) {
            answers = try run(label, cancellable: false) { PQsendQuery($0, "COMMIT") }
        } catch {
            var error = error
            error.commitOutcomeUnknown = wasOpen && error.kind == .connectionLost
            throw error
        }
        guard answers.last?.commandTag == "COMMIT" else {
            throw PostgresError(
                kind: .other, message: "the server rolled the transaction back: one of its statements had failed", attempted: label)
        }
    }

    /// Rolls the open transaction back; never cancelled. Does nothing where none is open.
    ///
    /// Nothing is thrown: if it fails, the connection is gone, and the server rolls back by itself.
    public func rollbackIfOpen() {
        guard isOpen, isInTransaction else { return }
        do throws(PostgresError) {
            try run("ROLLBACK", cancellable: false) { PQsendQuery($0, "ROLLBACK") }
        } catch {
            close()
        }
    }
}
