import Pipeline
import Testing

@Suite struct ProgressMeterTests {
    @Test func rateAndTimeLeftComeFromTheLastSamples() {
        var meter = ProgressMeter(keep: 3)
        #expect(meter.rate == nil)
        meter.note(seconds: 0, ledgers: 0)
        #expect(meter.rate == nil)
        meter.note(seconds: 1, ledgers: 1000)
        meter.note(seconds: 2, ledgers: 1100)
        meter.note(seconds: 3, ledgers: 1200)
        #expect(meter.rate == 100)
        #expect(meter.eta(left: 500) == 5)
    }

    @Test func nothingMovingHasNoTimeLeft() {
        var meter = ProgressMeter()
        meter.note(seconds: 0, ledgers: 5)
        meter.note(seconds: 9, ledgers: 5)
        #expect(meter.rate == 0)
        #expect(meter.eta(left: 1) == nil)
    }
}
