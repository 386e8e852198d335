import Inspection
import Testing

/// How fast a cursor moves, from looks at it.
@Suite struct CursorSpeedTests {
    private func speed(_ looks: [(Double, UInt32)]) -> Double? {
        var speed = CursorSpeed()
        for (seconds, ledger) in looks { speed.look(at: seconds, ledger: ledger) }
        return speed.ledgersPerSecond
    }

    @Test func unknownWithoutAMove() {
        #expect(speed([]) == nil)
        #expect(speed([(0, 100)]) == nil)
        #expect(speed([(0, 100), (1, 100), (2, 100)]) == nil)
    }

    @Test func steadyMoves() {
        #expect(speed([(0, 100), (1, 200), (2, 300), (3, 400)]) == 100)
    }

    /// A writer that commits every two seconds: the time before its first commit and after its last one is not counted.
    @Test func seldomMoves() {
        #expect(speed([(0, 100), (0.5, 100), (1, 300), (2, 300), (3, 500), (3.5, 500)]) == 100)
    }

    @Test func oneMoveCountsFromFirstToLastLook() {
        #expect(speed([(0, 100), (1, 100), (2, 300), (4, 300)]) == 50)
    }

    @Test func aStandstillShows() {
        #expect(speed([(0, 100), (1, 200), (2, 300), (20, 300)]) == 10)
    }

    @Test func whatWasBeforeAResetOrLongAgoDoesNotCount() {
        #expect(speed([(0, 900), (1, 1000), (2, 100)]) == nil)
        #expect(speed([(0, 900), (1, 1000), (2, 100), (3, 200), (4, 300)]) == 100)
        #expect(speed([(0, 0), (100, 1000), (101, 1100), (102, 1200)]) == 100)
    }
}
