internal import CLibPQ

/// Bytes that a COPY can send from where they are.
public protocol CopyChunk: Sendable {
    /// Writes all bytes to the stream.
    func write(to stream: inout PostgresSession.CopyStream) throws(PostgresError)
}

extension [UInt8]: CopyChunk {
    /// Writes all bytes to the stream, from the array's own storage.
    public func write(to stream: inout PostgresSession.CopyStream) throws(PostgresError) {
        try unsafe stream.write(span.bytes)
    }
}

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
            guard let handle = unsafe session.handle else { throw session.lost(attempted: attempted) }
            try session.refuseIfCancelled(attempted)
            let accepted = unsafe slice.withUnsafeBytes { bytes in
                unsafe PQputCopyData(handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
            }
            guard accepted == 1 else {
                endedByServer = true
                return
            }
            var unsent = unsafe PQflush(handle)
            while unsent == 1 {
                try session.waitForSocket(writable: true, attempted)
                try session.refuseIfCancelled(attempted)
                unsent = unsafe PQflush(handle)
            }
            if unsent < 0 { endedByServer = true }
        }
    }

    /// Runs a `COPY ... FROM STDIN`, has `body` write its data, and returns the number of rows that the server stored.
    ///
    /// The bytes go from the caller's memory into libpq's send buffer, with no copy between. If `body` throws, the COPY fails on the server too
    /// (which fails an open transaction), and the body's error is thrown.
    @discardableResult
    public func copyIn(
        _ sql: String, label: String? = nil, _ body: (inout CopyStream) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        let attempted = label ?? sql.asAttempt
        try startCopy(sql, .statement(attempted))
        var stream = CopyStream(session: self, attempted: attempted)
        do throws(PostgresError) {
            try body(&stream)
        } catch {
            abandonCopy(attempted)
            throw error
        }
        if let handle = unsafe handle, !stream.endedByServer { unsafe PQputCopyEnd(handle, nil) }
        var stored: Int?
        try collect(.statement(attempted)) { stored = $0.affectedRows }
        guard let stored else {
            throw PostgresError(kind: .other, message: "the server did not say how many rows it stored", attempted: attempted)
        }
        return stored
    }

    private func startCopy(_ sql: String, _ call: ServerCall) throws(PostgresError) {
        guard let handle = unsafe handle, isOpen else { throw lost(attempted: call.attempted) }
        try refuseIfCancelled(call.attempted)
        guard unsafe PQsendQuery(handle, sql) == 1 else { throw failure(attempted: call.attempted) }
        guard let result = try nextResult(call) else { throw failure(attempted: call.attempted) }
        guard result.status != PGRES_COPY_IN else { return }
        let first = result.error(attempted: call.attempted)
        try collect(call) { _ in }
        throw first.map { adjusted($0, call) }
            ?? PostgresError(kind: .other, message: "the statement is not a COPY ... FROM STDIN", attempted: call.attempted)
    }

    /// Ends a COPY whose data stopped short, so that the session can go on; a result that cannot be had means that the connection is gone.
    private func abandonCopy(_ attempted: String) {
        guard let handle = unsafe handle, isOpen else { return }
        unsafe PQputCopyEnd(handle, "the client gave up")
        do throws(PostgresError) {
            // Cancellable: where the task was cancelled, the server may be waiting for a lock and not read that the client gave up.
            try collect(.statement(attempted)) { _ in }
        } catch {
            // The server's error is the one that was asked for; the caller has the reason.
        }
    }
}
