public import StateChanges
import StellarXDR

/// Fungible tokens (SEP-41): transfer, mint, burn, clawback, approve.
///
/// Asset contracts have one topic more in most of their events; these are not SEP-41's and give no rows.
public struct SEP41: ProtocolProcessor {
    /// `SEP41`.
    public var id: ProtocolID { "SEP41" }
    /// 1 << 40.
    public var stateChangeIDBase: Int64 { 1 << 40 }

    /// There is nothing to set.
    public init() {}

    /// Emits the balance and allowance changes of one event.
    public func process(_ event: TrackedEvent, into changes: inout StateChangeEmitter) throws(IgnoredReason) {
        switch event.name {
        case "transfer": try transfer(event, &changes)
        case "mint": try mint(event, &changes)
        case "burn": try burn(event, from: event.arguments(1), &changes)
        case "clawback": try burn(event, from: afterAdmin(event), &changes)
        case "approve": try approve(event, &changes)
        default: throw .unknownName
        }
    }

    /// Topics from, to; data: a payment.
    private func transfer(_ event: TrackedEvent, _ changes: inout StateChangeEmitter) throws(IgnoredReason) {
        var arguments = try event.arguments(2)
        let from = try arguments.address()
        let to = try arguments.address()
        let payment = try Payment(event.data)
        changes.emit(.balance, .debit, account: from, token: event.contract, amount: payment.amount)
        changes.emit(.balance, .credit, account: to, token: event.contract, amount: payment.amount, toMuxedID: payment.toMuxedID)
    }

    /// Topics to, or admin, to; data: a payment.
    private func mint(_ event: TrackedEvent, _ changes: inout StateChangeEmitter) throws(IgnoredReason) {
        var arguments = try afterAdmin(event)
        let to = try arguments.address()
        let payment = try Payment(event.data)
        changes.emit(.balance, .mint, account: to, token: event.contract, amount: payment.amount, toMuxedID: payment.toMuxedID)
    }

    /// The next topic is from; data: i128, or a strict map with amount.
    private func burn(
        _ event: TrackedEvent, from arguments: TrackedEvent.Arguments, _ changes: inout StateChangeEmitter
    ) throws(IgnoredReason) {
        var arguments = arguments
        let from = try arguments.address()
        let amount: Int128? = event.data.type == .map ? try strictMap(event.data)["amount"]?.i128 : event.data.i128
        guard let amount else { throw .dataShape }
        changes.emit(.balance, .burn, account: from, token: event.contract, amount: DecimalText(amount))
    }

    /// Topics from, spender; data: vec of exactly i128 and u32, or a strict map with amount and live_until_ledger.
    private func approve(_ event: TrackedEvent, _ changes: inout StateChangeEmitter) throws(IgnoredReason) {
        var arguments = try event.arguments(2)
        let from = try arguments.address()
        let spender = try arguments.address()
        let fields: (amount: Int128?, until: UInt32?)
        if let vector = event.data.vector {
            guard vector.count == 2 else { throw .dataShape }
            fields = (vector[0]?.i128, vector[1]?.u32)
        } else {
            let map = try strictMap(event.data)
            fields = (map["amount"]?.i128, map["live_until_ledger"]?.u32)
        }
        guard let amount = fields.amount, let until = fields.until else { throw .dataShape }
        changes.setKeyValue { $0.add("live_until_ledger", number: until) }
        changes.emit(.allowance, .update, account: from, token: event.contract, amount: DecimalText(amount), spender: spender)
    }

    /// Data that is a map of which every key is a symbol and occurs once, as the host makes it.
    @_lifetime(copy data)
    private func strictMap(_ data: SCValueView) throws(IgnoredReason) -> SCMapView {
        guard let map = data.map, map.keysAreDistinctSymbols else { throw .dataShape }
        return map
    }

    /// The topics behind an admin, who may be left out: one, or two of which the first is an address.
    @_lifetime(copy event)
    private func afterAdmin(_ event: TrackedEvent) throws(IgnoredReason) -> TrackedEvent.Arguments {
        if event.argumentCount == 1 { return try event.arguments(1) }
        var arguments = try event.arguments(2)
        _ = try arguments.address()
        return arguments
    }
}

/// The data of a transfer or mint: i128, or a map with an amount and perhaps the receiver's id of the payer (CAP-67).
private struct Payment {
    let amount: DecimalText
    let toMuxedID: UInt64?

    init(_ data: SCValueView) throws(IgnoredReason) {
        if let amount = data.i128 {
            self.amount = DecimalText(amount)
            toMuxedID = nil
        } else {
            guard let map = data.map, let amount = map["amount"]?.i128 else { throw .dataShape }
            self.amount = DecimalText(amount)
            // CAP-67 allows text and hashes too, for which there is no column.
            toMuxedID = map["to_muxed_id"]?.u64
        }
    }
}
