internal import CLibPQ

extension PostgresSession {
    /// The data side of a running `COPY ... FROM STDIN`.
    public struct CopyStream: ~Copyable {
        fileprivate let session: PostgresSession
        fileprivate let attempted: String
        /// The server has ended the COPY: its error waits to be read, and what is still written is dropped.
        fileprivate var endedByServer = false

        /// What is handed to libpq at a time. libpq buffers a whole message before it sends: this bounds its buffer.
        private static let sliceLength = 128 * 1024

        /// Sends bytes as they are; row boundaries need not be kept. Waits while the server takes no more.
        public mutating func write(_ bytes: RawSpan) throws(PostgresError) {
            var start = 0
            while start < bytes.byteCount, !endedByServer {
                let end = min(start + Self.sliceLength, bytes.byteCount)
                try send(bytes.extracting(start..<end))
                start = end
            }
        }

        private mutating func send(_ slice: RawSpan) throws(PostgresError) {
            guard let handle = session.handle else { throw session.lost(attempted: attempted) }
            if session.cancelFlag?.isCancelled == true {
                throw PostgresError(kind: .cancelled, message: "the task was cancelled", attempted: attempted)
            }
            let accepted = slice.withUnsafeBytes { bytes in
                PQputCopyData(handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
            }
            guard accepted == 1 else {
                endedByServer = true
                return
            }
            var unsent = PQflush(handle)
            while unsent == 1 {
                try session.waitForSocket(writable: true, attempted)
                if session.cancelFlag?.isCancelled == true {
                    throw PostgresError(kind: .cancelled, message: "the task was cancelled", attempted: attempted)
                }
                unsent = PQflush(handle)
            }
            if unsent < 0 { endedByServer = true }
        }
    }

    /// Runs a `COPY ... FROM STDIN`, has `body` write its data, and gives the number of rows that the server stored.
    ///
    /// The bytes go from the caller's memory into libpq's send buffer, with no copy between. If `body` throws, the COPY fails on the server too
    /// (which fails an open transaction), and the body's error is thrown.
    @discardableResult
    public func copyIn(
        _ sql: String, label: String? = nil, _ body: (inout CopyStream) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        let attempted = label ?? sql.asAttempt
        try startCopy(sql, attempted)
        var stream = CopyStream(session: self, attempted: attempted)
        do throws(PostgresError) {
            try body(&stream)
        } catch {
            abandonCopy(attempted)
            throw error
        }
        if let handle, !stream.endedByServer { PQputCopyEnd(handle, nil) }
        let answers = try collect(attempted, cancellable: true)
        guard let stored = answers.last?.affectedRows else {
            throw PostgresError(kind: .other, message: "the server did not say how many rows it stored", attempted: attempted)
        }
        return stored
    }

    private func startCopy(_ sql: String, _ attempted: String) throws(PostgresError) {
        guard let handle, isOpen else { throw lost(attempted: attempted) }
        if cancelFlag?.isCancelled == true {
            throw PostgresError(kind: .cancelled, message: "the task was cancelled", attempted: attempted)
        }
        guard PQsendQuery(handle, sql) == 1 else { throw failure(attempted: attempted) }
        guard let result = try nextResult(attempted, cancellable: true) else { throw failure(attempted: attempted) }
        guard result.status != PGRES_COPY_IN else { return }
        let first = result.error(attempted: attempted)
        _ = try collect(attempted, cancellable: true)
        throw first.map(adjusted)
            ?? PostgresError(kind: .other, message: "the statement is not a COPY ... FROM STDIN", attempted: attempted)
    }

    /// Ends a COPY whose data stopped short, so that the session can go on; an answer that cannot be had means that the connection is gone.
    private func abandonCopy(_ attempted: String) {
        guard let handle, isOpen else { return }
        PQputCopyEnd(handle, "the client gave up")
        do throws(PostgresError) {
            // Cancellable: where the task was cancelled, the server may be waiting for a lock and not read that the client gave up.
            _ = try collect(attempted, cancellable: true)
        } catch {
            // The server's error is the one that was asked for; the caller has the reason.
        }
    }
}
