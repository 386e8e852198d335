public import StellarXDR

/// Which contracts are tracked under which protocols: a hash table that is asked once an event, mostly in vain.
public struct TrackedContracts: Sendable {
    /// The protocols, in ascending order; ``forEachProtocol(of:_:)`` speaks of their indices.
    public let protocols: [ProtocolID]
    /// How many pairs of protocol and contract there are.
    public let count: Int

    private struct Slot: Sendable {
        var contract: Hash32
        /// Index of the protocol; -1 in a free slot.
        var protocolIndex: Int
    }

    /// A power of two of slots, at most half of them taken. A pair lies in the first slot that was free from its hash on.
    private let slots: [Slot]
    private let shift: UInt64
    /// Random and odd: contract ids are SHA-256 hashes, so their first word is hash enough, but whoever deploys contracts can choose among
    /// many ids. Without knowing the factor nobody can choose ids that share slots.
    private let factor: UInt64

    /// Takes the contracts of each protocol; a contract may stand several times, and under several protocols.
    public init(_ contracts: [ProtocolID: [Hash32]]) {
        protocols = contracts.keys.sorted()
        let upperBound = contracts.values.reduce(0) { $0 + $1.count }
        var bits: UInt64 = 1
        while 1 << bits < upperBound * 2 { bits += 1 }
        shift = 64 - bits
        factor = UInt64.random(in: .min ... .max) | 1
        var slots = [Slot](repeating: Slot(contract: Hash32(words: (0, 0, 0, 0)), protocolIndex: -1), count: 1 << bits)
        var count = 0
        for (index, id) in protocols.enumerated() {
            for contract in contracts[id] ?? [] {
                var position = Int((contract.words.0 &* factor) >> shift)
                while slots[position].protocolIndex >= 0 {
                    if slots[position].protocolIndex == index, slots[position].contract == contract { break }
                    position = (position + 1) & (slots.count - 1)
                }
                if slots[position].protocolIndex < 0 {
                    slots[position] = Slot(contract: contract, protocolIndex: index)
                    count += 1
                }
            }
        }
        self.slots = slots
        self.count = count
    }

    /// The protocols under which a contract is tracked.
    public subscript(contract: Hash32) -> [ProtocolID] {
        var found: [ProtocolID] = []
        forEachProtocol(of: contract) { found.append(protocols[$0]) }
        return found.sorted()
    }

    /// Calls back with the index in ``protocols`` of each protocol under which a contract is tracked.
    @inline(__always)
    func forEachProtocol(of contract: Hash32, _ body: (Int) -> Void) {
        var position = Int((contract.words.0 &* factor) >> shift)
        // Half of the slots are free: the loop ends.
        while slots[position].protocolIndex >= 0 {
            if slots[position].contract == contract { body(slots[position].protocolIndex) }
            position = (position + 1) & (slots.count - 1)
        }
    }
}
