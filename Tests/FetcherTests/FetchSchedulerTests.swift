import Fetcher
import Pipeline
import StateChanges
import TestSupport
import Testing

private typealias Scheduler = FetchScheduler<LedgerRange>

private func batch(_ id: BatchID, _ ledgers: LedgerRange, _ protocols: [ProtocolID] = ["A"]) -> Batch {
    Batch(id: id, ledgers: ledgers, protocols: protocols)
}

private func rows(_ ledgers: LedgerRange, bytes: Int = 10, previous: String? = nil) -> Scheduler.FetchedRows {
    Scheduler.FetchedRows(
        ledgers: ledgers, counts: [1], bytes: bytes, previousHash: previous ?? "h\(ledgers.lowerBound - 1)",
        lastHash: "h\(ledgers.upperBound)",
        rows: ledgers)
}

/// What a scheduler wants, in words that compare.
private func words(_ actions: [Scheduler.Action]) -> [String] {
    actions.map { action in
        switch action {
        case .request(let request): "request \(request.ledgers)"
        case .cancel: "cancel"
        case .offer(let header): "offer \(header.ledgers)"
        case .send(let header, _): "send \(header.ledgers)"
        case .withdraw: "withdraw"
        case .ready(let batches): "ready \(batches)"
        case .failed(let batch, _, let isPermanent): "failed \(batch.id)\(isPermanent ? " for good" : "")"
        }
    }
}

/// A scheduler with what is under way. All but requests for more work is compared.
private struct Bench {
    var scheduler: Scheduler
    var requests: [Scheduler.Request] = []
    var offers: [PartHeader] = []
    var sent: [(header: PartHeader, rows: [LedgerRange])] = []
    var ready: [Int] = []

    init(pageLength: Int, _ change: (inout Scheduler.Limits) -> Void = { _ in }) {
        var limits = Scheduler.Limits()
        limits.concurrency = 4
        limits.offerLedgers = 1
        change(&limits)
        scheduler = Scheduler(run: RunID(rawValue: "r"), worker: 1, round: 1, limits: limits, firstNumber: 1)
        scheduler.requestLength = { _, _ in pageLength }
        scheduler.requestsInFlight = 64
        _ = note(scheduler.begin())
    }

    mutating func take(_ event: Scheduler.Event) -> [String] { note(scheduler.take(event)) }

    private mutating func note(_ actions: [Scheduler.Action]) -> [String] {
        var others: [Scheduler.Action] = []
        for action in actions {
            switch action {
            case .request(let request): requests.append(request)
            case .cancel(let id): requests.removeAll { $0.id == id }
            case .offer(let header):
                offers.removeAll { $0.number == header.number }
                offers.append(header)
            case .withdraw(let number): offers.removeAll { $0.number == number }
            case .send(let header, let rows): sent.append((header, rows))
            case .failed: break
            case .ready(let batches):
                ready.append(batches)
                continue
            }
            others.append(action)
        }
        return words(others)
    }

    mutating func assign(_ batches: Batch...) -> [String] { take(.assigned(batches)) }

    /// The request that begins with this ledger ends, with the rows of all its ledgers or up to one of them.
    mutating func fetch(_ first: UInt32, upTo last: UInt32? = nil, bytes: Int = 10, previous: String? = nil) -> [String] {
        guard let index = requests.firstIndex(where: { $0.ledgers.lowerBound == first }) else { return ["nobody asked for \(first)"] }
        let request = requests.remove(at: index)
        return take(.fetched(id: request.id, rows(first...(last ?? request.ledgers.upperBound), bytes: bytes, previous: previous)))
    }

    mutating func reply(_ first: UInt32, _ reply: (Int) -> RowsReply) -> [String] {
        guard let header = offers.first(where: { $0.ledgers.lowerBound == first }) else { return ["\(first) is not offered"] }
        return take(.reply(reply(header.number)))
    }

    mutating func send(_ first: UInt32) -> [String] { reply(first) { .send(round: 1, number: $0) } }
}

@Suite struct FetchSchedulerTests {
    // MARK: Requests

