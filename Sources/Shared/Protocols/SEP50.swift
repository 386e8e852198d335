public import StateChanges
import StellarXDR

/// Non-fungible tokens (SEP-50): transfer, mint, burn, consecutive_mint, approve, approve_for_all.
public struct SEP50: ProtocolProcessor {
    /// `SEP50`.
    public var id: ProtocolID { "SEP50" }
    /// 3 << 40.
    public var stateChangeIDBase: Int64 { 3 << 40 }

    private static let one = DecimalText(1 as UInt64)

    /// There is nothing to set.
    public init() {}

    /// Emits the balance and allowance changes of one event.
    public func process(_ event: TrackedEvent, into changes: inout StateChangeEmitter) throws(IgnoredReason) {
        switch event.name {
        case "transfer": try transfer(event, &changes)
        case "mint": try single(event, .mint, &changes)
        case "burn": try single(event, .burn, &changes)
        case "consecutive_mint": try consecutiveMint(event, &changes)
        case "approve": try approve(event, &changes)
        case "approve_for_all": try approveForAll(event, &changes)
        default: throw .unknownName
        }
    }

    /// Topics from, to; data: token_id.
    private func transfer(_ event: TrackedEvent, _ changes: inout StateChangeEmitter) throws(IgnoredReason) {
        var arguments = try event.arguments(2)
        let from = try arguments.address()
        let to = try arguments.address()
        let tokenID = try onlyTokenID(event.data)
        changes.setKeyValue { $0.add("token_id", text: tokenID) }
        changes.emit(.balance, .debit, account: from, token: event.contract, amount: Self.one)
        changes.emit(.balance, .credit, account: to, token: event.contract, amount: Self.one)
    }

    /// A mint or a burn. Topics: whose token it is; data: token_id.
    private func single(
        _ event: TrackedEvent, _ reason: StateChangeReason, _ changes: inout StateChangeEmitter
    ) throws(IgnoredReason) {
        var arguments = try event.arguments(1)
        let account = try arguments.address()
        let tokenID = try onlyTokenID(event.data)
        changes.setKeyValue { $0.add("token_id", text: tokenID) }
        changes.emit(.balance, reason, account: account, token: event.contract, amount: Self.one)
    }

    /// Topics to; data: from_token_id, to_token_id.
    private func consecutiveMint(_ event: TrackedEvent, _ changes: inout StateChangeEmitter) throws(IgnoredReason) {
        var arguments = try event.arguments(1)
        let to = try arguments.address()
        guard let first = tokenID(try field(0, "from_token_id", of: event.data)),
            let last = tokenID(try field(1, "to_token_id", of: event.data))
        else { throw .dataShape }
        guard let count = DecimalText(countFrom: first, through: last) else { throw .reversedRange }
        changes.setKeyValue {
            $0.add("from_token_id", text: DecimalText(first))
            $0.add("to_token_id", text: DecimalText(last))
        }
        changes.emit(.balance, .mint, account: to, token: event.contract, amount: count)
    }

    /// Topics approver, token_id; data: approved, live_until_ledger.
    private func approve(_ event: TrackedEvent, _ changes: inout StateChangeEmitter) throws(IgnoredReason) {
        var arguments = try event.arguments(2)
        let approver = try arguments.address()
        guard let tokenID = tokenID(try arguments.value()) else { throw .topicType }
        guard let approved = try field(0, "approved", of: event.data).address,
            let until = try field(1, "live_until_ledger", of: event.data).u32
        else { throw .dataShape }
        changes.setKeyValue {
            $0.add("token_id", text: DecimalText(tokenID))
            $0.add("live_until_ledger", number: until)
        }
        changes.emit(.allowance, .update, account: approver, token: event.contract, amount: Self.one, spender: approved)
    }

    /// Topics owner; data: operator, live_until_ledger.
    private func approveForAll(_ event: TrackedEvent, _ changes: inout StateChangeEmitter) throws(IgnoredReason) {
        var arguments = try event.arguments(1)
        let owner = try arguments.address()
        guard let approved = try field(0, "operator", of: event.data).address,
            let until = try field(1, "live_until_ledger", of: event.data).u32
        else { throw .dataShape }
        changes.setKeyValue { $0.add("live_until_ledger", number: until) }
        changes.emit(.allowance, .update, account: owner, token: event.contract, amount: nil, spender: approved)
    }

    /// Data that is one token id: the bare value, a vec of it, or a map.
    private func onlyTokenID(_ data: SCValueView) throws(IgnoredReason) -> DecimalText {
        let id: UInt256?
        if let vector = data.vector {
            guard vector.count == 1, let value = vector.first else { throw .dataShape }
            id = tokenID(value)
        } else if let map = data.map {
            guard let value = map["token_id"] else { throw .dataShape }
            id = tokenID(value)
        } else {
            id = tokenID(data)
        }
        guard let id else { throw .dataShape }
        return DecimalText(id)
    }

    /// The field at a place in data that is a vec of exactly two fields, or of a name in data that is a map.
    @_lifetime(copy data)
    private func field(_ index: Int, _ name: StaticString, of data: SCValueView) throws(IgnoredReason) -> SCValueView {
        if let vector = data.vector {
            guard vector.count == 2, let value = vector[index] else { throw .dataShape }
            return value
        }
        guard let map = data.map, let value = map[name] else { throw .dataShape }
        return value
    }

    /// A token id: an integer of any type that cannot be, or is not, negative. Which contract uses which is up to it.
    private func tokenID(_ value: SCValueView) -> UInt256? {
        switch value.type {
        case .u32: value.u32.map { UInt256(UInt128($0)) }
        case .u64: value.u64.map { UInt256(UInt128($0)) }
        case .u128: value.u128.map { UInt256($0) }
        case .i128: value.i128.flatMap { UInt128(exactly: $0) }.map { UInt256($0) }
        case .u256: value.u256
        default: nil
        }
    }
}
