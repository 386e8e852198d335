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
        let atFirst = [desk.credits(pageLength: 8), desk.credits(pageLength: 8)]
        #expect(atFirst == [1, nil], "one batch of a hundred ledgers is enough for 8 pages of 8")
        desk.add(batch(1, 1...100))
        let whenThere = desk.credits(pageLength: 8)
        #expect(whenThere == nil)
        let jobs = (0..<9).map { _ in desk.nextJob(pageLength: 8) }
        #expect(jobs.compactMap { $0 }.count == 8, "all slots are taken")
        let later = desk.credits(pageLength: 8)
        #expect(later == 1, "36 ledgers are left, less than the slots will want")
    }

    @Test func shortBatchesAreAskedForInNumbers() {
        var desk = EpochDesk(concurrency: 4)
        _ = desk.credits(pageLength: 2)
        desk.add(batch(1, 1...1))
        let wanted = desk.credits(pageLength: 2)
        #expect(wanted == 7)
    }

    @Test func pagesOfSeveralBatchesAreUnderWayAtOnceLowestFirst() {
        var desk = EpochDesk(concurrency: 4)
        desk.add(batch(2, 11...14))
        desk.add(batch(1, 1...10))
        let jobs = (0..<4).map { _ in desk.nextJob(pageLength: 4)?.ledgers }
        #expect(jobs == [1...4, 5...7, 8...10, 11...14])
    }

    @Test func aBatchIsWholeWhenAllItsPagesAreThereInWhateverOrder() throws {
        var desk = EpochDesk(concurrency: 4)
        desk.add(batch(1, 1...12))
        let jobs = (0..<3).compactMap { _ in desk.nextJob(pageLength: 4) }
        let early = [try desk.finish(jobs[2], page(jobs[2].ledgers)), try desk.finish(jobs[0], page(jobs[0].ledgers))]
        #expect(early.allSatisfy { $0 == nil })
        let finished = try desk.finish(jobs[1], page(jobs[1].ledgers))
        #expect(finished?.pages.map(\.ledgers) == [1...4, 5...8, 9...12])
        #expect(desk.holding.isEmpty)
    }

    @Test func theRestOfAShortPageIsAskedForAgain() throws {
        var desk = EpochDesk(concurrency: 1)
        desk.add(batch(1, 1...4))
        let first = desk.nextJob(pageLength: 4)
        let job = try #require(first)
        desk.requestEnded()
        let unfinished = try desk.finish(job, page(1...3))
        #expect(unfinished == nil)
        let second = desk.nextJob(pageLength: 4)
        let rest = try #require(second)
        #expect(rest.ledgers == 4...4)
        let finished = try desk.finish(rest, page(4...4))
        #expect(finished?.pages.count == 2)
    }

    @Test func pagesThatDoNotJoinAreRefused() throws {
        var desk = EpochDesk(concurrency: 2)
        desk.add(batch(1, 1...4))
        let jobs = (0..<2).compactMap { _ in desk.nextJob(pageLength: 2) }
        _ = try desk.finish(jobs[0], page(1...2))
        #expect(throws: PagesDoNotJoin.self) { _ = try desk.finish(jobs[1], page(3...4, previous: hash(77))) }
        let givenBack = desk.giveBack(jobs[1])
        #expect(givenBack)
    }

    @Test func aLatePageOfABatchGivenBackIsNotTakenForOneOfItsNextLease() throws {
        var desk = EpochDesk(concurrency: 4)
        desk.add(batch(1, 1...4))
        let early = (0..<2).compactMap { _ in desk.nextJob(pageLength: 2) }
        let givenBack = early.map { desk.giveBack($0) }
        #expect(givenBack == [true, false], "the second time it was given back already")
        desk.add(batch(1, 1...4))
        let late = (0..<2).compactMap { _ in desk.nextJob(pageLength: 2) }
        #expect(late.count == 2)
        let ignored = try desk.finish(early[1], page(3...4))
        let unfinished = try desk.finish(late[0], page(1...2))
        #expect(ignored == nil && unfinished == nil)
        let finished = try desk.finish(late[1], page(3...4))
        #expect(finished?.pages.count == 2)
    }
}