    @Test func asksForEnoughToFillItsSlotsAndNotTwice() {
        var bench = Bench(pageLength: 8) { $0.concurrency = 8 }
        #expect(bench.ready == [1], "one batch of a hundred ledgers is enough for 8 pages of 8")
        #expect(bench.assign(batch(1, 1...100)) == (0..<8).map { "request \($0 * 8 + 1)...\($0 * 8 + 8)" })
        #expect(bench.ready == [1, 1], "36 ledgers are left, less than the slots will want")
        _ = bench.take(.tick)
        #expect(bench.ready == [1, 1])
    }

    @Test func shortBatchesAreAskedForInNumbersAndFetchedTogether() {
        var bench = Bench(pageLength: 10) { $0.concurrency = 2 }
        #expect(bench.assign(batch(1, 1...1)) == ["request 1...1"])
        #expect(bench.ready == [1, 20])
        let batches = (2...41).map { batch($0, UInt32($0)...UInt32($0)) }
        #expect(bench.take(.assigned(batches)) == ["request 2...11"], "one page for ten batches")
        #expect(bench.fetch(1) == ["offer 1...1", "request 12...21"])
        #expect(bench.fetch(2) == ["offer 2...11", "request 22...31"])
        #expect(bench.send(1) == ["send 1...1"])
        #expect(bench.send(2) == ["send 2...11"])
        #expect(bench.scheduler.holding == Array(12...41))
    }

    /// A part costs a commit, so rows are gathered; until they are enough, nothing follows, a second has passed, or there is no room for more.
    @Test func rowsAreGatheredBeforeTheyAreOffered() {
        func bench(_ change: @escaping (inout Scheduler.Limits) -> Void = { _ in }) -> Bench {
            var bench = Bench(pageLength: 10) { limits in
                limits.offerLedgers = 20
                limits.offerBytes = 1000
                change(&limits)
            }
            _ = bench.assign(batch(1, 1...35), batch(2, 36...50), batch(3, 61...70))
            return bench
        }
        var enough = bench()
        #expect(enough.fetch(1) == ["request 41...50"])
        #expect(enough.fetch(11).contains("offer 1...20"), "twenty ledgers")
        #expect(!enough.fetch(21).contains { $0.hasPrefix("offer") })
        #expect(enough.fetch(41).contains("offer 41...50") == false, "the beginning of its batch is not here")
        #expect(enough.fetch(31).contains("offer 21...50"), "across batches, and nothing follows")
        #expect(enough.fetch(61).contains("offer 61...70"), "nothing follows")
        var later = bench()
        #expect(!later.fetch(1).contains("offer 1...10"))
        #expect(later.take(.tick) == ["offer 1...10"])
        var rich = bench()
        #expect(rich.fetch(1, bytes: 1000).contains("offer 1...10"), "enough bytes")
        var full = bench {
            $0.allowance = 50
            $0.budget = 60
        }
        #expect(full.fetch(1, bytes: 50).contains("offer 1...10"), "no room for more")
    }

    @Test func batchesOfOtherProtocolsAreNotFetchedTogether() {
        var bench = Bench(pageLength: 10)
        #expect(bench.assign(batch(1, 1...2), batch(2, 3...4, ["A", "B"])) == ["request 1...2", "request 3...4"])
    }

