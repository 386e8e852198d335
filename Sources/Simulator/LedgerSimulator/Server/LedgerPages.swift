internal import NIOCore

/// Responses to getLedgers, by the rules of the real server.
struct LedgerPages: Sendable {
    let supply: any LedgerSupply
    let tip: LedgerTip
    let counts: ServedCounts
    /// A response longer than this is one that the real server would not manage in time; nil: no limit.
    let maximumBytes: Int?

    /// Which ledgers a call asks for.
    func range(_ call: RPCCall) throws(RPCFailure) -> ClosedRange<UInt32> {
        let latest = tip.latest
        return try PageRequest(call.parameters, kept: tip.oldest...latest, announced: tip.announcedOldest...latest).ledgers
    }

    /// The response to getLatestLedger, with the whole ledger as newer servers give it.
    func latest(id: String?) -> [ByteBuffer] {
        let ledger = supply.ledger(tip.latest)
        var text = PageText()
        text.text(
            "{\"jsonrpc\":\"2.0\",\"id\":\(id ?? "null"),\"result\":{\"id\":\"\(ledger.hash.hex)\",\"protocolVersion\":\(ledger.protocolVersion),"
                + "\"sequence\":\(ledger.sequence),\"closeTime\":\"\(ledger.closeTime)\",\"headerXdr\":\"")
        text.base64(ledger.header)
        text.text("\",\"metadataXdr\":\"")
        text.base64(ledger.segments)
        text.text("\"}}")
        return text.finish()
    }

    /// The page with these ledgers; a fault may spoil one of them.
    func page(_ ledgers: ClosedRange<UInt32>, id: String?, fault: PageFault?) throws(RPCFailure) -> [ByteBuffer] {
        var text = PageText()
        text.text("{\"jsonrpc\":\"2.0\",\"id\":\(id ?? "null"),\"result\":{\"ledgers\":[")
        for sequence in ledgers where fault != .emptyPage {
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
            if let maximumBytes, text.byteCount > maximumBytes { throw .processingLimit }
        }
        let latest = tip.latest
        let cursor = fault == .emptyPage ? ledgers.lowerBound - 1 : ledgers.upperBound
        text.text(
            "],\"latestLedger\":\(latest),\"latestLedgerCloseTime\":\(supply.closeTime(of: latest)),\"oldestLedger\":\(tip.announcedOldest),"
                + "\"oldestLedgerCloseTime\":\(supply.closeTime(of: tip.announcedOldest)),\"cursor\":\"\(cursor)\"}}")
        if let fault { counts.spoilt(fault) } else { counts.served(ledgers, bytes: text.byteCount) }
        return text.finish()
    }
}
