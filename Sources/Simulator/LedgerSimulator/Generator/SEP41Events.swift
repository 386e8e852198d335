extension EventMaker {
    /// An event of SEP-41 (fungible tokens, with the muxed destinations of CAP-67).
    mutating func sep41(_ contract: Bytes32?, _ kind: Kind = .contract) {
        let from = party()
        let to = party()
        let amount = amount()
        switch random.below(12) {
        case 0...5:
            head(of: contract, kind, topics: 3)
            out.symbol("transfer")
            out.address(from)
            out.address(to)
            let muxedID = transferData(amount)
            balance(contract, "DEBIT", from, amount)
            balance(contract, "CREDIT", to, amount, muxedID)
        case 6:
            head(of: contract, kind, topics: 2)
            out.symbol("mint")
            out.address(to)
            balance(contract, "MINT", to, amount, transferData(amount))
        case 7:
            head(of: contract, kind, topics: 3)
            out.symbol("mint")
            out.address(from)
            out.address(to)
            balance(contract, "MINT", to, amount, transferData(amount))
        case 8:
            takenAway(contract, kind, "burn", from, amount)
        case 9:
            takenAway(contract, kind, "clawback", from, amount)
        case 10:
            head(of: contract, kind, topics: 3)
            out.symbol("clawback")
            out.address(to)
            out.address(from)
            out.i128(amount)
            balance(contract, "BURN", from, amount)
        default:
            let until = random.uint32()
            head(of: contract, kind, topics: 3)
            out.symbol("approve")
            out.address(from)
            out.address(to)
            out.vector(2)
            out.i128(amount)
            out.u32(until)
            if let contract {
                sink.add(
                    ExpectedRow(
                        protocolName: .sep41, category: "ALLOWANCE", reason: "UPDATE", account: from, token: contract,
                        amount: "\(amount)", spender: to, keyValue: "{\"live_until_ledger\": \(until)}"))
            }
        }
    }

    private mutating func takenAway(_ contract: Bytes32?, _ kind: Kind, _ name: String, _ from: Party, _ amount: Int128) {
        head(of: contract, kind, topics: 2)
        out.symbol(name)
        out.address(from)
        out.i128(amount)
        balance(contract, "BURN", from, amount)
    }

    /// The amount alone, or a map with the amount and a muxed id; returns the id where it is one that gets into the row.
    private mutating func transferData(_ amount: Int128) -> UInt64? {
        guard random.chance(35) else {
            out.i128(amount)
            return nil
        }
        let hasNumber = random.chance(70)
        let id = random.next()
        out.map(2)
        out.symbol("amount")
        out.i128(amount)
        out.symbol("to_muxed_id")
        if hasNumber { out.u64(id) } else { out.text("memo") }
        return hasNumber ? id : nil
    }

    private mutating func balance(
        _ contract: Bytes32?, _ reason: String, _ account: Party, _ amount: Int128, _ muxedID: UInt64? = nil
    ) {
        guard let contract else { return }
        sink.add(
            ExpectedRow(
                protocolName: .sep41, category: "BALANCE", reason: reason, account: account, token: contract, amount: "\(amount)",
                muxedID: muxedID.map { "\($0)" }))
    }
}