    @Test func theLowestLedgersComeFirst() {
        var bench = Bench(pageLength: 4)
        #expect(
            bench.assign(batch(2, 21...24), batch(1, 1...10)) == ["request 1...4", "request 5...8", "request 9...10", "request 21...24"])
    }

    @Test func theRestOfAShortResponseIsRequestedAgain() {
        var bench = Bench(pageLength: 4) { $0.concurrency = 1 }
        _ = bench.assign(batch(1, 1...4))
        #expect(bench.fetch(1, upTo: 3) == ["offer 1...3", "request 4...4"])
        #expect(bench.scheduler.holding == [1])
        _ = bench.fetch(4)
        _ = bench.send(1)
        _ = bench.send(4)
        #expect(bench.scheduler.holding == [])
    }

    @Test func rowsThatAreNotWhatWasAskedForAreAFailure() {
        for odd: LedgerRange in [2...4, 1...5] {
            var bench = Bench(pageLength: 4)
            _ = bench.assign(batch(1, 1...4))
            #expect(bench.take(.fetched(id: bench.requests[0].id, rows(odd))) == ["failed 1"])
            #expect(bench.scheduler.holding == [])
        }
    }

    /// The files of a lake begin where they begin.
    @Test func theSourceSaysWhereARequestEnds() {
        var bench = Bench(pageLength: 1)
        bench.scheduler.requestLength = { first, _ in Int(8 - first % 8) }
        #expect(bench.assign(batch(1, 3...20)) == ["request 3...7", "request 8...15", "request 16...20"])
    }

    /// What a request does not come to, for its rows are enough, is fetched again.
    @Test func aRequestIsForNoMoreLedgersThanItsRowsHaveRoomFor() {
        var bench = Bench(pageLength: 10) {
            $0.firstLength = 1
            $0.allowance = 40
            $0.concurrency = 1
        }
        #expect(bench.assign(batch(1, 1...50)) == ["request 1...1"])
        #expect(bench.fetch(1, bytes: 10) == ["offer 1...1", "request 2...5"])
        #expect(bench.fetch(2, bytes: 80) == ["offer 2...5", "request 6...7"])
    }

    @Test func asManyRequestsAreInFlightAsTheSourceSays() {
        var bench = Bench(pageLength: 1)
        bench.scheduler.requestsInFlight = 2
        #expect(bench.assign(batch(1, 1...100)) == ["request 1...1", "request 2...2"])
        bench.scheduler.requestsInFlight = 3
        #expect(bench.fetch(1) == ["offer 1...1", "request 3...3", "request 4...4"])
        bench.scheduler.requestsInFlight = -1
        #expect(bench.fetch(2) == ["offer 2...2"])
        _ = bench.fetch(3)
        _ = bench.fetch(4)
        #expect(bench.requests.count == 1, "one at least")
    }

    @Test func impossibleBatchesAreRefused() {
        var bench = Bench(pageLength: 4)
        for odd in [batch(1, 0...4), batch(2, 1...UInt32.max), batch(3, 1...4, []), batch(4, 1...4, ["B", "A"])] {
            #expect(bench.assign(odd) == ["failed \(odd.id) for good"])
        }
        bench.scheduler.requestLength = { _, _ in -5 }
        #expect(bench.assign(batch(5, 1...UInt32(Int32.max))).first == "request 1...1")
    }

    // MARK: Failures

    @Test func aLedgerThatIsWrongFailsItsBatchOnly() {
        var bench = Bench(pageLength: 10)
        _ = bench.assign(batch(1, 1...2), batch(2, 3...4), batch(3, 5...6))
        #expect(bench.requests.map(\.ledgers) == [1...6])
        let failure = Scheduler.Failure(ledger: 4, reason: "odd", isPermanent: true)
        #expect(bench.take(.failed(id: bench.requests[0].id, failure)) == ["failed 2 for good", "request 1...2", "request 5...6"])
        #expect(bench.scheduler.holding == [1, 3])
    }

    @Test func aRequestThatFailsAsAWholeFailsAllItsBatches() {
        var bench = Bench(pageLength: 10)
        _ = bench.assign(batch(1, 1...2), batch(2, 3...4))
        let failure = Scheduler.Failure(ledger: nil, reason: "away", isPermanent: false)
        #expect(bench.take(.failed(id: bench.requests[0].id, failure)) == ["failed 1", "failed 2"])
    }

    @Test func aLedgerThatIsWrongLeavesThoseBeforeItAsRows() {
        var bench = Bench(pageLength: 10)
        _ = bench.assign(batch(1, 1...4))
        #expect(bench.fetch(1, upTo: 2) == ["offer 1...2", "request 3...4"])
        let failure = Scheduler.Failure(ledger: 3, reason: "odd", isPermanent: true)
        #expect(bench.take(.failed(id: bench.requests[0].id, failure)) == ["withdraw", "failed 1 for good"])
        #expect(bench.scheduler.heldBytes == 0)
    }

    @Test func pagesThatDoNotJoinFailTheirBatch() {
        var bench = Bench(pageLength: 2)
        _ = bench.assign(batch(1, 1...4))
        _ = bench.fetch(3, previous: "other")
        #expect(bench.fetch(1).suffix(2) == ["withdraw", "failed 1"])
        #expect(bench.scheduler.heldBytes == 0)
    }

    @Test func whatComesLateOfABatchThatIsRevokedIsIgnored() {
        var bench = Bench(pageLength: 2)
        _ = bench.assign(batch(1, 1...4))
        let late = bench.requests
        #expect(bench.take(.revoked([1])) == ["cancel", "cancel"])
        #expect(bench.assign(batch(2, 1...4)) == ["request 1...2", "request 3...4"])
        #expect(bench.take(.fetched(id: late[0].id, rows(1...2))) == [])
        #expect(bench.fetch(1) == ["offer 1...2"])
    }

    @Test func revokingOneOfSeveralBatchesOfAPageFetchesTheOthersAgain() {
        var bench = Bench(pageLength: 10)
        _ = bench.assign(batch(1, 1...2), batch(2, 3...4), batch(3, 5...6))
        _ = bench.fetch(1)
        #expect(bench.offers.map(\.ledgers) == [1...6])
        #expect(bench.take(.revoked([2])) == ["withdraw", "request 1...2", "request 5...6"])
        #expect(bench.scheduler.heldBytes == 0)
    }

    // MARK: Parts

    @Test func whatIsOfferedOfABatchIsItsBeginning() {
        var bench = Bench(pageLength: 2)
        _ = bench.assign(batch(1, 1...6))
        #expect(bench.fetch(5) == [])
        #expect(bench.fetch(3) == [])
        #expect(bench.fetch(1) == ["offer 1...6"], "joined")
        #expect(bench.send(1) == ["send 1...6"])
        #expect(bench.sent[0].rows == [1...2, 3...4, 5...6])
        #expect(bench.sent[0].header.rows == [PartHeader.Rows(protocolID: "A", frames: [1, 1, 1])])
        #expect(bench.sent[0].header.previousHash == "h0")
        #expect(bench.sent[0].header.lastHash == "h6")
        #expect(bench.scheduler.holding == [])
    }

    @Test func partsAreJoinedUpToTheirSize() {
        var bench = Bench(pageLength: 2) { $0.partBytes = 20 }
        _ = bench.assign(batch(1, 1...6))
        _ = bench.fetch(5)
        _ = bench.fetch(3)
        #expect(bench.fetch(1) == ["offer 1...4", "offer 5...6"])
    }

    @Test func partsOfABatchAreSentInOrderEvenWhereTheWriterAsksOtherwise() {
        var bench = Bench(pageLength: 2) { $0.partBytes = 1 }
        _ = bench.assign(batch(1, 1...4))
        _ = bench.fetch(1)
        _ = bench.fetch(3)
        #expect(bench.send(3) == [])
        #expect(bench.send(1) == ["send 1...2", "send 3...4"])
    }

    @Test func whatTheWriterHasCountsAsSentAndWhatItDropsEndsTheBatch() {
        var bench = Bench(pageLength: 2) { $0.partBytes = 1 }
        _ = bench.assign(batch(1, 1...6))
        for first: UInt32 in [1, 3, 5] { _ = bench.fetch(first) }
        #expect(bench.reply(1) { .have(round: 1, number: $0) } == [])
        #expect(bench.scheduler.holding == [1])
        #expect(bench.reply(3) { .drop(round: 1, number: $0) } == ["withdraw", "withdraw"])
        #expect(bench.scheduler.holding == [])
        #expect(bench.scheduler.heldBytes == 0)
    }

    @Test func repliesOfOtherRoundsAndToOtherPartsAreIgnored() {
        var bench = Bench(pageLength: 2)
        _ = bench.assign(batch(1, 1...2))
        _ = bench.fetch(1)
        let number = bench.offers[0].number
        #expect(bench.take(.reply(.send(round: 2, number: number))) == [])
        #expect(bench.take(.reply(.send(round: 1, number: number + 99))) == [])
        #expect(bench.send(1) == ["send 1...2"])
        #expect(bench.take(.reply(.send(round: 1, number: number))) == [], "once")
    }

    @Test func anOfferWithoutAReplyIsRepeated() {
        var bench = Bench(pageLength: 2)
        _ = bench.assign(batch(1, 1...2))
        _ = bench.fetch(1)
        let ticks = (0..<10).map { _ in bench.take(.tick) }
        #expect(ticks.filter { $0 == ["offer 1...2"] }.count == 2)
    }

    // MARK: Memory and progress

    @Test func withoutRoomOnlyTheLowestIsRequested() {
        var bench = Bench(pageLength: 1) {
            $0.budget = 100
            $0.allowance = 10
            $0.concurrency = 2
        }
        _ = bench.assign(batch(1, 11...20))
        #expect(bench.fetch(11, bytes: 95) == ["offer 11...11"], "no room for another request")
        #expect(bench.fetch(12, bytes: 5) == ["offer 12...12"])
        #expect(bench.assign(batch(2, 5...6)) == ["request 5...5"], "lower than all that is here")
        #expect(bench.fetch(5) == ["offer 5...5"], "ledger 5 is the lowest now, ledger 6 waits")
        #expect(bench.send(5).contains("request 6...6"))
    }

    /// What one request gives is known only when it has ended; the last ones say what to expect.
    @Test func asManyRequestsAreInFlightAsTheirRowsWillHaveRoom() {
        var bench = Bench(pageLength: 1) {
            $0.budget = 100
            $0.allowance = 40
            $0.concurrency = 8
        }
        _ = bench.assign(batch(1, 1...50))
        #expect(bench.requests.count == 8, "ten bytes are expected of each")
        _ = bench.fetch(1, bytes: 30)
        for first: UInt32 in 2...8 { _ = bench.fetch(first, bytes: 1) }
        for first: UInt32 in 1...8 { _ = bench.send(first) }
        #expect(bench.requests.count == 3, "thirty bytes are")
    }

    @Test func aFetcherWithoutRoomStillAsksForOneBatch() {
        var bench = Bench(pageLength: 1) {
            $0.budget = 100
            $0.allowance = 10
            $0.concurrency = 1
        }
        _ = bench.assign(batch(1, 1...1), batch(2, 2...2), batch(3, 3...3))
        _ = bench.fetch(1, bytes: 500)
        bench.ready = []
        _ = bench.assign(batch(4, 4...4), batch(5, 5...5))
        #expect(bench.ready == [1])
        _ = bench.take(.tick)
        #expect(bench.ready == [1], "it has asked already")
    }

    /// Several fetchers and a writer with small budgets, pages and rows of random sizes, batches revoked and leased again to others: all ledgers come through in
    /// order, and nobody ever has more than its budget and what its requests in flight give.
    @Test(arguments: 0..<60) func neverHoldsMoreThanItsBudgetAndNeverStops(seed: UInt64) {
        var story = Story(seed: seed)
        for _ in 0..<200_000 {
            guard story.committed < story.end else { return }
            story.step()
            if let failure = story.failure {
                Issue.record("\(failure), seed \(seed)")
                return
            }
        }
        Issue.record("no progress beyond ledger \(story.committed) of \(story.end), seed \(seed)")
    }
}

