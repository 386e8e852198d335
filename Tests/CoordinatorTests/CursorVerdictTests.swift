import Coordinator
import Store
import Testing

@Suite struct CursorVerdictTests {
    private func judge(_ cursor: CursorReading, floor: UInt32 = 100, committed: UInt32 = 100, attempted: UInt32 = 100, latest: UInt32 = 150)
        -> CursorVerdict
    {
        CursorVerdict.judge(cursor: cursor, floor: floor, committed: committed, attempted: attempted, latest: latest)
    }

    @Test func whatWeCommittedIsOurs() {
        #expect(judge(.ledger(100)) == .ours(100))
        #expect(judge(.ledger(120), attempted: 130) == .ours(120), "a commit whose report was lost")
        #expect(judge(.ledger(100), latest: 100) == .ours(100))
    }

    @Test func beforeTheFirstSnapshotAWriterOfAnEarlierRunMayHaveCommitted() {
        let attempted = CursorVerdict.anythingAttempted
        #expect(judge(.ledger(120), attempted: attempted) == .ours(120))
        #expect(judge(.ledger(150), attempted: attempted) == .ours(150), "at the latest ledger too: that alone makes no handoff")
    }

    @Test func aServerThatCrashedMayHaveLostCommitsButNotThoseBeforeTheRun() {
        #expect(judge(.ledger(60), floor: 50) == .ours(60))
        #expect(judge(.ledger(50), floor: 50) == .ours(50))
        guard case .foreign = judge(.ledger(49), floor: 50) else {
            Issue.record("a cursor before the run's start was believed")
            return
        }
    }

    @Test func pastUsAndEqualToTheLatestIsAHandoff() {
        #expect(judge(.ledger(150)) == .handoff(at: 150))
        #expect(judge(.ledger(150), attempted: 149) == .handoff(at: 150))
    }

    @Test(arguments: [CursorReading.ledger(99), .ledger(101), .ledger(149), .ledger(151), .missing, .malformed("soon")])
    func anythingElseIsForeignAndSaysTheNumbers(cursor: CursorReading) {
        guard case .foreign(let text) = judge(cursor) else {
            Issue.record("\(cursor) was believed")
            return
        }
        #expect(text.contains("100"))
    }
}
