import Pipeline
import Testing

@Suite struct CursorVerdictTests {
    private func judge(_ cursor: CursorReading, committed: UInt32 = 100, attempted: UInt32 = 100, latest: UInt32 = 150) -> CursorVerdict {
        CursorVerdict.judge(cursor: cursor, committed: committed, attempted: attempted, latest: latest)
    }

    @Test func whatWeCommittedIsOurs() {
        #expect(judge(.at(100)) == .ours(100))
        #expect(judge(.at(120), attempted: 130) == .ours(120), "a commit whose report was lost")
        #expect(judge(.at(100), latest: 100) == .ours(100))
    }

    @Test func pastUsAndEqualToTheLatestIsAHandoff() {
        #expect(judge(.at(150)) == .handoff(at: 150))
        #expect(judge(.at(150), attempted: 149) == .handoff(at: 150))
    }

    @Test(arguments: [CursorReading.at(99), .at(101), .at(149), .at(151), .missing, .invalid("soon")])
    func anythingElseIsForeignAndSaysTheNumbers(cursor: CursorReading) {
        guard case .foreign(let text) = judge(cursor) else {
            Issue.record("\(cursor) was believed")
            return
        }
        #expect(text.contains("100"))
    }
}