/// Fetchers, and a coordinator and a writer that keep to the rules in the plainest way.
private struct Story {
    struct Fetcher {
        var scheduler: Scheduler
        var requests: [Scheduler.Request] = []
        var offers: [Int: PartHeader] = [:]
        var credits = 0
    }

    let end: UInt32 = 400
    let budget: Int
    let largest: Int
    var generator: SeededRandom
    var fetchers: [Fetcher] = []
    /// Next ledger to hand out, what was taken back, and who has what.
    var next: UInt32 = 1
    var waiting: [LedgerRange] = []
    var leases: [BatchID: (fetcher: Int, ledgers: LedgerRange)] = [:]
    var lastID = 0
    var committed: UInt32 = 0
    /// The writer's buffer, by first ledger.
    var held: [UInt32: PartHeader] = [:]
    var failure: String?

    init(seed: UInt64) {
        generator = SeededRandom(seed: seed)
        budget = Int.random(in: 100...400, using: &generator)
        largest = Int.random(in: 10...150, using: &generator)
        for worker in 1...3 {
            var limits = Scheduler.Limits()
            limits.budget = budget
            limits.allowance = 40
            limits.partBytes = 80
            limits.offerLedgers = Int.random(in: 1...20, using: &generator)
            limits.concurrency = Int.random(in: 1...4, using: &generator)
            limits.offers = Int.random(in: 1...4, using: &generator)
            var scheduler = Scheduler(
                run: RunID(rawValue: "r"), worker: worker, round: 1, limits: limits, firstNumber: worker * 1_000_000)
            let length = Int.random(in: 1...12, using: &generator)
            scheduler.requestLength = { _, _ in length }
            let actions = scheduler.begin()
            fetchers.append(Fetcher(scheduler: scheduler))
            carryOut(actions, worker - 1)
        }
    }

