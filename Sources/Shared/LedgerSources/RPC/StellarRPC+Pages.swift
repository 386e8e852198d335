internal import Logging
internal import NIOCore
internal import Synchronization

extension StellarRPC {
    /// How many ledgers a page should ask for now; see `PageSizer`.
    public var pageLength: Int { sizer.withLock { $0.length } }

    /// `getLedgers` from `first` on: at most `limit` ledgers and at most `pageLength`.
    ///
    /// The request waits until its response has room in memory, as `RPCOptions.responseBudget` says; the request for the lowest ledger is the next to get
    /// room. A response that turns out to be larger than its room is broken off, and asked for again in smaller pieces: no failure, and none of the tries
    /// that the retry policy allows. After a time-out the next try asks for fewer.
    ///
    /// The page starts at `first` and has no gaps; it is shorter than asked where the server's tip or limits make it so, and ledgers beyond the limit
    /// are left out. Ledgers themselves are checked by `LedgerPage.forEachLedger`.
    /// - Throws: `outsideRetention` naming both ranges, `pastLatest` when the server did not catch up in the policy's time, and all others.
    public func page(from first: UInt32, limit: Int) async throws(LedgerSourceError) -> LedgerPage {
        let wanted = max(1, min(limit, Int(UInt32.max - first) + 1))
        let longest = first...(first + UInt32(wanted - 1))
        var request = PageRequest(first: first, most: wanted)
        while true {
            let room = try await room(for: longest, request)
            let response = try await retrying.run("getLedgers", ledgers: longest, onRetry: countRetry) { _ throws(AttemptFailure) in
                try await self.attempt(request, room)
            }
            switch response {
            case .page(let page): return page
            case .brokenOff(let response, let asked):
                learn(from: response, asked)
                request.brokenOff(response, asked, budget: transport.memory.limit)
            }
        }
    }

    /// What is asked for, and what is known of the response.
    private struct PageRequest {
        let first: UInt32
        /// Most ledgers to ask for.
        var most: Int
        /// Bytes that the response has at least.
        var leastBytes = 0
        private var timesBrokenOff = 0

        init(first: UInt32, most: Int) {
            self.first = first
            self.most = most
        }

        mutating func brokenOff(_ response: ResponseBrokenOff, _ asked: Int, budget: Int) {
            timesBrokenOff += 1
            // What is announced can be made room for; what is not has to be guessed. Not for ever, if the server says something else each time.
            let isKnown = response.isWhole && !response.isTooLarge && timesBrokenOff < 4
            if asked == 1 {
                most = 1
                // More than the budget is never broken off.
                leastBytes = isKnown ? response.bytes : budget + 1
            } else {
                most = isKnown ? asked : timesBrokenOff < 4 ? max(1, asked / 2) : 1
            }
        }
    }

    private enum PageResponse: Sendable {
        case page(LedgerPage)
        case brokenOff(ResponseBrokenOff, asked: Int)
    }

    /// How many ledgers a request can ask for, if their response may have so many bytes.
    private func length(of request: PageRequest, _ bytes: Int) -> Int {
        sizer.withLock { max(1, min(request.most, $0.length, bytes / Self.withSpare($0.bytesPerLedger))) }
    }

    /// An eighth more than expected: ledgers are not all of one size, and a response that is broken off is fetched twice.
    private static func withSpare(_ bytes: Int) -> Int { bytes + bytes / 8 }

    private func room(for ledgers: ClosedRange<UInt32>, _ request: PageRequest) async throws(LedgerSourceError) -> ResponseRoom {
        do throws(AttemptFailure) {
            let expected = length(of: request, transport.memory.limit) * sizer.withLock { Self.withSpare($0.bytesPerLedger) }
            return try await transport.memory.room(for: request.first, bytes: max(request.leastBytes, expected))
        } catch {
            throw LedgerSourceError(error.code, "getLedgers: \(error.detail)", endpoint: endpoint, ledgers: ledgers)
        }
    }

    private func learn(from response: ResponseBrokenOff, _ asked: Int) {
        counted.withLock { $0.brokenOff += 1 }
        // Of an unfinished response only the ledgers that have begun tell the size of one.
        let ledgers = response.isWhole ? asked : max(1, min(asked, response.ledgersBegun))
        sizer.withLock { $0.brokenOff(ledgers: ledgers, bytes: response.bytes) }
        retrying.logger.debug(
            "response broken off, its ledgers are larger than expected",
            metadata: ["endpoint": "\(endpoint)", "ledgers": "\(asked)", "bytes": "\(response.bytes)", "whole": "\(response.isWhole)"])
    }

    private func attempt(_ request: PageRequest, _ room: ResponseRoom) async throws(AttemptFailure) -> PageResponse {
        let asked = length(of: request, room.bytes)
        do throws(AttemptFailure) {
            return .page(try await page(request.first...(request.first + UInt32(asked - 1)), room))
        } catch {
            if let response = error.brokenOff { return .brokenOff(response, asked: asked) }
            if error.code == .timeout { sizer.withLock { $0.timedOut(asked: asked) } }
            throw error
        }
    }

    private func page(_ asked: ClosedRange<UInt32>, _ room: ResponseRoom) async throws(AttemptFailure) -> LedgerPage {
        let request =
            #"{"jsonrpc":"2.0","id":1,"method":"getLedgers","params":{"startLedger":\#(asked.lowerBound),"pagination":{"limit":\#(asked.count)}}}"#
        var body = try await post(request, asked: asked, limit: .room(room, ledgers: asked.count))
        do throws(AttemptFailure) {
            let slots = try slots(body, asked)
            guard
                let page = LedgerPage(
                    from: endpoint, first: asked.lowerBound, slots: slots, in: body, encoding: .base64, room: room)
            else { throw AttemptFailure(.unexpectedLedgers, "the page does not hold together") }
            room.shrink(to: body.readableBytes)
            counted.withLock { $0.ledgersReceived += slots.count }
            return page
        } catch {
            room.giveBack(&body)
            throw error
        }
    }

    /// Where the ledgers asked for are in a response.
    private func slots(_ body: ByteBuffer, _ asked: ClosedRange<UInt32>) throws(AttemptFailure) -> [LedgerPage.Slot] {
        let outcome: LedgersResponse.Outcome
        do {
            outcome = try LedgersResponse.scan(body.readableBytesUInt8Span)
        } catch {
            throw AttemptFailure(error.reason == .unexpectedEnd ? .cutResponse : .malformedResponse, "\(error)")
        }
        switch outcome {
        case .error(let error): throw failure(error, asked)
        case .result(let response):
            if response.ledgers.isEmpty { throw empty(response, asked) }
            for (index, ledger) in response.ledgers.prefix(asked.count).enumerated()
            where ledger.sequence != asked.lowerBound + UInt32(index) {
                throw AttemptFailure(
                    .unexpectedLedgers,
                    "place \(index + 1) of the page has ledger \(ledger.sequence) instead of \(asked.lowerBound + UInt32(index))")
            }
            sizer.withLock { $0.received(ledgers: response.ledgers.count, bytes: body.readableBytes) }
            return response.ledgers.prefix(asked.count).map { LedgerPage.Slot(range: $0.metadata, hash: $0.hash) }
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

    private func empty(_ response: LedgersResponse, _ asked: ClosedRange<UInt32>) -> AttemptFailure {
        if let latest = response.latestLedger, latest < asked.lowerBound {
            return AttemptFailure(.pastLatest, "ledger \(asked.lowerBound) is past the latest that the server has, ledger \(latest)")
        }
        return AttemptFailure(.emptyPage, "the response holds no ledger")
    }
}
