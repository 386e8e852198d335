/// A state change that an event of a generated ledger must become, noted when the event is made.
struct ExpectedRow: Sendable, Equatable {
    /// The protocols whose events are made, with the base of their `state_change_id`s.
    enum ProtocolName: String, Sendable, CaseIterable {
        case sep41 = "SEP41"
        case sep50 = "SEP50"

        var stateChangeBase: Int64 {
            switch self {
            case .sep41: 1 << 40
            case .sep50: 3 << 40
            }
        }
    }

    let protocolName: ProtocolName
    let category: String
    let reason: String
    let account: Party
    let token: Bytes32
    var amount: String?
    var spender: Party?
    /// JSON text of the object.
    var keyValue: String?
    /// Decimal text.
    var muxedID: String?

    /// The line of expected.jsonl: keys sorted, addresses as strkeys, `ledger_created_at` in Unix seconds.
    func line(at position: Position, ordinal: Int) -> String {
        func quoted(_ text: String?) -> String { text.map { "\"\($0)\"" } ?? "null" }
        let toID = Int64(position.ledger) << 32 | Int64(position.transaction) << 12
        let fields = [
            ("account_id", quoted(account.strkey)), ("amount", quoted(amount)), ("key_value", keyValue ?? "null"),
            ("ledger_created_at", "\(position.closeTime)"), ("ledger_number", "\(position.ledger)"), ("operation_id", "\(toID | 1)"),
            ("protocol", quoted(protocolName.rawValue)), ("spender_account_id", quoted(spender?.strkey)),
            ("state_change_category", quoted(category)), ("state_change_id", "\(protocolName.stateChangeBase + Int64(ordinal))"),
            ("state_change_reason", quoted(reason)), ("to_id", "\(toID)"), ("to_muxed_id", quoted(muxedID)),
            ("token_id", quoted(Party.contract(token).strkey)),
        ]
        return "{" + fields.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
    }

    /// Where a contract invocation, always a transaction's first operation, is.
    struct Position: Sendable {
        let ledger: UInt32
        /// Unix seconds.
        let closeTime: UInt64
        /// Apply order, from 1.
        let transaction: Int
    }
}

/// Collects rows where somebody wants them; where nobody does, they are not even made.
struct RowSink {
    private(set) var rows: [ExpectedRow] = []
    private let isWanted: Bool

    init(wanted: Bool) { isWanted = wanted }

    mutating func add(_ row: @autoclosure () -> ExpectedRow) {
        if isWanted { rows.append(row()) }
    }
}
