internal import NIOCore

/// Answers of getLedgers, by the rules of the real server.
struct LedgerPages: Sendable {
    /// Ledgers in a page where the call names no limit, and at most.
    static let defaultLimit = 50
    static let maximumLimit = 200

    let supply: any LedgerSupply
    let tip: LedgerTip
    let counts: ServedCounts
    /// An answer longer than this is one that the real server would not manage in time; nil: no limit.
    let maximumBytes: Int?

    /// Which ledgers a call asks for.
    func range(_ call: RPCCall.LedgersParameters) throws(RPCFailure) -> ClosedRange<UInt32> {
        let oldest = tip.oldest
        let latest = tip.latest
        let limit = call.limit ?? Self.defaultLimit
        guard limit <= Self.maximumLimit else { throw RPCFailure(code: -32602, message: "limit must not exceed \(Self.maximumLimit)") }
        guard limit > 0 else { throw RPCFailure(code: -32602, message: "limit must be positive") }
        if let format = call.format, !["", "base64"].contains(format) {
            throw RPCFailure(code: -32602, message: "expected base64 for optional 'xdrFormat': json is not simulated")
        }
        let start: UInt32
        if let cursor = call.cursor {
            guard call.startLedger == nil else { throw RPCFailure(code: -32602, message: "startLedger and cursor cannot both be set") }
            guard let after = UInt32(cursor), after < .max else { throw RPCFailure(code: -32602, message: "invalid cursor") }
            start = after + 1
        } else {
            start = call.startLedger ?? 0
        }
        guard start >= oldest, start <= latest else {
            throw RPCFailure(
                code: -32600,
                message:
                    "start ledger (\(start)) must be between the oldest ledger: \(oldest) and the latest ledger: \(latest) for this rpc instance"
            )
        }
        return start...min(latest, start + UInt32(limit) - 1)
    }

    /// The answer to getLatestLedger, with the whole ledger as newer servers give it.
    func latest(id: String) -> [ByteBuffer] {
        let ledger = supply.ledger(tip.latest)
        var text = PageText()
        text.text(
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":{\"id\":\"\(ledger.hash.hex)\",\"protocolVersion\":\(ledger.protocolVersion),"
                + "\"sequence\":\(ledger.sequence),\"closeTime\":\"\(ledger.closeTime)\",\"headerXdr\":\"")
        text.base64(ledger.headerEntry)
        text.text("\",\"metadataXdr\":\"")
        text.base64(ledger.segments)
        text.text("\"}}")
        return text.finish()
    }

    /// The page with these ledgers; a fault may spoil one of them.
    func page(_ ledgers: ClosedRange<UInt32>, id: String, fault: Fault?) throws(RPCFailure) -> [ByteBuffer] {
        var text = PageText()
        text.text("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":{\"ledgers\":[")
        let served: ClosedRange<UInt32>? = fault == .emptyPage ? nil : ledgers
        for sequence in served ?? 1...1 where served != nil {
            var ledger = supply.ledger(sequence)
            if sequence == ledgers.upperBound {
                if fault == .wrongHash { ledger = ledger.withWrongHash() }
                if fault == .brokenChain { ledger = ledger.withBrokenChain() }
            }
            text.text(
                "\(sequence == ledgers.lowerBound ? "" : ",\n"){\"hash\":\"\(ledger.hash.hex)\",\"sequence\":\(sequence),"
                    + "\"ledgerCloseTime\":\"\(ledger.closeTime)\",\"headerXdr\":\"")
            text.base64(ledger.headerEntry)
            text.text("\",\"metadataXdr\":\"")
            text.base64(ledger.segments)
            text.text("\"}")
        }
        let latest = tip.latest
        text.text(
            "],\"latestLedger\":\(latest),\"latestLedgerCloseTime\":\(supply.ledger(latest).closeTime),\"oldestLedger\":\(tip.oldest),"
                + "\"oldestLedgerCloseTime\":\(supply.ledger(tip.oldest).closeTime),\"cursor\":\"\(ledgers.upperBound)\"}}")
        if let maximumBytes, text.byteCount > maximumBytes {
            throw RPCFailure(code: -32001, message: "request exceeded processing limit threshold")
        }
        let bytes = text.byteCount
        if fault == nil, let served { counts.served(served, bytes: bytes) }
        return text.finish()
    }
}