    mutating func take(_ event: Scheduler.Event, _ fetcher: Int) { carryOut(fetchers[fetcher].scheduler.take(event), fetcher) }

    mutating func carryOut(_ actions: [Scheduler.Action], _ fetcher: Int) {
        for action in actions {
            switch action {
            case .request(let request): fetchers[fetcher].requests.append(request)
            case .cancel(let id): fetchers[fetcher].requests.removeAll { $0.id == id }
            case .offer(let header): fetchers[fetcher].offers[header.number] = header
            case .withdraw(let number): fetchers[fetcher].offers[number] = nil
            case .send(let header, _):
                if header.ledgers.lowerBound <= committed { failure = "ledgers \(header.ledgers) came twice" }
                held[header.ledgers.lowerBound] = header
                settle(header, fetcher)
            case .ready(let batches): fetchers[fetcher].credits += batches
            case .failed(let batch, let reason, _): failure = "batch \(batch.id) failed: \(reason)"
            }
        }
        // Requests may all give more than the last ones did; the last ledger of each may exceed its allowance.
        let most = budget + 5 * (40 + largest)
        let bytes = fetchers[fetcher].scheduler.heldBytes
        if bytes > most { failure = "\(bytes) bytes are held, \(most) at most were expected" }
    }

    mutating func settle(_ header: PartHeader, _ fetcher: Int) {
        let sent = header.ledgers.upperBound
        for (id, lease) in leases where lease.fetcher == fetcher && lease.ledgers.overlaps(header.ledgers) {
            leases[id] = sent < lease.ledgers.upperBound ? (fetcher, (sent + 1)...lease.ledgers.upperBound) : nil
        }
        while let part = held.removeValue(forKey: committed + 1) { committed = part.ledgers.upperBound }
    }

