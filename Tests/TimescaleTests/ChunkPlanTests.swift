import StateChanges
import Testing
import Timescale

private let day = Int64(86_400_000_000)

/// A day's chunk.
private func chunk(_ number: Int64, compressed: Bool = true, rows: Int = 100_000, batches: Int = 10_000) -> Chunk {
    Chunk(
        name: "c\(number)", times: (number * day)..<((number + 1) * day), isCompressed: compressed, rows: compressed ? rows : 0,
        batches: compressed ? batches : 0, bytes: compressed ? rows * 300 : 0, compressedBytes: compressed ? rows * 30 : 0)
}

private func at(_ days: Double) -> ClosedRange<Int64> {
    let time = Int64(days * Double(day))
    return time...time
}

/// What the writer does with the chunks that it comes to.
@Suite struct ChunkPlanTests {
    private static func plan(_ chunks: [Chunk], _ mode: CompressedChunks = .auto) -> ChunkPlan {
        var plan = ChunkPlan(mode)
        plan.read(chunks)
        return plan
    }

    /// 100,000 rows are decompressed and compressed again for 2.6 s; a row costs 3 ms in 10,000 batches, so 867 rows are worth it.
    @Test(arguments: [(20, true), (1, false)]) func theCheaperWayFollowsFromTheRowsToCome(rows: Int, decompresses: Bool) {
        // Ledgers of `rows` rows each five minutes: in a day, 288 times as many.
        var plan = Self.plan([chunk(0, compressed: false), chunk(1), chunk(2)])
        for ledger in 0..<12 { plan.wrote(at(Double(ledger) / 288), rows: rows, ledgers: 60, seconds: 0.01) }
        let step = plan.step(before: at(1), rows: rows, ledgers: 1)
        #expect(step == (decompresses ? .decompress(chunk(1)) : .write))
        #expect(plan.ahead == (decompresses ? chunk(1) : nil))
    }

    @Test func theFirstRowsSpeakForThemselves() {
        let plan = Self.plan([chunk(0), chunk(1)])
        #expect(plan.step(before: at(0), rows: 200, ledgers: 100) == .decompress(chunk(0)), "two rows a ledger")
        #expect(plan.step(before: at(0), rows: 1, ledgers: 100) == .write, "one in a hundred ledgers")
        #expect(plan.step(before: at(0.999), rows: 1, ledgers: 1) == .write, "little of the chunk is left")
        #expect(plan.step(before: at(0.999), rows: 900, ledgers: 1) == .decompress(chunk(0)), "these rows alone are worth it")
    }

    @Test func whatARowReallyCostsCounts() {
        let dear = chunk(0, rows: 10_000_000, batches: 10)
        var plan = Self.plan([dear, chunk(1)])
        #expect(plan.step(before: at(0.5), rows: 10, ledgers: 1) == .write, "few batches")
        plan.wrote(at(0.5), rows: 10, ledgers: 1, seconds: 1)
        #expect(plan.step(before: at(0.5001), rows: 10, ledgers: 1) == .decompress(dear), "0.1 s a row")
    }

    @Test func theNewestChunkIsLiveIngestions() {
        let plan = Self.plan([chunk(0), chunk(1)])
        #expect(plan.step(before: at(1.5), rows: 100_000, ledgers: 1) == .write)
        #expect(plan.step(before: (day - 1)...day, rows: 100_000, ledgers: 1) == .decompress(chunk(0)))
        #expect(Self.plan([chunk(0)]).step(before: at(0.5), rows: 100_000, ledgers: 1) == .write)
    }

    @Test func modes() {
        let chunks = [chunk(0), chunk(1), chunk(2)]
        #expect(Self.plan(chunks, .write).step(before: at(0), rows: 1_000_000, ledgers: 1) == .write)
        #expect(Self.plan(chunks, .refuse).step(before: at(0), rows: 1, ledgers: 1) == .refuse(chunk(0)))
        #expect(Self.plan([chunk(0, compressed: false), chunk(1)], .refuse).step(before: at(0), rows: 1, ledgers: 1) == .write)
        #expect(Self.plan([]).step(before: at(0), rows: 1_000_000, ledgers: 1) == .write)
    }

    @Test func aGroupAcrossMidnightNeedsBoth() {
        var plan = Self.plan([chunk(0), chunk(1), chunk(2)])
        let group = (day - 5_000_000)...(day + 5_000_000)
        #expect(plan.step(before: group, rows: 10_000, ledgers: 1) == .decompress(chunk(0)))
        plan.decompressed(chunk(0))
        #expect(plan.step(before: group, rows: 10_000, ledgers: 1) == .decompress(chunk(1)))
        plan.decompressed(chunk(1))
        #expect(plan.step(before: group, rows: 10_000, ledgers: 1) == .write)
    }

    @Test func oneIsDecompressedAhead() {
        var plan = Self.plan([chunk(0, compressed: false), chunk(1), chunk(2), chunk(3)])
        #expect(plan.ahead == nil, "nothing is written yet")
        plan.wrote(at(0.1), rows: 1000, ledgers: 1, seconds: 0.1)
        #expect(plan.ahead == chunk(1))
        plan.decompressed(chunk(1))
        #expect(plan.ahead == nil, "one at a time")
        plan.wrote(at(1.1), rows: 1000, ledgers: 1, seconds: 0.1)
        #expect(plan.ahead == chunk(2))
        plan.decompressed(chunk(2))
        plan.wrote(at(2.1), rows: 1000, ledgers: 1, seconds: 0.1)
        #expect(plan.ahead == nil, "the newest is live ingestion's")
        for mode in [CompressedChunks.write, .refuse] {
            var other = Self.plan([chunk(0, compressed: false), chunk(1), chunk(2)], mode)
            other.wrote(at(0.1), rows: 1000, ledgers: 1, seconds: 0.1)
            #expect(other.ahead == nil)
        }
    }

