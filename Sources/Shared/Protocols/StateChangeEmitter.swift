public import StellarXDR

/// Takes the state changes of one protocol and encodes each at once as a row for COPY (``StateChangeTuple``).
public struct StateChangeEmitter: Sendable {
    /// How many rows there are.
    public private(set) var rowCount = 0
    /// The rows.
    public private(set) var tuples: [UInt8] = []

    /// How many bytes were taken last: the next will be about as many.
    private var expectedByteCount = 0
    private let stateChangeIDBase: Int64
    private var position = Position()
    private var ordinal: Int64 = 0
    private var keyValue = KeyValueText()
    private var hasKeyValue = false
    private var ledgerMark = Mark()
    private var eventMark = Mark()
    private let templates = KindTemplate.all

    /// Where the event at hand stands, as the columns say it.
    struct Position: Sendable {
        var ledger: UInt32 = 0
        /// Microseconds since 2000-01-01.
        var createdAt: Int64 = 0
        var toID: Int64 = 0
        /// 0 before the first event: no operation has this id.
        var operationID: Int64 = 0
    }

    init(stateChangeIDBase: Int64) {
        self.stateChangeIDBase = stateChangeIDBase
    }

    /// Writes the `key_value` of the rows that this event emits from here on. Rows of an event that calls it not have none.
    public mutating func setKeyValue(_ body: (inout KeyValueText) -> Void) {
        keyValue.write(body)
        hasKeyValue = true
    }

    /// Adds a row; ledger, operation and id are those of the event at hand.
    ///
    /// - Parameters:
    ///   - category: what the change is about.
    ///   - reason: what happened.
    ///   - account: who it happened to.
    ///   - token: the contract of the token.
    ///   - amount: how much, exact and unscaled.
    ///   - spender: who may spend.
    ///   - toMuxedID: the id that the receiver gave out for this payer.
    public mutating func emit(
        _ category: StateChangeCategory, _ reason: StateChangeReason, account: SCAddressView, token: Hash32, amount: DecimalText?,
        spender: SCAddressView? = nil, toMuxedID: UInt64? = nil
    ) {
        ordinal += 1
        rowCount += 1
        let muxedID = toMuxedID.map { DecimalText($0) }
        let template = templates[KindTemplate.index(category, reason)]
        let length =
            StateChangeTuple.fixedLength + template.count + (amount?.utf8Count ?? 0) + (spender == nil ? 0 : 33)
            + (hasKeyValue ? keyValue.bytes.count : 0) + (muxedID?.utf8Count ?? 0)
        // Growing step by step would copy every row; what is reserved but never written to takes no memory.
        if tuples.isEmpty { tuples.reserveCapacity(expectedByteCount) }
        tuples.append(addingCapacity: length) { (output: inout OutputSpan<UInt8>) in
            output.append(repeating: 0, count: length)
            var elements = output.mutableSpan
            var row = elements.mutableBytes
            var at = 0
            row.put(StateChangeTuple.columnCount, at: &at)
            row.putField(UInt64(bitPattern: position.toID), at: &at)
            row.putField(UInt64(bitPattern: position.operationID), at: &at)
            row.putField(UInt64(bitPattern: stateChangeIDBase + ordinal), at: &at)
            row.put(template, at: &at)
            row.putField(position.ledger, at: &at)
            row.putField(account, at: &at)
            row.putField(SCAddressView(kind: .contract, key: token), at: &at)
            row.putField(amount, at: &at)
            if let spender { row.putField(spender, at: &at) } else { row.putNull(at: &at) }
            if hasKeyValue { row.putField(keyValue.bytes, at: &at) } else { row.putNull(at: &at) }
            row.putField(muxedID, at: &at)
            row.putField(UInt64(bitPattern: position.createdAt), at: &at)
        }
    }

    /// Remembers where a ledger begins, for ``dropLedger()``.
    mutating func beginLedger() {
        ledgerMark = mark
        position = Position()
    }

    /// Drops the rows of the ledger at hand; it may be tried again.
    mutating func dropLedger() {
        rollback(to: ledgerMark)
    }

    /// Goes to an event. Ordinals count from 1 in each operation, over all its events.
    /// - Returns: what of the event the columns cannot hold, if so; then nothing has changed.
    mutating func beginEvent(_ event: ContractEvent) -> LedgerProcessingError.Cause? {
        guard let toID = OperationID.toID(ledger: event.ledger, transaction: event.transaction),
            let operationID = OperationID.operationID(ledger: event.ledger, transaction: event.transaction, operation: event.operation)
        else { return .numberTooBig(transaction: event.transaction, operation: event.operation) }
        guard event.closeTime <= Self.maxCloseTime else { return .closeTime(event.closeTime) }
        if operationID != position.operationID {
            ordinal = 0
            position = Position(
                ledger: event.ledger, createdAt: (Int64(event.closeTime) - Self.postgresEpoch) * 1_000_000, toID: toID,
                operationID: operationID)
        }
        hasKeyValue = false
        eventMark = mark
        return nil
    }

    /// Drops the rows of the event at hand.
    mutating func dropEvent() {
        rollback(to: eventMark)
    }

    /// 2000-01-01 in Unix seconds.
    private static let postgresEpoch: Int64 = 946_684_800
    /// 294276-12-31 in Unix seconds: beyond it PostgreSQL has no timestamps.
    private static let maxCloseTime: UInt64 = 9_224_318_015_999

    private struct Mark {
        var rowCount = 0
        var byteCount = 0
        var ordinal: Int64 = 0
    }

    private var mark: Mark { Mark(rowCount: rowCount, byteCount: tuples.count, ordinal: ordinal) }

    private mutating func rollback(to mark: Mark) {
        guard rowCount > mark.rowCount else { return }
        tuples.removeLast(tuples.count - mark.byteCount)
        rowCount = mark.rowCount
        ordinal = mark.ordinal
    }

    /// Hands the rows out and begins anew.
    mutating func takeTuples() -> [UInt8] {
        let taken = tuples
        expectedByteCount = taken.count
        tuples = []
        rowCount = 0
        return taken
    }
}
