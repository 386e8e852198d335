/// Bytes that a COPY can send from where they are.
public protocol CopyChunk: Sendable {
    /// Writes all bytes to the stream.
    func write(to stream: inout PostgresSession.CopyStream) throws(PostgresError)
}

extension [UInt8]: CopyChunk {
    /// Writes all bytes to the stream, from the array's own storage.
    public func write(to stream: inout PostgresSession.CopyStream) throws(PostgresError) {
        try stream.write(span.bytes)
    }
}