    @Test func whatSomebodyCompressesAgainIsDecompressedAgain() {
        var plan = Self.plan([chunk(0), chunk(1)])
        plan.decompressed(chunk(0))
        #expect(plan.step(before: at(0.5), rows: 10_000, ledgers: 1) == .write)
        #expect(plan.openChunks == 1)
        plan.read([chunk(0), chunk(1)])
        #expect(plan.openChunks == 0)
        #expect(plan.step(before: at(0.5), rows: 10_000, ledgers: 1) == .decompress(chunk(0)))
    }

    @Test func aDroppedChunkIsForgotten() {
        var plan = Self.plan([chunk(0), chunk(1)])
        plan.decompressed(chunk(0))
        plan.read([chunk(1)])
        #expect(plan.openChunks == 0)
        #expect(plan.step(before: at(0.5), rows: 10_000, ledgers: 1) == .write)
        plan.read([chunk(0), chunk(1)])
        plan.gone(chunk(0))
        #expect(plan.step(before: at(0.5), rows: 10_000, ledgers: 1) == .write)
    }

    @Test func atMostEightStandOpenBehind() {
        let count = Int64(ChunkPlan.mostOpen) + 3
        var plan = Self.plan((0...count).map { chunk($0) })
        for number in 0..<count {
            plan.decompressed(chunk(number))
            plan.wrote(at(Double(number) + 0.5), rows: 1000, ledgers: 1, seconds: 0.1)
            #expect(plan.behind == (number <= ChunkPlan.mostOpen ? nil : chunk(number - Int64(ChunkPlan.mostOpen) - 1)))
            if let behind = plan.behind { plan.compressed(behind) }
        }
        #expect(plan.openChunks == ChunkPlan.mostOpen + 1)
    }
}

/// Whether a migration may begin.
@Suite struct ChunkSurveyTests {
    private static func survey(
        _ chunks: [Chunk] = [chunk(0), chunk(1, compressed: false)], owner: Bool = true, free: Int? = nil
    ) -> ChunkSurvey {
        ChunkSurvey(
            Hypertable(
                schema: "public", name: "state_changes", owner: "keeper", role: "reader", isOwner: owner, hasColumnstore: true,
                functions: "timescale"),
            chunks: chunks, freeBytes: free)
    }

    @Test func nothingIsRefusedWithoutCompressedChunks() {
        for mode in CompressedChunks.allCases {
            #expect(Self.survey([], owner: false, free: 0).refusal(mode) == nil)
            #expect(Self.survey([chunk(0, compressed: false)], owner: false, free: 0).refusal(mode) == nil)
            // The newest one is live ingestion's, compressed or not.
            #expect(Self.survey([chunk(0, compressed: false), chunk(1)], owner: false, free: 0).refusal(mode) == nil)
        }
    }

    @Test func whoWritesThemAsTheyAreIsNotRefused() {
        #expect(Self.survey(owner: false, free: 0).refusal(.write) == nil)
    }

    @Test func theOwnerIsNeeded() throws {
        #expect(Self.survey().refusal(.auto) == nil)
        let text = try #require(Self.survey(owner: false).refusal(.auto))
        for part in [
            "1 of the 2 chunks", "Only keeper", "reader is not", "seconds_to_decompress 1.10", "GRANT keeper TO reader",
            "SELECT timescale.alter_job(", "timescale.decompress_chunk(chunk, true)", "SELECT timescale.show_chunks(",
            "newer_than => timestamptz '2000-01-01T00:00:00Z', older_than => timestamptz '2000-01-02T00:00:00Z'",
            "--compressed-chunks write",
        ] { #expect(text.contains(part), "\(text)") }
    }

    /// Compressed they take 3 MB, decompressed 30.
    @Test func theDiskMustHoldThem() throws {
        #expect(Self.survey(free: 32_500_000).refusal(.auto) == nil)
        let text = try #require(Self.survey(free: 32_000_000).refusal(.auto))
        #expect(text.contains("need 25 MB") && text.contains("30 MB are free"), "\(text)")
        let many = (0..<100).map { chunk(Int64($0)) }
        #expect(Self.survey(many, free: 27_000_000 * 12).refusal(.auto) == nil, "ten stand open at once, whatever there are")
    }

    @Test func refuseIsRefused() throws {
        let text = try #require(Self.survey().refusal(.refuse))
        #expect(text.contains("1 of the 2 chunks") && text.contains("--compressed-chunks auto"), "\(text)")
    }

    @Test func onlyTheChunksOfTheLedgersCount() {
        let survey = Self.survey([chunk(0), chunk(1), chunk(2), chunk(3)])
        #expect(survey.from(2 * day).chunks == [chunk(2), chunk(3)])
        #expect(survey.from(2 * day - 1).chunks == [chunk(1), chunk(2), chunk(3)])
    }
}
