public import StateChanges
public import StellarXDR

/// Which contracts are tracked under which protocols: a hash table that is asked once an event, mostly in vain.
///
/// The contracts themselves stay where ``ContractSet`` has them; the table adds 8 to 16 bytes a contract.
public struct TrackedContracts: Sendable {
    /// The protocols, in ascending order; ``forEachProtocol(of:_:)`` speaks of their indices.
    public let protocols: [ProtocolID]
    /// How many pairs of protocol and contract there are.
    public let count: Int

    /// The set's array: the contracts of all pairs one after another, from an offset on.
    private let encoded: [UInt8]
    private let idsOffset: Int
    /// For each protocol the number of pairs up to its last one.
    private let ends: [Int]
    /// A power of two of slots, at most half of them taken: 0 in a free one, else 1 + the number of a pair. A pair lies in the first
    /// slot that was free from its hash on.
    private let slots: [UInt32]
    private let shift: UInt64
    /// Random and odd: contract ids are SHA-256 hashes, so their first word is hash enough, but whoever deploys contracts can choose among
    /// many ids. Without knowing the factor nobody can choose ids that share slots.
    private let factor: UInt64

    /// Takes the contracts of a set.
    public init(_ set: ContractSet) {
        var bits: UInt64 = 1
        while 1 << bits < set.count * 2 { bits += 1 }
        let shift = 64 - bits
        let factor = UInt64.random(in: .min ... .max) | 1
        var slots = [UInt32](repeating: 0, count: 1 << bits)
        for pair in 0..<set.count {
            var position = Int((set.contract(pair).words.0 &* factor) >> shift)
            while slots[position] != 0 { position = (position + 1) & (slots.count - 1) }
            // 2^32 pairs would be 137 GB.
            slots[position] = UInt32(truncatingIfNeeded: pair + 1)
        }
        protocols = set.protocols
        count = set.count
        encoded = set.encoded
        idsOffset = set.idsOffset
        ends = set.ends
        self.slots = slots
        self.shift = shift
        self.factor = factor
    }

    /// Takes the contracts of each protocol; a contract may stand several times, and under several protocols.
    public init(_ contracts: [ProtocolID: [Hash32]]) {
        self.init(ContractSet(contracts))
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
        while slots[position] != 0 {
            let pair = Int(slots[position]) - 1
            if unsafe encoded.span.bytes.contract(at: idsOffset + pair * 32) == contract {
                var index = 0
                while pair >= ends[index] { index += 1 }
                body(index)
            }
            position = (position + 1) & (slots.count - 1)
        }
    }
}
