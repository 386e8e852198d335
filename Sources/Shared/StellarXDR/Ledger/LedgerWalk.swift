/// What a walk through a ledger found.
public struct LedgerWalk: Sendable {
    /// The ledger's header.
    public let header: LedgerHeader

    /// Transactions of the ledger, the failed ones included.
    public let transactionCount: Int

    /// Contract events that count, those for which the walk called back.
    public let eventCount: Int
}
