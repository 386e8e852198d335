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
            takenAway(contract, kind, "clawback", from, amount, admin: to)
        default:
            let until = random.uint32()
            head(of: contract, kind, topics: 3)
            out.symbol("approve")
            out.address(from)
            out.address(to)
            if random.chance(50) {
                strictMap(amount, until: until)
            } else {
                out.vector(2)
                out.i128(amount)
                out.u32(until)
            }
            if let contract {
                sink.add(
                    ExpectedRow(
                        protocolName: .sep41, category: "ALLOWANCE", reason: "UPDATE", account: from, token: contract,
                        amount: "\(amount)", spender: to, keyValue: "{\"live_until_ledger\": \(until)}"))
            }
        }
    }

    private mutating func takenAway(
        _ contract: Bytes32?, _ kind: Kind, _ name: String, _ from: Party, _ amount: Int128, admin: Party? = nil
    ) {
        head(of: contract, kind, topics: admin == nil ? 2 : 3)
        out.symbol(name)
        if let admin { out.address(admin) }
        out.address(from)
        if random.chance(50) { strictMap(amount) } else { out.i128(amount) }
        balance(contract, "BURN", from, amount)
    }

    /// The map form of burn, clawback and, with `until`, approve: in any order, and now and then with a key more, whose value does not matter.
    private mutating func strictMap(_ amount: Int128, until: UInt32? = nil) {
        var fields: [(name: String, write: (inout XDRWriter) -> Void)] = [("amount", { $0.i128(amount) })]
        if let until { fields.append(("live_until_ledger", { $0.u32(until) })) }
        if random.chance(30) { fields.append(("to_muxed_id", { $0.u64(7) })) }
        if random.chance(10) { fields.append(("amounts", { $0.void() })) }
        if random.chance(50) { fields.reverse() }
        out.map(fields.count)
        for field in fields {
            out.symbol(field.name)
            field.write(&out)
        }
    }

    /// An event whose map is not as strict as it must be, in one way or another: it gives no row.
    mutating func brokenMap(of contract: Bytes32) {
        let approves = random.chance(40)
        head(of: contract, topics: approves ? 3 : 2)
        out.symbol(approves ? "approve" : "burn")
        out.address(party())
        if approves { out.address(party()) }
        let fault = random.below(6)
        out.map((approves ? 2 : 1) + (fault == 0 ? 0 : fault < 4 ? 1 : 0))
        switch fault {
        case 0:  // a field misses
            out.symbol("Amount")
            out.i128(5)
        case 1:  // a field occurs twice
            for _ in 0..<2 {
                out.symbol("amount")
                out.i128(5)
            }
        case 2:  // a key is no symbol
            out.text("note")
            out.void()
            out.symbol("amount")
            out.i128(5)
        case 3:  // a field's key also as text
            out.symbol("amount")
            out.i128(5)
            out.text("amount")
            out.i128(5)
        case 4:  // a field of another type
            out.symbol("amount")
            out.u64(5)
        default:  // a field's key is no symbol
            out.text("amount")
            out.i128(5)
        }
        if approves {
            out.symbol("live_until_ledger")
            out.u32(5)
        }
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
