public import StateChanges

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

/// The protocols that this build knows.
public enum ProtocolRegistry {
    /// One processor a protocol, in the order in which protocols are shown. A new protocol is a file of its own and a line here.
    public static let processors: [any ProtocolProcessor] = [
        SEP41(),
        SEP50(),
    ]

    /// The ids of all known protocols.
    public static var ids: [ProtocolID] { processors.map(\.id) }

    /// The range of `state_change_id` that each protocol has to itself: 2^40 numbers from its base on.
    public static var stateChangeIDs: [ProtocolID: Range<Int64>] {
        Dictionary(uniqueKeysWithValues: processors.map { ($0.id, $0.stateChangeIDBase..<($0.stateChangeIDBase + 1 << 40)) })
    }

    /// The processor of a protocol; nil if this build has none.
    public static func processor(for id: ProtocolID) -> (any ProtocolProcessor)? {
        processors.first { $0.id == id }
    }
}
