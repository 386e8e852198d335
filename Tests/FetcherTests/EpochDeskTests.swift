import Fetcher
import Pipeline
import Protocols
import StellarXDR
import Testing

@Suite struct EpochDeskTests {
    /// The hash of a ledger in a chain that joins.
    private func hash(_ ledger: UInt32) -> Hash32 { Hash32(words: (0, 0, 0, UInt64(ledger))) }

    private func page(_ ledgers: LedgerRange, previous: Hash32? = nil) -> PageRows {
        PageRows(ledgers: ledgers, rows: [], previousHash: previous ?? hash(ledgers.lowerBound - 1), lastHash: hash(ledgers.upperBound))
    }

    private func batch(_ id: BatchID, _ ledgers: LedgerRange) -> Batch { Batch(id: id, ledgers: ledgers, protocols: ["A"]) }

    @Test func asksForEnoughToFillItsSlotsAndNotTwice() {
        var desk = EpochDesk(concurrency: 8)
        #expect(desk.credits(pageLength: 8) == 1, "one batch of a hundred ledgers is enough for 8 pages of 8")
        #expect(desk.credits(pageLength: 8) == nil)
        desk.add(batch(1, 1...100))
        #expect(desk.credits(pageLength: 8) == nil)
        for _ in 1...8 { _ = desk.nextJob(pageLength: 8) }
        #expect(desk.nextJob(pageLength: 8) == nil, "all slots are taken")
        #expect(desk.credits(pageLength: 8) == 1, "36 ledgers are left, less than the slots will want")
    }

    @Test func shortBatchesAreAskedForInNumbers() {
        var desk = EpochDesk(concurrency: 4)
        _ = desk.credits(pageLength: 2)
        desk.add(batch(1, 1...1))
        #expect(desk.credits(pageLength: 2) == 7)
    }

    @Test func pagesOfSeveralBatchesAreUnderWayAtOnceLowestFirst() {
        var desk = EpochDesk(concurrency: 4)
        desk.add(batch(2, 11...14))
        desk.add(batch(1, 1...10))
        #expect((0..<4).map { _ in desk.nextJob(pageLength: 4)?.ledgers } == [1...4, 5...7, 8...10, 11...14])
    }

    @Test func aBatchIsWholeWhenAllItsPagesAreThereInWhateverOrder() throws {
        var desk = EpochDesk(concurrency: 4)
        desk.add(batch(1, 1...12))
        let jobs = (0..<3).compactMap { _ in desk.nextJob(pageLength: 4) }
        for job in [jobs[2], jobs[0]] { #expect(try desk.finish(job, page(job.ledgers)) == nil) }
        let finished = try #require(try desk.finish(jobs[1], page(jobs[1].ledgers)))
        #expect(finished.pages.map(\.ledgers) == [1...4, 5...8, 9...12])
        #expect(desk.holding.isEmpty)
    }

    @Test func theRestOfAShortPageIsAskedForAgain() throws {
        var desk = EpochDesk(concurrency: 1)
        desk.add(batch(1, 1...4))
        let job = try #require(desk.nextJob(pageLength: 4))
        desk.requestEnded()
        #expect(try desk.finish(job, page(1...3)) == nil)
        let rest = try #require(desk.nextJob(pageLength: 4))
        #expect(rest.ledgers == 4...4)
        #expect(try desk.finish(rest, page(4...4))?.pages.count == 2)
    }

    @Test func pagesThatDoNotJoinAreRefused() throws {
        var desk = EpochDesk(concurrency: 2)
        desk.add(batch(1, 1...4))
        let jobs = (0..<2).compactMap { _ in desk.nextJob(pageLength: 2) }
        _ = try desk.finish(jobs[0], page(1...2))
        #expect(throws: PagesDoNotJoin.self) { try desk.finish(jobs[1], page(3...4, previous: hash(77))) }
        #expect(desk.giveBack(jobs[1]))
    }

    @Test func aLatePageOfABatchGivenBackIsNotTakenForOneOfItsNextLease() throws {
        var desk = EpochDesk(concurrency: 4)
        desk.add(batch(1, 1...4))
        let early = (0..<2).compactMap { _ in desk.nextJob(pageLength: 2) }
        #expect(desk.giveBack(early[0]))
        #expect(!desk.giveBack(early[1]), "it was given back already")
        desk.add(batch(1, 1...4))
        let late = (0..<2).compactMap { _ in desk.nextJob(pageLength: 2) }
        #expect(late.count == 2)
        #expect(try desk.finish(early[1], page(3...4)) == nil)
        #expect(try desk.finish(late[0], page(1...2)) == nil)
        #expect(try desk.finish(late[1], page(3...4))?.pages.count == 2)
    }
}
