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

    /// From one third of a run on the time left is right within a fifth, though the workers took seven seconds to start, commits come in bursts, and
    /// half of the ledgers were there before.
    @Test(arguments: [(0, 30.0), (60_000, 30.0), (0, 400.0)])
    func theTimeLeftIsRight(_ before: Int, _ seconds: Double) throws {
        var meter = ProgressMeter(keep: 60)
        let (start, total) = (7.0, 120_000 - before)
        let perSecond = Double(total) / seconds
        for second in stride(from: 0.0, to: start + seconds, by: 1) {
            // What is committed comes in pieces of a second and a half.
            let worked = (max(0, second - start) / 1.5).rounded(.down) * 1.5
            let done = Int(worked * perSecond)
            meter.note(seconds: second, ledgers: before + done)
            guard second >= start + seconds / 3, second < start + seconds - 3 else { continue }
            let left = try #require(meter.eta(left: total - done))
            let truth = start + seconds - second
            #expect(abs(left - truth) <= 0.2 * truth + 1.5, "after \(second) s: \(left) s left, in truth \(truth)")
        }
    }

    /// A slower source shows within a minute.
    @Test func theTimeLeftFollowsTheSpeed() throws {
        var meter = ProgressMeter(keep: 60)
        var done = 0
        for second in 0..<200 {
            done += second < 100 ? 1000 : 250
            meter.note(seconds: Double(second), ledgers: done)
        }
        #expect(try #require(meter.eta(left: 250_000)) == 1000)
    }

    @Test func nothingMovingHasNoTimeLeft() {
        var meter = ProgressMeter()
        meter.note(seconds: 0, ledgers: 5)
        meter.note(seconds: 9, ledgers: 5)
        #expect(meter.rate == 0)
        #expect(meter.eta(left: 1) == nil)
    }
}
