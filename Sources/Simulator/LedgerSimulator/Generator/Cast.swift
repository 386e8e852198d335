/// The contracts and accounts that a seed stands for.
struct Cast: Sendable {
    /// Contracts that follow SEP-41 and are tracked.
    let sep41: [Bytes32]
    /// Contracts that follow SEP-50 and are tracked.
    let sep50: [Bytes32]
    /// Contracts that nobody tracks, with events of the same shapes.
    let untracked: [Bytes32]
    private let seed: UInt64
    private static let accountCount = 10_000

    init(seed: UInt64) {
        self.seed = seed
        var random = SplitMix64(seed: seed, 0x636F_6E74)
        sep41 = (0..<5).map { _ in random.bytes32() }
        sep50 = (0..<3).map { _ in random.bytes32() }
        untracked = (0..<3).map { _ in random.bytes32() }
    }

    /// Some account's public key.
    func account(_ random: inout SplitMix64) -> Bytes32 {
        var stream = SplitMix64(seed: seed, 0x6163_6374, UInt64(random.below(Self.accountCount)))
        return stream.bytes32()
    }

    /// An account or, fifteen times of a hundred, a contract; with `rare`, now and then one of the other kinds of address.
    func party(_ random: inout SplitMix64, rare: Bool) -> Party {
        if rare, random.chance(10) {
            switch random.below(3) {
            case 0: return .muxed(id: random.next(), key: account(&random))
            case 1: return .claimableBalance(random.bytes32())
            default: return .liquidityPool(random.bytes32())
            }
        }
        return random.chance(15) ? .contract(random.element(of: sep41)) : .account(account(&random))
    }

    /// `{"SEP41": [hex, ...], "SEP50": [hex, ...]}`
    var json: String {
        func list(_ contracts: [Bytes32]) -> String { contracts.map { "  \"\($0.hex)\"" }.joined(separator: ",\n") }
        return "{\n \"SEP41\": [\n\(list(sep41))\n ],\n \"SEP50\": [\n\(list(sep50))\n ]\n}"
    }
}
