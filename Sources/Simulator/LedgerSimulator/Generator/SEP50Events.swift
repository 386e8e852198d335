extension EventMaker {
    /// A token id in one of the integer types that SEP-50 contracts use.
    private enum TokenID {
        case u32(UInt32)
        case u64(UInt64)
        case u128(UInt128)
        case i128(Int128)
        /// A value whose decimal text is known: 2^256 - 1.
        case largest

        var text: String {
            switch self {
            case .u32(let value): "\(value)"
            case .u64(let value): "\(value)"
            case .u128(let value): "\(value)"
            case .i128(let value): "\(value)"
            case .largest: "115792089237316195423570985008687907853269984665640564039457584007913129639935"
            }
        }

        func write(to out: inout XDRWriter) {
            switch self {
            case .u32(let value): out.u32(value)
            case .u64(let value): out.u64(value)
            case .u128(let value): out.u128(value)
            case .i128(let value): out.i128(value)
            case .largest: out.u256(high: .max, low: .max)
            }
        }
    }

    private mutating func tokenID() -> TokenID {
        let number = random.next() >> 33
        switch random.below(10) {
        case 0...3: return .u32(UInt32(truncatingIfNeeded: number))
        case 4...5: return .u64(number << 20)
        case 6...7: return .u128(UInt128(number) << 70 | UInt128(number))
        case 8: return .i128(Int128(number))
        default: return .largest
        }
    }

    /// An event of SEP-50 (non-fungible tokens).
    mutating func sep50(_ contract: Bytes32) {
        let first = party()
        let second = party()
        let token = tokenID()
        func owned() -> String { "{\"token_id\": \"\(token.text)\"}" }
        switch random.below(8) {
        case 0...2:
            head(of: contract, topics: 3)
            out.symbol("transfer")
            out.address(first)
            out.address(second)
            single(token)
            note(contract, "BALANCE", "DEBIT", first, amount: "1", keyValue: owned())
            note(contract, "BALANCE", "CREDIT", second, amount: "1", keyValue: owned())
        case 3:
            head(of: contract, topics: 2)
            out.symbol("mint")
            out.address(second)
            single(token)
            note(contract, "BALANCE", "MINT", second, amount: "1", keyValue: owned())
        case 4:
            head(of: contract, topics: 2)
            out.symbol("burn")
            out.address(first)
            single(token)
            note(contract, "BALANCE", "BURN", first, amount: "1", keyValue: owned())
        case 5:
            let until = liveUntil()
            head(of: contract, topics: 3)
            out.symbol("approve")
            out.address(first)
            token.write(to: &out)
            approval("approved", second, until)
            note(
                contract, "ALLOWANCE", "UPDATE", first, amount: "1", spender: second,
                keyValue: "{\"live_until_ledger\": \(until), \"token_id\": \"\(token.text)\"}")
        case 6:
            let until = liveUntil()
            head(of: contract, topics: 2)
            out.symbol("approve_for_all")
            out.address(first)
            approval("operator", second, until)
            note(contract, "ALLOWANCE", "UPDATE", first, amount: nil, spender: second, keyValue: "{\"live_until_ledger\": \(until)}")
        default:
            let low = UInt32(random.below(1 << 20))
            let high = low + UInt32(random.below(50))
            head(of: contract, topics: 2)
            out.symbol("consecutive_mint")
            out.address(second)
            out.map(2)
            out.symbol("from_token_id")
            out.u32(low)
            out.symbol("to_token_id")
            out.u32(high)
            note(
                contract, "BALANCE", "MINT", second, amount: "\(high - low + 1)",
                keyValue: "{\"from_token_id\": \"\(low)\", \"to_token_id\": \"\(high)\"}")
        }
    }

    /// 0 (revoked) half of the time.
    private mutating func liveUntil() -> UInt32 { random.chance(50) ? 0 : random.uint32() }

    /// A token id as the bare value, in a map or in a vector.
    private mutating func single(_ token: TokenID) {
        switch random.below(3) {
        case 0: break
        case 1:
            out.map(1)
            out.symbol("token_id")
        default: out.vector(1)
        }
        token.write(to: &out)
    }

    /// Who is approved until when, as a vector or as a map (whose keys are in order).
    private mutating func approval(_ key: String, _ party: Party, _ until: UInt32) {
        guard random.chance(50) else {
            out.vector(2)
            out.address(party)
            out.u32(until)
            return
        }
        out.map(2)
        if key < "live_until_ledger" {
            out.symbol(key)
            out.address(party)
        }
        out.symbol("live_until_ledger")
        out.u32(until)
        if key > "live_until_ledger" {
            out.symbol(key)
            out.address(party)
        }
    }

    private mutating func note(
        _ contract: Bytes32, _ category: String, _ reason: String, _ account: Party, amount: String?, spender: Party? = nil,
        keyValue: @autoclosure () -> String
    ) {
        sink.add(
            ExpectedRow(
                protocolName: .sep50, category: category, reason: reason, account: account, token: contract, amount: amount,
                spender: spender, keyValue: keyValue()))
    }
}
