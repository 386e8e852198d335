public import StateChanges
public import StellarXDR

/// Takes the state changes of one protocol, event by event, and gives each its place and id.
public struct StateChangeEmitter: Sendable {
    private(set) var encoder = StateChangeEncoder()

    private let stateChangeIDBase: Int64
    /// Nil before the first event of a ledger.
    private var position: StateChangeEncoder.Position?
    private var ordinal: Int64 = 0
    private var keyValue = KeyValueText()
    private var ledgerMark: Mark
    private var eventMark: Mark

    private struct Mark {
        let encoder: StateChangeEncoder.Mark
        let ordinal: Int64
    }

    init(stateChangeIDBase: Int64) {
        self.stateChangeIDBase = stateChangeIDBase
        let start = Mark(encoder: encoder.mark, ordinal: 0)
        ledgerMark = start
        eventMark = start
    }

    /// Writes the `key_value` of the rows that this event emits from here on. Rows of an event that does not call it have none.
    public mutating func setKeyValue(_ body: (inout KeyValueText) -> Void) {
        keyValue.write(body)
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
        // A processor is only ever called with an event begun.
        guard let position else { return }
        ordinal += 1
        encoder.append(
            category, reason, at: position, id: stateChangeIDBase + ordinal, account: account, token: token, amount: amount,
            spender: spender, keyValue: keyValue, toMuxedID: toMuxedID)
    }

    /// Remembers where a ledger begins, for ``dropLedger()``.
    mutating func beginLedger() {
        ledgerMark = mark
        position = nil
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
        guard let createdAt = StateChangeTuple.timestamp(closeTime: event.closeTime) else { return .closeTime(event.closeTime) }
        if operationID != position?.operationID {
            ordinal = 0
            position = StateChangeEncoder.Position(ledger: event.ledger, createdAt: createdAt, toID: toID, operationID: operationID)
        }
        keyValue.clear()
        eventMark = mark
        return nil
    }

    /// Drops the rows of the event at hand.
    mutating func dropEvent() {
        rollback(to: eventMark)
    }

    private var mark: Mark { Mark(encoder: encoder.mark, ordinal: ordinal) }

    private mutating func rollback(to mark: Mark) {
        encoder.rollback(to: mark.encoder)
        ordinal = mark.ordinal
    }

    /// Hands the rows out and begins anew.
    mutating func takeTuples() -> [UInt8] { encoder.take() }
}
