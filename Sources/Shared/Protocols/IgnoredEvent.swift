public import StateChanges
public import StellarXDR

/// Why an event of a tracked contract gives no state change.
public enum IgnoredReason: Int, Error, CaseIterable, Sendable, CustomStringConvertible {
    /// The event's type is SYSTEM or DIAGNOSTIC.
    case notContractType
    /// The event's body has a version other than 0.
    case bodyVersion
    /// There are no topics, or the first one is no symbol.
    case noName
    /// The protocol has no event of this name.
    case unknownName
    /// The event of this name has another number of topics.
    case topicCount
    /// A topic has another type than it should.
    case topicType
    /// The data has another shape or type than it should, or misses a field.
    case dataShape
    /// The last of a range comes before its first.
    case reversedRange

    /// The reason in a few words.
    public var description: String {
        switch self {
        case .notContractType: "not of type CONTRACT"
        case .bodyVersion: "unknown body version"
        case .noName: "topic 0 is no symbol"
        case .unknownName: "no event of this protocol"
        case .topicCount: "wrong number of topics"
        case .topicType: "topic of a wrong type"
        case .dataShape: "data of a wrong shape"
        case .reversedRange: "range ends before it begins"
        }
    }
}

/// An event of a tracked contract that gave no state change.
public struct IgnoredEvent: Hashable, Sendable {
    /// The protocol under which the contract is tracked.
    public let protocolID: ProtocolID
    /// Sequence of the ledger.
    public let ledger: UInt32
    /// Number of the transaction, from 1.
    public let transaction: Int
    /// Number of the operation, from 1.
    public let operation: Int
    /// The contract.
    public let contract: Hash32
    /// Why.
    public let reason: IgnoredReason

    /// Makes an event of its parts.
    public init(protocolID: ProtocolID, ledger: UInt32, transaction: Int, operation: Int, contract: Hash32, reason: IgnoredReason) {
        self.protocolID = protocolID
        self.ledger = ledger
        self.transaction = transaction
        self.operation = operation
        self.contract = contract
        self.reason = reason
    }

    /// What a log line tells of it.
    public var fields: [String: String] {
        [
            "protocol": protocolID.rawValue, "ledger": "\(ledger)", "transaction": "\(transaction)", "operation": "\(operation)",
            "contract": contract.hex, "reason": "\(reason)",
        ]
    }
}

/// How many events of one protocol's contracts were met, over the life of a ``LedgerProcessor``. Ledgers that failed do not count.
public struct EventCounts: Hashable, Sendable {
    /// Events of tracked contracts.
    public internal(set) var tracked = 0
    private var ignoredByReason = [Int](repeating: 0, count: IgnoredReason.allCases.count)

    /// Those of them that gave no state change for a reason.
    public subscript(reason: IgnoredReason) -> Int { ignoredByReason[reason.rawValue] }

    /// Those of them that gave no state change.
    public var ignored: Int { ignoredByReason.reduce(0, +) }

    mutating func count(_ reason: IgnoredReason) { ignoredByReason[reason.rawValue] += 1 }
}
