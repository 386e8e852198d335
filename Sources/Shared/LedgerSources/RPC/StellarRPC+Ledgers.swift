internal import Logging
internal import StellarXDR
internal import Synchronization

extension StellarRPC {
    /// Each by itself.
    public var ledgersPerFile: Int { 1 }

    /// How many ledgers a request should ask for now; see `PageSizer`.
    public func requestLength(from first: UInt32, of available: Int) -> Int { sizer.withLock { $0.share(of: available) } }

    /// How many requests should be in flight now; see `InFlight`. Fewer where ledgers are so large that their buffers would not fit.
    public var requestsInFlight: Int {
        // Base64 has four characters for three bytes, and a buffer is up to a quarter larger than its ledger.
        let longest = sizer.withLock { $0.bytesPerLedger } / 4 * 3 / 4 * 5
        return max(1, min(inFlight.withLock { $0.target }, buffers.limit / max(1, longest)))
    }

    /// `getLedgers` from `first` on, at most `limit` ledgers and at most `requestLength`.
    ///
    /// Each ledger is decoded and passed on while the rest of the response is still on its way. A response that breaks after some ledgers is a short one;
    /// ledgers beyond the limit are left out. After a time-out the next request asks for fewer.
    /// - Throws: `outsideRetention` naming both ranges, `pastLatest` when the server did not catch up in the policy's time, and all others.
    @discardableResult
    public func forEachLedger(
        from first: UInt32, limit: Int, _ body: @escaping @Sendable (UInt32, RawSpan) throws -> Void
    ) async throws -> ChainLink {
        let wanted = max(1, min(limit, Int(UInt32.max - first) + 1))
        let longest = first...(first + UInt32(wanted - 1))
        let outcome = try await retrying.run("getLedgers", ledgers: longest, onRetry: countRetry) { _ throws(AttemptFailure) in
            let length = self.requestLength(from: first, of: wanted)
            return try await self.attempt(first...(first + UInt32(length - 1)), body)
        }
        return try outcome.get()
    }

    /// One try. What `body` throws is no failure of the try's.
    private func attempt(
        _ asked: ClosedRange<UInt32>, _ body: @escaping @Sendable (UInt32, RawSpan) throws -> Void
    ) async throws(AttemptFailure) -> Result<ChainLink, any Error> {
        let request =
            #"{"jsonrpc":"2.0","id":1,"method":"getLedgers","params":{"startLedger":\#(asked.lowerBound),"pagination":{"limit":\#(asked.count)}}}"#
        let began = ContinuousClock.now
        let receiver = ResponseReceiver(
            LedgersStream(asked, endpoint: endpoint, buffers: buffers, body: body),
            onBegin: { [self] in
                let now = ContinuousClock.now
                let ready = transport.ready
                inFlight.withLock { $0.began(at: now, after: now - began, ready: ready) }
            })
        counted.withLock { $0.requests += 1 }
        var failure: AttemptFailure?
        do throws(AttemptFailure) {
            try await transport.post(request, to: receiver)
        } catch {
            failure = error
        }
        let ready = transport.ready
        let response = receiver.end()
        inFlight.withLock { $0.ended(at: .now, ready: ready) }
        counted.withLock { $0.bytesReceived += response.bytes }
        guard let ledgers = response.ledgers else { throw failure ?? AttemptFailure(.closed, "the response was given up") }
        if let stopped = failure?.stopped { return .failure(stopped) }
        do throws(AttemptFailure) {
            if let failure { throw failure }
            try check(response.head, response.bytes, response.small, asked)
            do { try response.json.finish() } catch { throw AttemptFailure(transport: error, responseBegun: true) }
            if let error = try ledgers.outcome() { throw self.failure(error, asked) }
            if ledgers.count == 0 { throw Self.empty(ledgers, asked) }
        } catch {
            note(error, asked)
            guard let link = ledgers.chain.link else { throw error }
            // What was passed on stays; the rest is for the next request.
            retrying.logger.debug(
                "response broken off, going on behind its last whole ledger",
                metadata: [
                    "endpoint": "\(endpoint)", "ledger": "\(link.ledgers.upperBound)", "cause": "\(error.code.rawValue): \(error.detail)",
                ])
            countRetry(error.code)
            received(link, response.bytes)
            return .success(link)
        }
        guard let link = ledgers.chain.link else { throw AttemptFailure(.emptyPage, "the response holds no ledger") }
        received(link, response.bytes)
        return .success(link)
    }

    private func received(_ link: ChainLink, _ bytes: Int) {
        sizer.withLock { $0.received(ledgers: link.ledgers.count, bytes: bytes) }
        counted.withLock { $0.ledgersReceived += link.ledgers.count }
    }

    private func note(_ failure: AttemptFailure, _ asked: ClosedRange<UInt32>) {
        switch failure.code {
        case .timeout:
            sizer.withLock { $0.timedOut(asked: asked.count) }
            inFlight.withLock { $0.refused() }
        case .overloaded, .noRoom: inFlight.withLock { $0.refused() }
        default: break
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

    private static func empty(_ response: LedgersStream, _ asked: ClosedRange<UInt32>) -> AttemptFailure {
        if let latest = response.latestLedger, latest < asked.lowerBound {
            return AttemptFailure(.pastLatest, "ledger \(asked.lowerBound) is past the latest that the server has, ledger \(latest)")
        }
        return AttemptFailure(.emptyPage, "the response holds no ledger")
    }
}
