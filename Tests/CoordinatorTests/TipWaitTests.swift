import Coordinator
import Testing

/// The wait at the tip, look by look; how it meets live ingestion is explored by the model.
struct TipWaitTests {
    private static func wait(accepting: Bool = false) -> TipWait {
        TipWait(wait: .seconds(5), acceptConvergence: accepting, at: .seconds(100))
    }

    @Test func aWholeWaitWithoutLiveIngestionConverges() {
        var wait = Self.wait()
        #expect(wait.decide(liveIngestionRuns: false, moved: false, at: .seconds(100)) == .waitOn)
        #expect(wait.decide(liveIngestionRuns: false, moved: false, at: .seconds(104.9)) == .waitOn)
        #expect(wait.decide(liveIngestionRuns: false, moved: false, at: .seconds(105)) == .converged)
    }

    @Test func theWaitBeginsAnewWhenLiveIngestionWasSeen() {
        var wait = Self.wait()
        #expect(wait.decide(liveIngestionRuns: false, moved: false, at: .seconds(100)) == .waitOn)
        #expect(wait.decide(liveIngestionRuns: true, moved: false, at: .seconds(104)) == .waitOn)
        #expect(wait.decide(liveIngestionRuns: false, moved: false, at: .seconds(106)) == .waitOn)
        #expect(wait.decide(liveIngestionRuns: false, moved: false, at: .seconds(110.9)) == .waitOn)
        #expect(wait.decide(liveIngestionRuns: false, moved: false, at: .seconds(111)) == .converged)
    }

    @Test func whileLiveIngestionRunsThereIsNoConvergenceUnlessItIsAccepted() {
        var wait = Self.wait()
        #expect(wait.decide(liveIngestionRuns: true, moved: false, at: .seconds(100)) == .waitOn)
        #expect(wait.decide(liveIngestionRuns: true, moved: false, at: .seconds(105)) == .waitForLiveIngestion)
        #expect(wait.decide(liveIngestionRuns: true, moved: false, at: .seconds(9000)) == .waitForLiveIngestion)
        var accepting = Self.wait(accepting: true)
        #expect(accepting.decide(liveIngestionRuns: true, moved: false, at: .seconds(104)) == .waitOn)
        #expect(accepting.decide(liveIngestionRuns: true, moved: false, at: .seconds(105)) == .converged)
    }

    @Test(arguments: [true, false]) func whateverMovesIsReadFirst(runs: Bool) {
        var wait = Self.wait(accepting: true)
        #expect(wait.decide(liveIngestionRuns: runs, moved: true, at: .seconds(200)) == .readAgain)
    }
}
