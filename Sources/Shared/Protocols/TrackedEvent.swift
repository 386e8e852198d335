public import StellarXDR

/// An event that counts (type CONTRACT, body version 0, topic 0 a symbol), of a tracked contract. It cannot outlive the ledger's bytes.
public struct TrackedEvent: ~Escapable {
    /// The contract.
    public let contract: Hash32
    /// Topic 0.
    public let name: SCSymbolView
    /// The data.
    public let data: SCValueView
    /// How many topics come after the name.
    public let argumentCount: Int

    private let topics: SCValueList

    /// - Throws: why the event does not count.
    @_lifetime(copy event)
    init(_ event: borrowing ContractEvent, of contract: Hash32) throws(IgnoredReason) {
        guard event.type == .contract else { throw .notContractType }
        guard event.bodyVersion == 0 else { throw .bodyVersion }
        guard let name = event.topics.first?.symbol else { throw .noName }
        self.contract = contract
        self.name = name
        data = event.data
        topics = event.topics
        argumentCount = event.topics.count - 1
    }

    /// The topics after the name, to be taken one after another.
    /// - Throws: ``IgnoredReason/topicCount`` if there are not exactly so many.
    @_lifetime(copy self)
    public func arguments(_ count: Int) throws(IgnoredReason) -> Arguments {
        guard argumentCount == count else { throw .topicCount }
        var values = topics.makeIterator()
        _ = values.next()
        return Arguments(values: values)
    }

    /// Topics that are taken one after another.
    public struct Arguments: ~Escapable {
        fileprivate var values: SCValueList.Iterator

        @_lifetime(copy values)
        fileprivate init(values: SCValueList.Iterator) { self.values = values }

        /// The next topic.
        /// - Throws: ``IgnoredReason/topicCount`` if there is none.
        @_lifetime(copy self)
        public mutating func value() throws(IgnoredReason) -> SCValueView {
            guard let value = values.next() else { throw .topicCount }
            return value
        }

        /// The next topic, an address.
        /// - Throws: ``IgnoredReason/topicType`` if it is none.
        public mutating func address() throws(IgnoredReason) -> SCAddressView {
            guard let address = try value().address else { throw .topicType }
            return address
        }
    }
}
