/// The protocols that this build knows.
public enum ProtocolRegistry {
    /// One processor a protocol, in the order in which protocols are shown. A new protocol is a file of its own and a line here.
    public static let processors: [any ProtocolProcessor] = [
        SEP41(),
        SEP50(),
    ]

    /// The ids of all known protocols.
    public static var ids: [ProtocolID] { processors.map(\.id) }

    /// The processor of a protocol; nil if this build has none.
    public static func processor(for id: ProtocolID) -> (any ProtocolProcessor)? {
        processors.first { $0.id == id }
    }
}
