import Testing

import Timescale

@Suite struct ChunkWatchScheduleTests {
    private static let day: Int64 = 86_400_000_000
    private let start = ContinuousClock.now

    private func chunk(day: Int64, compressed: Bool) -> Chunk {
        Chunk(
            name: "chunk \(day)", times: (day * Self.day)..<((day + 1) * Self.day), isCompressed: compressed, rows: 0, batches: 0, bytes: 0,
            compressedBytes: 0)
    }

    @Test func theFirstLedgerIsAskedAboutAndThenEachNewChunk() {
        var schedule = ChunkWatchSchedule()
        #expect(schedule.isDue(Self.day, at: start))
        _ = schedule.answered(chunk(day: 1, compressed: false), to: Self.day, at: start)
        #expect(!schedule.isDue(Self.day, at: start))
        #expect(!schedule.isDue(2 * Self.day - 1, at: start))
        #expect(schedule.isDue(2 * Self.day, at: start))
        #expect(schedule.isDue(Self.day - 1, at: start))
    }

    /// A chunk that is yet to be made has no range: that of a day is taken.
    @Test func noChunkIsAnAnswerForADay() {
        var schedule = ChunkWatchSchedule()
        #expect(schedule.answered(nil, to: Self.day + 5, at: start) == nil)
        #expect(!schedule.isDue(Self.day, at: start))
        #expect(!schedule.isDue(2 * Self.day - 1, at: start))
        #expect(schedule.isDue(2 * Self.day, at: start))
        // Before 2000, too.
        _ = schedule.answered(nil, to: -5, at: start)
        #expect(!schedule.isDue(-1, at: start) && !schedule.isDue(-Self.day, at: start))
        #expect(schedule.isDue(0, at: start))
    }

    @Test func aChunkIsAskedAboutAgainAfterAWhile() {
        var schedule = ChunkWatchSchedule()
        _ = schedule.answered(chunk(day: 1, compressed: false), to: Self.day, at: start)
        #expect(!schedule.isDue(Self.day, at: start + ChunkWatchSchedule.interval - .seconds(1)))
        #expect(schedule.isDue(Self.day, at: start + ChunkWatchSchedule.interval))
    }

    @Test func aCompressedChunkIsNewsOnce() {
        var schedule = ChunkWatchSchedule()
        #expect(schedule.answered(chunk(day: 1, compressed: false), to: Self.day, at: start) == nil)
        // Compressed meanwhile.
        let compressed = chunk(day: 1, compressed: true)
        #expect(schedule.answered(compressed, to: Self.day, at: start) == compressed)
        #expect(schedule.answered(compressed, to: Self.day, at: start) == nil)
        let next = chunk(day: 2, compressed: true)
        #expect(schedule.answered(next, to: 2 * Self.day, at: start) == next)
    }

    @Test func afterAFailureItIsNotAskedAtOnce() {
        var schedule = ChunkWatchSchedule()
        schedule.failed(at: start)
        #expect(!schedule.isDue(Self.day, at: start))
        #expect(!schedule.isDue(9 * Self.day, at: start))
        #expect(schedule.isDue(Self.day, at: start + ChunkWatchSchedule.interval))
    }
}
