import Coordinator
import Testing

/// The wait at the tip, look by look; how it meets live ingestion is explored by the model.
struct ConvergenceDetectorTests {
    private static func detector(accepting: Bool = false) -> ConvergenceDetector {
        ConvergenceDetector(wait: .seconds(5), acceptConvergence: accepting, at: .seconds(100))
    }

    @Test func aWholeWaitWithoutLiveIngestionConverges() {
        var detector = Self.detector()
        #expect(detector.decide(liveIngestionRuns: false, moved: false, at: .seconds(100)) == .waitOn)
        #expect(detector.decide(liveIngestionRuns: false, moved: false, at: .seconds(104.9)) == .waitOn)
        #expect(detector.decide(liveIngestionRuns: false, moved: false, at: .seconds(105)) == .converged)
    }

    @Test func theWaitBeginsAnewWhenLiveIngestionWasSeen() {
        var detector = Self.detector()
        #expect(detector.decide(liveIngestionRuns: false, moved: false, at: .seconds(100)) == .waitOn)
        #expect(detector.decide(liveIngestionRuns: true, moved: false, at: .seconds(104)) == .waitOn)
        #expect(detector.decide(liveIngestionRuns: false, moved: false, at: .seconds(106)) == .waitOn)
        #expect(detector.decide(liveIngestionRuns: false, moved: false, at: .seconds(110.9)) == .waitOn)
        #expect(detector.decide(liveIngestionRuns: false, moved: false, at: .seconds(111)) == .converged)
    }

    @Test func whileLiveIngestionRunsThereIsNoConvergenceUnlessItIsAccepted() {
        var detector = Self.detector()
        #expect(detector.decide(liveIngestionRuns: true, moved: false, at: .seconds(100)) == .waitOn)
        #expect(detector.decide(liveIngestionRuns: true, moved: false, at: .seconds(105)) == .waitForLiveIngestion)
        #expect(detector.decide(liveIngestionRuns: true, moved: false, at: .seconds(9000)) == .waitForLiveIngestion)
        var accepting = Self.detector(accepting: true)
        #expect(accepting.decide(liveIngestionRuns: true, moved: false, at: .seconds(104)) == .waitOn)
        #expect(accepting.decide(liveIngestionRuns: true, moved: false, at: .seconds(105)) == .converged)
    }

    @Test(arguments: [true, false]) func whateverMovesIsReadFirst(runs: Bool) {
        var detector = Self.detector(accepting: true)
        #expect(detector.decide(liveIngestionRuns: runs, moved: true, at: .seconds(200)) == .readAgain)
    }
}
