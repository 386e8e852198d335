public import PostgreSQL
public import Protocols

/// The rows of one protocol: COPY tuples in chunks, which need not end with a row.
public struct StateChangeRows: Sendable {
    /// The protocol.
    public let id: ProtocolID
    /// The number of tuples in all chunks together; COPY must store as many.
    public let rowCount: Int
    /// The tuples, in the form of `StateChangeTuple`, without header and trailer.
    public let chunks: [any CopyChunk]

    /// Rows for a commit.
    public init(_ id: ProtocolID, rowCount: Int, chunks: [any CopyChunk]) {
        self.id = id
        self.rowCount = rowCount
        self.chunks = chunks
    }
}

/// Stores the rows of one protocol in a transaction that is open.
struct StateChangeCopy {
    let ledgers: ClosedRange<UInt32>
    let rows: StateChangeRows

    private static let statement =
        "COPY state_changes (\(StateChangeTuple.columns.joined(separator: ", "))) FROM STDIN WITH (FORMAT binary)"
    /// Signature, flags and the length of the header's extension, as "Binary Format" in COPY's reference has it: 19 bytes.
    private static let header: [UInt8] = Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0x00] + [0, 0, 0, 0] + [0, 0, 0, 0]
    /// A field count of -1.
    private static let trailer: [UInt8] = [0xff, 0xff]

    /// Gives the number of rows stored. Throws `rowsAlreadyThere`, `rowCountMismatch` or `commitFailed`.
    func run(in session: PostgresSession) throws(StoreError) -> Int {
        guard rows.rowCount > 0 || !rows.chunks.isEmpty else { return 0 }
        let stored = try StoreError.wrapping({ StoreError(committing: ledgers, $0) }) { () throws(PostgresError) in
            try session.copyIn(Self.statement, label: "COPY of state changes of \(rows.id.rawValue)") { stream throws(PostgresError) in
                try stream.write(Self.header.span.bytes)
                for chunk in rows.chunks { try chunk.write(to: &stream) }
                try stream.write(Self.trailer.span.bytes)
            }
        }
        guard stored == rows.rowCount else {
            throw .rowCountMismatch(ledgers: ledgers, rows.id, expected: rows.rowCount, stored: stored)
        }
        return stored
    }
}

extension StoreError {
    /// What went wrong in a transaction that stores the state changes of ledgers.
    init(committing ledgers: ClosedRange<UInt32>, _ error: PostgresError) {
        self = error.kind == .uniqueViolation ? .rowsAlreadyThere(ledgers: ledgers, error) : .commitFailed(ledgers: ledgers, error)
    }
}
