/// Makes contract events and, at the same moment, the rows that they must become.
struct EventMaker {
    var random: SplitMix64
    let cast: Cast
    let rareAddresses: Bool
    var out = XDRWriter(capacity: 8192)
    var sink: RowSink

    /// `ContractEventType` of Stellar-ledger.x.
    enum Kind: Int32 {
        case system = 0
        case contract = 1
    }

    /// Everything of a `ContractEvent` up to its topics; topics and data follow.
    mutating func head(of contract: Bytes32?, _ kind: Kind = .contract, topics: Int) {
        out.uint32(0)
        out.bool(contract != nil)
        if let contract { out.fixed(contract) }
        out.int32(kind.rawValue)
        out.uint32(0)
        out.count(topics)
    }

    /// One event: mostly of a tracked contract and well-formed, else of a kind that must give no row.
    mutating func event() {
        switch random.below(100) {
        case ..<5: malformed(random.element(of: cast.sep41))
        case ..<15:
            let contract = random.element(of: cast.untracked)
            unnoticed { $0.sep41(contract) }
        case ..<17:
            let contract = random.element(of: cast.sep41)
            unnoticed { $0.sep41(contract, .system) }
        case ..<18: unnoticed { $0.sep41(nil) }
        case ..<70: sep41(random.element(of: cast.sep41))
        default: sep50(random.element(of: cast.sep50))
        }
    }

    /// Runs `body` with no row noted.
    mutating func unnoticed(_ body: (inout EventMaker) -> Void) {
        let kept = sink
        sink = RowSink(wanted: false)
        body(&self)
        sink = kept
    }

    mutating func party() -> Party { cast.party(&random, rare: rareAddresses) }

    mutating func amount() -> Int128 {
        guard random.chance(30) else { return Int128(1 + random.below(1_000_000_000_000)) }
        switch random.below(9) {
        case 0: return 0
        case 1: return 1
        case 2: return 7
        case 3: return 10_000_000
        case 4: return Int128(random.below(1_000_000_000_000_000))
        case 5: return Int128(random.next()) << 36 | 1 << 64
        case 6: return .max
        case 7: return -5
        default: return .min
        }
    }

    /// Events of tracked contracts that give no row and must not stop the ledger.
    private mutating func malformed(_ contract: Bytes32) {
        let from = party()
        let to = party()
        let amount = amount()
        func transfer(_ maker: inout EventMaker, topics: Int = 3) {
            maker.head(of: contract, topics: topics)
            maker.out.symbol("transfer")
            maker.out.address(from)
            if topics > 2 { maker.out.address(to) }
        }
        switch random.below(9) {
        case 0:  // four topics: the shape of asset contracts
            transfer(&self, topics: 4)
            out.text("USDC:GA5ZSEJYB37JRC5AVCIA5MOP4RHTM335X2KGX3IHOJAPP5RE34K4KZVN")
            out.i128(amount)
        case 1:
            transfer(&self, topics: 2)
            out.i128(amount)
        case 2:
            transfer(&self)
            out.void()
        case 3:
            transfer(&self)
            out.map(1)
            out.symbol("to_muxed_id")
            out.u64(1)
        case 4:
            head(of: contract, topics: 3)
            out.symbol("approve")
            out.address(from)
            out.address(to)
            out.vector(1)
            out.i128(amount)
        case 5:
            head(of: contract, topics: 0)
            out.i128(amount)
        case 6, 7: brokenMap(of: contract)
        default:
            head(of: contract, topics: 2)
            out.symbol("price_update")
            out.address(from)
            out.vector(0)
        }
    }
}
