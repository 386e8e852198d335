import Pipeline
import StateChanges
import TestSupport
import Testing

@Suite struct LeaseTableTests {
    private func table(_ cursors: [ProtocolID: UInt32] = ["SEP41": 0], target: UInt32 = 100, length: Int = 10, window: Int = 4)
        -> LeaseTable
    {
        LeaseTable(plan: RoundPlan(cursors: cursors, target: target), batchLength: length, window: Window(batches: window))
    }

    /// The table and the first batch of a plan of one batch, leased to fetcher 1.
    private func leased(_ ledgers: Int = 10, maxFailures: Int = 5) throws -> (table: LeaseTable, batch: Batch) {
        var table = LeaseTable(
            plan: RoundPlan(cursors: ["SEP41": 0], target: UInt32(ledgers)), batchLength: ledgers, window: Window(batches: 100),
            bytesPerLedger: 1, maxFailures: maxFailures)
        table.ask(1, by: 1)
        let batch = try #require(table.grants().first?.batch)
        return (table, batch)
    }

    // MARK: leasing

    @Test func nothingIsLeasedUnasked() {
        var table = table()
        #expect(table.grants().isEmpty)
        table.ask(1, by: 1)
        #expect(table.grants().map(\.batch.ledgers) == [1...10])
        #expect(table.grants().isEmpty)
    }

    /// A file whose ledgers lay in two batches would be fetched twice.
    @Test(arguments: [
        (8, 20, 1 << 20, [1...15, 16...31, 32...47, 48...60]), (8, 5, 1 << 20, [1...7, 8...15, 16...23, 24...31]),
        (64, 10, 1 << 20, [1...60]), (1, 20, 1 << 20, [1...20, 21...40, 41...60]),
        // Where ledgers are so rich that a file is too much for a batch, it is cut.
        (64, 10, 12, [1...12, 13...24, 25...36, 37...48]), (8, 20, 12, [1...7, 8...15, 16...23, 24...31]),
    ])
    func batchesEndWhereFilesEnd(perFile: Int, length: Int, batchBytes: Int, batches: [ClosedRange<UInt32>]) {
        var table = LeaseTable(
            plan: RoundPlan(cursors: ["SEP41": 0], target: 60), batchLength: length, ledgersPerFile: perFile,
            window: Window(batches: 4, batchBytes: batchBytes), bytesPerLedger: 1)
        table.ask(9, by: 1)
        #expect(table.grants().map(\.batch.ledgers) == batches)
    }

    @Test func theWindowBoundsWhatIsLeasedBeyondTheLastCommit() {
        var table = table(target: 1000, window: 3)
        table.ask(100, by: 1)
        #expect(table.grants().map(\.batch.ledgers) == [1...10, 11...20, 21...30])
        table.received(11...30, bytes: 10)
        #expect(table.grants().isEmpty, "received is not committed")
        table.received(1...10, bytes: 10)
        table.committed(through: 20)
        #expect(table.grants().map(\.batch.ledgers) == [31...40, 41...50])
        #expect(table.handedOut == 50)
        #expect(table.committedLedgers == 20)
        table.window = Window(batches: 5)
        #expect(table.grants().map(\.batch.ledgers) == [51...60, 61...70], "a fetcher has come")
    }

    @Test func theWindowDoesNotHoldBackWhatHasToBeFetchedAgain() {
        var table = table(window: 2)
        table.ask(2, by: 1)
        _ = table.grants()
        #expect(table.lost(1, crashed: false).takenBack == [1...10, 11...20])
        table.ask(9, by: 2)
        #expect(table.grants().map(\.batch.ledgers) == [1...10, 11...20])
    }

