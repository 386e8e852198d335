/// Turns the events of the contracts of one protocol into state changes.
///
/// A processor keeps nothing between events: what it emits depends on the event alone, so that a ledger gives the same rows on every run.
public protocol ProtocolProcessor: Sendable {
    /// The protocol.
    var id: ProtocolID { get }

    /// What the ordinal of a state change is added to; a multiple of 2^40 that no other protocol has, frozen for good.
    var stateChangeIDBase: Int64 { get }

    /// Emits the state changes of one event.
    ///
    /// - Parameters:
    ///   - event: an event of a contract that is tracked under this protocol.
    ///   - changes: takes the state changes, in their order.
    /// - Throws: why the event has none. What was emitted before is dropped.
    func process(_ event: TrackedEvent, into changes: inout StateChangeEmitter) throws(IgnoredReason)
}
