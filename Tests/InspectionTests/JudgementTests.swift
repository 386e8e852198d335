import Inspection
import Testing

/// What `doctor` thinks of numbers that a test cannot make real.
@Suite struct JudgementTests {
    @Test(arguments: [(140_011, Finding.Verdict.fail), (150_000, .ok), (180_001, .ok), (0, .fail)])
    func versions(number: Int, verdict: Finding.Verdict) {
        #expect(DatabaseExamination.version("x", number: number).verdict == verdict)
    }

    @Test(arguments: [(0, Finding.Verdict.ok), (4.9, .ok), (5, .warn), (3600, .warn)])
    func clocks(seconds: Double, verdict: Finding.Verdict) {
        #expect(DatabaseExamination.clock(difference: seconds).verdict == verdict)
    }

    @Test(arguments: [(3, Finding.Verdict.ok), (59, .ok), (61, .warn), (-4, .ok), (-60, .warn)])
    func latestLedgers(seconds: Double, verdict: Finding.Verdict) {
        #expect(SourceExamination.age(seconds: seconds, of: 1000).verdict == verdict)
    }

    @Test func latencies() {
        #expect(SourceExamination.latency([1, 2, 300, 1, 2], of: 5).verdict == .ok)
        #expect(SourceExamination.latency([1000, 2, 3000, 1200, 1500], of: 5).verdict == .warn)
        #expect(SourceExamination.latency([1, 2], of: 5).verdict == .warn)
    }

    @Test(arguments: [(UInt64(100), Finding.Verdict.fail), (256, .warn), (1023, .warn), (1024, .ok), (.max, .ok)])
    func openFiles(limit: UInt64, verdict: Finding.Verdict) {
        #expect(MachineExamination.files(limit: limit).verdict == verdict)
    }

    @Test func roomAndMemory() {
        #expect(MachineExamination.temporaryFolder("/tmp", free: 1e9, pathLength: 40).verdict == .ok)
        #expect(MachineExamination.temporaryFolder("/tmp", free: 1000, pathLength: 40).verdict == .warn)
        #expect(MachineExamination.temporaryFolder("/tmp", free: 1e9, pathLength: 100).verdict == .fail)
        #expect(MachineExamination.memory(available: 4e9).verdict == .ok)
        #expect(MachineExamination.memory(available: 5e8).verdict == .warn)
        #expect(MachineExamination.memory(available: nil).verdict == .warn)
    }

    @Test(
        arguments: [
            (0, "0 s"), (0.2, "1 s"), (45, "45 s"), (101, "1 min 41 s"), (11_520, "3 h 12 min"), (459_795, "5.3 days"), (1e8, "3.2 years"),
        ])
    func durations(seconds: Double, text: String) {
        #expect(Readable.duration(seconds) == text)
    }
}