    @Test func batchesAreCutWhereACursorStands() {
        var table = table(["SEP41": 0, "SEP50": 15], target: 30)
        table.ask(9, by: 1)
        #expect(
            table.grants().map(\.batch) == [
                Batch(id: 1, ledgers: 1...10, protocols: ["SEP41"]), Batch(id: 2, ledgers: 11...15, protocols: ["SEP41"]),
                Batch(id: 3, ledgers: 16...25, protocols: ["SEP41", "SEP50"]),
                Batch(id: 4, ledgers: 26...30, protocols: ["SEP41", "SEP50"]),
            ])
    }

    @Test func theLastLedgersAreSharedAmongTheFetchers() {
        var table = table(target: 10, length: 100)
        table.ask(1, by: 1)
        table.ask(1, by: 2)
        #expect(table.grants().map(\.batch.ledgers) == [1...5, 6...8])
    }

    @Test func whoAskedForMostIsServedFirst() {
        var table = table()
        table.ask(1, by: 1)
        table.ask(3, by: 2)
        #expect(table.grants().map(\.worker) == [2, 2, 1, 2])
    }

    // MARK: bytes

    @Test func theFirstBatchesAreShortUntilTheBytesOfALedgerAreKnown() {
        var table = table(target: 100_000, length: 10_000)
        table.ask(1, by: 1)
        #expect(table.grants().map(\.batch.ledgers) == [1...100])
        table.received(1...100, bytes: 0)
        table.ask(1, by: 1)
        #expect(table.grants().map(\.batch.ledgers) == [101...10_100])
    }

    @Test func whatAnEarlierRoundHasFoundCountsFromTheFirstBatchOn() {
        var table = LeaseTable(
            plan: RoundPlan(cursors: ["SEP41": 0], target: 100_000), batchLength: 10_000, window: Window(batches: 4, batchBytes: 1000),
            bytesPerLedger: 50)
        table.ask(1, by: 1)
        #expect(table.grants().map(\.batch.ledgers) == [1...20])
    }

    @Test func batchesBecomeShorterWhereLedgersAreRichInRows() {
        var table = LeaseTable(
            plan: RoundPlan(cursors: ["SEP41": 0], target: 1000), batchLength: 100, window: Window(batches: 10, batchBytes: 1000))
        table.ask(1, by: 1)
        #expect(table.grants().first?.batch.ledgers.count == 100)
        table.received(1...100, bytes: 10_000)
        #expect(table.bytesPerLedger == 100)
        table.ask(1, by: 1)
        #expect(table.grants().first?.batch.ledgers.count == 10)
        table.received(101...110, bytes: 0)
        #expect(table.bytesPerLedger == 80, "it falls slowly")
        table.received(101...110, bytes: 1_000_000)
        #expect(table.bytesPerLedger == 100_000, "and rises at once")
        table.ask(1, by: 1)
        #expect(table.grants().first?.batch.ledgers.count == 1, "a single ledger may be larger than a batch should be")
    }

    // MARK: parts

    @Test func aBatchMayArriveInPieces() {
        var table = table()
        table.ask(1, by: 1)
        #expect(table.grants().map(\.batch.ledgers) == [1...10])
        table.received(1...4, bytes: 4)
        #expect(table.heartbeat(of: 1, holding: [1]).isEmpty)
        table.received(5...9, bytes: 5)
        table.received(10...10, bytes: 1)
        #expect(table.lost(1, crashed: false).takenBack.isEmpty, "all of it is there")
        table.committed(through: 10)
        #expect(table.committedLedgers == 10)
    }

    @Test func whatTheWriterHasOfALostBatchIsNotFetchedAgain() {
        var table = table(target: 10)
        table.ask(1, by: 1)
        _ = table.grants()
        table.received(1...4, bytes: 4)
        #expect(table.lost(1, crashed: false).takenBack == [5...10])
        table.ask(1, by: 2)
        #expect(table.grants() == [LeaseTable.Grant(worker: 2, batch: Batch(id: 2, ledgers: 5...10, protocols: ["SEP41"]))])
        table.committed(through: 4)
        #expect(!table.isComplete)
        table.received(5...10, bytes: 6)
        table.committed(through: 10)
        #expect(table.isComplete)
        #expect(table.committedLedgers == 10)
    }

    @Test func aPieceWhoseBeginningIsMissingDoesNotCount() {
        var table = table(target: 10)
        table.ask(1, by: 1)
        _ = table.grants()
        table.received(6...10, bytes: 5)
        #expect(table.lost(1, crashed: false).takenBack == [1...10])
    }

    @Test func aPartMaySpanBatches() {
        var table = table(target: 30)
        table.ask(3, by: 1)
        _ = table.grants()
        table.received(1...15, bytes: 15)
        #expect(table.lost(1, crashed: false).takenBack == [16...20, 21...30])
    }

    @Test func aBatchMayBeCommittedInParts() {
        var table = table(target: 10)
        table.ask(1, by: 1)
        _ = table.grants()
        table.received(1...6, bytes: 6)
        table.committed(through: 4)
        #expect(table.committedLedgers == 4)
        #expect(table.lost(1, crashed: false).takenBack == [7...10])
        table.committed(through: 6)
        #expect(table.committedLedgers == 6)
        #expect(table.outstanding == 1)
        table.ask(1, by: 2)
        #expect(table.grants().map(\.batch.ledgers) == [7...10])
        table.committed(through: 10)
        #expect(table.isComplete)
        #expect(table.committedLedgers == 10)
    }

    @Test func whatIsCommittedBeyondItsReportOfReceiptIsDone() {
        var table = table(target: 10)
        table.ask(1, by: 1)
        _ = table.grants()
        table.committed(through: 10)
        #expect(table.isComplete)
        #expect(table.lost(1, crashed: true) == table.lost(7, crashed: true), "there is nothing to take back")
    }

    // MARK: what goes wrong

    @Test func aLostFetchersBatchesGoToAnotherLowestFirst() {
        var table = table()
        table.ask(2, by: 1)
        table.ask(1, by: 2)
        let first = table.grants()
        let lost = first.filter { $0.worker == 1 }.map(\.batch.ledgers)
        #expect(lost.count == 2)
        #expect(table.lost(1, crashed: false).takenBack == lost)
        table.ask(2, by: 3)
        #expect(
            table.grants().map(\.batch) == [
                Batch(id: 4, ledgers: lost[0], protocols: ["SEP41"]), Batch(id: 5, ledgers: lost[1], protocols: ["SEP41"]),
            ])
    }

    @Test func aLostFetcherIsNotServedAnyMore() {
        var table = table()
        table.ask(5, by: 1)
        _ = table.lost(1, crashed: false)
        #expect(table.grants().isEmpty)
    }

    @Test func aFailedBatchGoesElsewhereUnderAnotherNumberAndEndsTheRunAfterTooMany() throws {
        var (table, batch) = try leased(maxFailures: 3)
        table.ask(9, by: 1)
        table.ask(1, by: 2)
        #expect(table.failed(batch.id, on: 1) == .retry(failures: 1))
        let second = table.grants()
        #expect(second.map(\.worker) == [2], "not the one on which it failed")
        #expect(second.map(\.batch.id) == [batch.id + 1])
        #expect(table.failed(batch.id, on: 1) == .stale, "it is no longer that fetcher's")
        #expect(table.failed(batch.id, on: 2) == .stale, "it has another number now")
        let number = try #require(second.first).batch.id
        #expect(table.failed(number, on: 1) == .stale)
        #expect(table.failed(number, on: 2) == .retry(failures: 2))
        let third = table.grants()
        #expect(third.map(\.worker) == [1], "there is no other one")
        #expect(table.failed(try #require(third.first).batch.id, on: 1) == .giveUp(1...10))
        #expect(table.failed(77, on: 1) == .stale)
    }

    @Test func whatTheWriterHasOfAFailedBatchStays() throws {
        var (table, batch) = try leased()
        table.received(1...3, bytes: 3)
        #expect(table.failed(batch.id, on: 1) == .retry(failures: 1))
        table.ask(1, by: 1)
        #expect(table.grants().map(\.batch.ledgers) == [4...10])
    }

    @Test func whatIsRefusedWithFaultIsFetchedAgainAndCounts() throws {
        var (table, batch) = try leased(maxFailures: 2)
        table.received(1...6, bytes: 6)
        let (failure, revoked) = table.refused(4...6, isFault: true)
        #expect(failure == .retry(failures: 1))
        #expect(revoked.map(\.worker) == [1])
        #expect(revoked.map(\.batch) == [batch.id])
        table.ask(1, by: 2)
        let again = table.grants()
        #expect(again.map(\.batch.ledgers) == [4...10], "before them it was right")
        table.received(4...10, bytes: 7)
        #expect(table.refused(4...10, isFault: true).failure == .giveUp(4...10), "also when all had come")
    }

    @Test func whatIsRefusedWithoutFaultDoesNotCount() throws {
        var (table, batch) = try leased(maxFailures: 1)
        table.received(1...6, bytes: 6)
        let (failure, revoked) = table.refused(4...10, isFault: false)
        #expect(failure == .stale)
        #expect(revoked.map(\.batch) == [batch.id])
        table.ask(1, by: 2)
        #expect(table.grants().map(\.batch.ledgers) == [7...10], "what came first stays")
        #expect(table.refused(1...6, isFault: false).revoked.isEmpty, "nobody works on it")
        #expect(table.refused(50...60, isFault: true).failure == .stale)
    }

    @Test func aLeaseThatItsHolderDoesNotKnowIsTakenBack() {
        var table = table()
        table.ask(3, by: 1)
        _ = table.grants()
        for _ in 1..<30 { #expect(table.heartbeat(of: 1, holding: [1]).isEmpty) }
        #expect(table.heartbeat(of: 1, holding: [1, 3]) == [11...20])
        table.ask(1, by: 1)
        #expect(table.grants().map(\.batch) == [Batch(id: 4, ledgers: 11...20, protocols: ["SEP41"])])
        for _ in 1...30 { #expect(table.heartbeat(of: 2, holding: []).isEmpty, "it has none") }
    }

    @Test func aDroppedProtocolLeavesThePlan() {
        var table = table(["SEP41": 0, "SEP50": 20], target: 40)
        table.ask(1, by: 1)
        _ = table.grants()
        table.drop("SEP41")
        table.ask(9, by: 1)
        #expect(
            table.grants().map(\.batch) == [
                Batch(id: 2, ledgers: 21...30, protocols: ["SEP50"]), Batch(id: 3, ledgers: 31...40, protocols: ["SEP50"]),
            ])
        table.drop("SEP50")
        #expect(table.isComplete)
    }

    @Test func aBatchThatIsCutAlreadyGoesOnForTheProtocolsThatRemain() {
        var table = table(["SEP41": 0, "SEP50": 0], target: 30)
        table.ask(1, by: 1)
        _ = table.grants()
        table.drop("SEP41")
        table.ask(1, by: 1)
        #expect(table.grants().map(\.batch) == [Batch(id: 2, ledgers: 11...20, protocols: ["SEP50"])])
        _ = table.lost(1, crashed: false)
        table.ask(1, by: 2)
        #expect(table.grants().map(\.batch) == [Batch(id: 3, ledgers: 1...10, protocols: ["SEP50"])])
    }

    // MARK: ledgers that kill

    @Test func aSuspectIsAloneWithItsFetcher() {
        var table = table(window: 8)
        table.ask(2, by: 1)
        #expect(table.grants().count == 2)
        #expect(table.lost(1, crashed: true).poison == nil)
        table.ask(3, by: 2)
        #expect(table.grants().map(\.batch.ledgers) == [1...10], "the other suspect needs a fetcher of its own")
        table.ask(3, by: 3)
        #expect(table.grants().map(\.batch.ledgers) == [11...20])
        table.received(1...10, bytes: 10)
        #expect(table.grants().map(\.worker) == [2, 2], "it has survived, and so gets other work")
    }

    @Test func othersGoOnBesideASuspect() {
        var table = table(window: 8)
        table.ask(1, by: 1)
        _ = table.grants()
        table.ask(4, by: 2)
        #expect(table.grants().count == 4)
        #expect(table.lost(1, crashed: true).takenBack == [1...10])
        table.ask(2, by: 2)
        #expect(table.grants().isEmpty, "the only fetcher is kept for the suspect")
        table.ask(2, by: 3)
        #expect(table.grants().first == LeaseTable.Grant(worker: 3, batch: Batch(id: 6, ledgers: 1...10, protocols: ["SEP41"])))
    }

    @Test func aLedgerThatKillsFetchersIsFoundByHalving() throws {
        let poison: UInt32 = 777
        var table = LeaseTable(
            plan: RoundPlan(cursors: ["SEP41": 0], target: 1000), batchLength: 1000, window: Window(batches: 4), bytesPerLedger: 1)
        var deaths = 0
        var found: UInt32?
        var worker = 0
        var steps = 0
        while found == nil, steps < 1000 {
            steps += 1
            worker += 1
            table.ask(1, by: worker)
            for grant in table.grants() where grant.worker == worker {
                if grant.batch.ledgers.contains(poison) {
                    let loss = table.lost(worker, crashed: true)
                    #expect(loss.takenBack.first == grant.batch.ledgers)
                    deaths += 1
                    found = loss.poison
                } else {
                    table.received(grant.batch.ledgers, bytes: 1)
                }
            }
        }
        #expect(found == poison)
        // The whole, four cuts by eight from 1000 to 1, and the single ledger's three.
        #expect(deaths <= 1 + 4 + 3, "\(deaths) fetchers died")
        // Whatever was cut, nothing was lost and nothing is there twice.
        table.received(poison...poison, bytes: 1)
        table.committed(through: 1000)
        #expect(table.isComplete)
        #expect(table.committedLedgers == 1000)
    }

    @Test func deathsOfOtherCausesNameNoLedger() {
        var table = table(target: 8, length: 8)
        for worker in 1...20 {
            table.ask(1, by: worker)
            _ = table.grants()
            #expect(table.lost(worker, crashed: false).poison == nil)
        }
    }

    // MARK: from outside

    @Test func numbersFromOutsideAreNoReasonToCrash() {
        var table = table()
        table.ask(.max, by: 1)
        table.ask(.max, by: 1)
        table.ask(.min, by: 1)
        _ = table.grants()
        table.received(1...40, bytes: .max)
        table.received(0...(.max), bytes: .min)
        #expect(table.grants().isEmpty)
        #expect(table.refused(0...(.max), isFault: true).failure == .retry(failures: 1))
        #expect(table.failed(.min, on: .max) == .stale)
        #expect(table.heartbeat(of: 1, holding: [.min, .max]).isEmpty)
        table.committed(through: 0)
        #expect(table.outstanding == 4)
        table.committed(through: .max)
        #expect(table.outstanding == 0)
    }

    @Test func theLastLedgerOfAllIsALedger() {
        var table = table(["SEP41": .max - 15], target: .max)
        table.ask(9, by: 1)
        let ledgers = table.grants().map(\.batch.ledgers)
        #expect(ledgers.map(\.lowerBound) == [.max - 14, .max - 4])
        #expect(ledgers.map(\.upperBound) == [.max - 5, .max])
        table.committed(through: .max)
        #expect(table.isComplete)
    }

    // MARK: all together

    /// A hundred thousand leases at a time: if a step looked at all of them, this would be ten thousand million looks and not end within the limit.
    @Test(.timeLimit(.minutes(1))) func aStepCostsTheSameHoweverManyLeasesThereAre() {
        let count: UInt32 = 100_000
        var table = table(target: count, length: 1, window: Int(count))
        var leased = 0
        while leased < Int(count) {
            table.ask(1, by: 1)
            leased += table.grants().count
        }
        #expect(table.outstanding == Int(count))
        for ledger in (1...count).reversed() { table.received(ledger...ledger, bytes: 1) }
        for ledger in 1...count { table.committed(through: ledger) }
        #expect(table.isComplete)
        #expect(table.committedLedgers == Int(count))
    }

    /// Whatever happens in whatever order, every planned ledger is committed once, and little beyond the window is leased.
    @Test(arguments: 0..<100) func everyLedgerIsDoneOnceWhateverHappens(seed: UInt64) {
        var story = Story(seed: seed)
        story.run()
        #expect(story.table.isComplete)
        #expect(story.committed == story.target)
        #expect(story.table.committedLedgers == Int(story.target) - 3)
    }

    /// Fetchers that deliver in pieces, fail and die, and a writer that refuses now and then.
    private struct Story {
        private var random: SeededRandom
        let target: UInt32
        private let window: Int
        var table: LeaseTable
        /// What each lease still has to deliver.
        private var working: [(worker: WorkerID, id: BatchID, rest: LedgerRange)] = []
        /// Ledgers that the writer has and has not committed.
        private var received: Set<UInt32> = []
        private(set) var committed: UInt32 = 3

        init(seed: UInt64) {
            random = SeededRandom(seed: seed)
            target = UInt32.random(in: 50...400, using: &random)
            window = Int.random(in: 1...6, using: &random)
            table = LeaseTable(
                plan: RoundPlan(cursors: ["A": 3, "B": UInt32.random(in: 3...49, using: &random)], target: target),
                batchLength: Int.random(in: 1...30, using: &random), window: Window(batches: window), maxFailures: .max)
        }

        mutating func run() {
            var steps = 0
            while !table.isComplete, steps < 50_000 {
                steps += 1
                table.ask(1, by: Int.random(in: 1...3, using: &random))
                for grant in table.grants() {
                    #expect(!working.contains { $0.rest.overlaps(grant.batch.ledgers) }, "leased twice")
                    working.append((grant.worker, grant.batch.id, grant.batch.ledgers))
                }
                step()
            }
        }

        private mutating func step() {
            let index = working.indices.randomElement(using: &random)
            switch (Int.random(in: 0..<20, using: &random), index) {
            case (0, let index?):
                let worker = working[index].worker
                _ = table.lost(worker, crashed: Bool.random(using: &random))
                working.removeAll { $0.worker == worker }
            case (1, let index?):
                #expect(table.failed(working[index].id, on: working[index].worker) != .stale)
                working.remove(at: index)
            case (2, _):
                guard let ledger = received.max() else { break }
                // The writer has refused everything from here on, and forgotten it.
                let refused = ledger...ledger
                received.subtract(refused)
                revoke(table.refused(refused, isFault: true).revoked)
            case (3, let index?):
                revoke(table.refused(working[index].rest, isFault: false).revoked)
            case (4...13, let index?): deliver(index)
            default:
                var last = committed
                while received.contains(last + 1), Bool.random(using: &random) || last == committed { last += 1 }
                guard last > committed else { break }
                received.subtract((committed + 1)...last)
                committed = last
                table.committed(through: last)
            }
        }

        /// A piece from the beginning, or all that is left.
        private mutating func deliver(_ index: Int) {
            let (worker, id, rest) = working[index]
            let piece = rest.lowerBound...UInt32.random(in: rest, using: &random)
            table.received(piece, bytes: Int.random(in: 0...5000, using: &random))
            received.formUnion(piece)
            if piece.upperBound == rest.upperBound {
                working.remove(at: index)
            } else {
                working[index] = (worker, id, (piece.upperBound + 1)...rest.upperBound)
            }
        }

        private mutating func revoke(_ revoked: [(worker: WorkerID, batch: BatchID)]) {
            working.removeAll { lease in revoked.contains { $0.worker == lease.worker && $0.batch == lease.id } }
        }
    }
}
