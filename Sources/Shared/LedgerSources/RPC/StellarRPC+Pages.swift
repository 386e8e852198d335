internal import NIOCore
internal import Synchronization

extension StellarRPC {
    /// How many ledgers a page should ask for now; see `PageSizer`.
    public var pageLength: Int { sizer.withLock { $0.length } }

    /// `getLedgers` from `first` on: at most `limit` ledgers and at most `pageLength`.
    ///
    /// After a time-out the next try asks for fewer. The page starts at `first` and has no gaps; it is shorter than asked where the server's tip or
    /// limits make it so, and ledgers beyond the limit are left out. Ledgers themselves are checked by `LedgerPage.forEachLedger`.
    /// - Throws: `outsideRetention` naming both ranges, `pastLatest` when the server did not catch up in the policy's time, and all others.
    public func page(from first: UInt32, limit: Int) async throws(LedgerSourceError) -> LedgerPage {
        let wanted = max(1, min(limit, Int(UInt32.max - first) + 1))
        let longest = first...(first + UInt32(wanted - 1))
        return try await retrying.run("getLedgers", ledgers: longest, onRetry: countRetry) { _ throws(AttemptFailure) in
            let length = min(wanted, self.pageLength)
            do throws(AttemptFailure) {
                return try await self.attempt(first...(first + UInt32(length - 1)))
            } catch {
                if error.code == .timeout || error.code == .answerTooLarge { self.sizer.withLock { $0.timedOut(asked: length) } }
                throw error
            }
        }
    }

    private func attempt(_ asked: ClosedRange<UInt32>) async throws(AttemptFailure) -> LedgerPage {
        let request =
            #"{"jsonrpc":"2.0","id":1,"method":"getLedgers","params":{"startLedger":\#(asked.lowerBound),"pagination":{"limit":\#(asked.count)}}}"#
        let body = try await post(request, asked: asked)
        let outcome: LedgersAnswer.Outcome
        do {
            outcome = try LedgersAnswer.scan(body.readableBytesUInt8Span)
        } catch {
            transport.pool.give(body)
            throw AttemptFailure(error.reason == .unexpectedEnd ? .cutAnswer : .malformedAnswer, "\(error)")
        }
        switch outcome {
        case .error(let error):
            transport.pool.give(body)
            throw failure(error, asked)
        case .result(let answer):
            return try page(answer, body, asked)
        }
    }

    private func failure(_ error: RPCErrorObject, _ asked: ClosedRange<UInt32>) -> AttemptFailure {
        var failure = AttemptFailure(error, asked: asked)
        if let limit = AttemptFailure.largestLimit(error), limit > 0, limit < asked.count {
            sizer.withLock { $0.learned(maximum: limit) }
            failure.retryAtOnce = true
        }
        return failure
    }

    private func page(_ answer: LedgersAnswer, _ body: ByteBuffer, _ asked: ClosedRange<UInt32>) throws(AttemptFailure) -> LedgerPage {
        if answer.ledgers.isEmpty { throw empty(answer, asked) }
        let slots = answer.ledgers.prefix(asked.count).map { LedgerPage.Slot(range: $0.metadata, hash: $0.hash) }
        for (index, ledger) in answer.ledgers.prefix(asked.count).enumerated() where ledger.sequence != asked.lowerBound + UInt32(index) {
            throw AttemptFailure(
                .unexpectedLedgers,
                "place \(index + 1) of the page has ledger \(ledger.sequence) instead of \(asked.lowerBound + UInt32(index))")
        }
        guard
            let page = LedgerPage(
                from: endpoint, first: asked.lowerBound, slots: slots, in: body, encoding: .base64, returningTo: transport.pool)
        else { throw AttemptFailure(.unexpectedLedgers, "the page does not hold together") }
        sizer.withLock { $0.received(ledgers: answer.ledgers.count, bytes: body.readableBytes) }
        counted.withLock { $0.ledgersReceived += slots.count }
        return page
    }

    private func empty(_ answer: LedgersAnswer, _ asked: ClosedRange<UInt32>) -> AttemptFailure {
        if let latest = answer.latestLedger, latest < asked.lowerBound {
            return AttemptFailure(.pastLatest, "ledger \(asked.lowerBound) is past the latest that the server has, ledger \(latest)")
        }
        return AttemptFailure(.emptyPage, "the answer holds no ledger")
    }
}