    mutating func step() {
        let fetcher = Int.random(in: 0..<3, using: &generator)
        switch Int.random(in: 0..<12, using: &generator) {
        case 0, 1: assign(fetcher)
        case 2, 3, 4, 5, 6:
            guard let index = fetchers[fetcher].requests.indices.randomElement(using: &generator) else { return }
            let request = fetchers[fetcher].requests.remove(at: index)
            // Now and then the response is short.
            let end = Bool.random(using: &generator) ? request.ledgers.upperBound : UInt32.random(in: request.ledgers, using: &generator)
            var bytes = 0
            var last = request.ledgers.lowerBound - 1
            repeat {
                last += 1
                bytes += Int.random(in: 0...largest, using: &generator)
            } while last < end && bytes < request.allowance
            take(.fetched(id: request.id, rows(request.ledgers.lowerBound...last, bytes: bytes)), fetcher)
        case 7, 8, 9: reply(fetcher)
        case 10: take(.tick, fetcher)
        default:
            // Seldom a batch is taken back.
            guard Int.random(in: 0..<20, using: &generator) == 0, let id = leases.keys.sorted().randomElement(using: &generator),
                let lease = leases.removeValue(forKey: id)
            else { return }
            waiting.append(lease.ledgers)
            waiting.sort { $0.lowerBound < $1.lowerBound }
            take(.revoked([id]), lease.fetcher)
        }
    }

    mutating func assign(_ fetcher: Int) {
        guard fetchers[fetcher].credits > 0 else { return }
        let ledgers: LedgerRange
        if let first = waiting.first {
            waiting.removeFirst()
            ledgers = first
        } else if next <= end, next < committed + 150 {
            ledgers = next...min(end, next + UInt32.random(in: 0...15, using: &generator))
            next = ledgers.upperBound + 1
        } else {
            return
        }
        fetchers[fetcher].credits -= 1
        lastID += 1
        leases[lastID] = (fetcher, ledgers)
        take(.assigned([batch(lastID, ledgers)]), fetcher)
    }

    /// The writer has room for little beside what comes next.
    mutating func reply(_ fetcher: Int) {
        let offers = fetchers[fetcher].offers.values.sorted { $0.number < $1.number }
        guard let header = offers.randomElement(using: &generator) else { return }
        let room = held.values.reduce(0) { $0 + $1.bytes } + header.bytes <= 100
        guard header.ledgers.lowerBound == committed + 1 || room else { return }
        fetchers[fetcher].offers[header.number] = nil
        take(.reply(.send(round: 1, number: header.number)), fetcher)
    }
}
