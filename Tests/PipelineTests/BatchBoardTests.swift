import Pipeline
import Protocols
import Testing

@Suite struct BatchBoardTests {
    private func board(_ cursors: RoundPlan, length: Int = 10, window: Int = 4) -> BatchBoard {
        BatchBoard(plan: cursors, batchLength: length, window: Window(batches: window))
    }

    @Test func numbersFromOutsideAreNoReasonToCrash() {
        var board = board(RoundPlan(cursors: ["SEP41": 0], target: 100))
        board.grant(.max, to: 1)
        board.grant(.max, to: 1)
        board.grant(.min, to: 1)
        _ = board.assignments()
        for id in 1...4 { board.received(id, bytes: .max) }
        #expect(board.assignments().isEmpty)
        board.received(.min, bytes: .min)
        board.committed(through: .max)
        #expect(board.outstanding == 0)
    }

    @Test func nothingIsGivenOutUnasked() {
        var board = board(RoundPlan(cursors: ["SEP41": 0], target: 100))
        #expect(board.assignments().isEmpty)
        board.grant(1, to: 1)
        #expect(board.assignments().map(\.batch.ledgers) == [1...10])
        #expect(board.assignments().isEmpty)
    }

    @Test func theWindowBoundsWhatIsGivenOutBeyondTheLastCommit() {
        var board = board(RoundPlan(cursors: ["SEP41": 0], target: 1000), window: 3)
        board.grant(100, to: 1)
        #expect(board.assignments().map(\.batch.ledgers) == [1...10, 11...20, 21...30])
        board.received(2, bytes: 10)
        board.received(3, bytes: 10)
        #expect(board.assignments().isEmpty, "received is not committed")
        board.received(1, bytes: 10)
        board.committed(through: 20)
        #expect(board.assignments().map(\.batch.ledgers) == [31...40, 41...50])
        #expect(board.handedOut == 50)
        #expect(board.committedLedgers == 20)
    }

    @Test func theWindowInBytesHoldsNewBatchesBackButNotRepeatedOnes() {
        var board = BatchBoard(
            plan: RoundPlan(cursors: ["SEP41": 0], target: 1000), batchLength: 10, window: Window(batches: 10, receivedBytes: 100))
        board.grant(3, to: 1)
        _ = board.assignments()
        board.received(2, bytes: 200)
        board.grant(5, to: 2)
        #expect(board.assignments().isEmpty)
        #expect(board.lost(1).map(\.id) == [1, 3])
        #expect(board.assignments().map(\.batch.id) == [1, 3])
    }

    @Test func batchesBecomeShorterWhereLedgersAreRichInRows() {
        var board = BatchBoard(
            plan: RoundPlan(cursors: ["SEP41": 0], target: 1000), batchLength: 100,
            window: Window(batches: 10, receivedBytes: 1 << 30, batchBytes: 1000))
        board.grant(1, to: 1)
        #expect(board.assignments().first?.batch.ledgers.count == 100)
        board.received(1, bytes: 10_000)
        board.grant(1, to: 1)
        #expect(board.assignments().first?.batch.ledgers.count == 10)
    }

    @Test func aLostFetchersBatchesGoToAnotherLowestFirst() {
        var board = board(RoundPlan(cursors: ["SEP41": 0], target: 100))
        board.grant(2, to: 1)
        board.grant(1, to: 2)
        let first = board.assignments()
        #expect(first.count == 3)
        let lost = first.filter { $0.worker == 1 }.map(\.batch)
        #expect(board.lost(1) == lost)
        board.grant(2, to: 3)
        #expect(board.assignments() == lost.map { BatchBoard.Assignment(worker: 3, batch: $0) })
    }

    @Test func aReceivedBatchIsNotLostWithItsFetcher() {
        var board = board(RoundPlan(cursors: ["SEP41": 0], target: 10))
        board.grant(1, to: 1)
        _ = board.assignments()
        board.received(1, bytes: 0)
        #expect(board.lost(1).isEmpty)
        #expect(!board.isComplete)
        board.committed(through: 10)
        #expect(board.isComplete)
    }

    @Test func aFailedBatchGoesElsewhereAndEndsTheRunAfterTooMany() throws {
        var board = BatchBoard(
            plan: RoundPlan(cursors: ["SEP41": 0], target: 10), batchLength: 100, window: Window(batches: 4), maxFailures: 3)
        board.grant(9, to: 1)
        let batch = try #require(board.assignments().first?.batch)
        board.grant(1, to: 2)
        #expect(board.failed(batch.id, on: 1) == .retry(failures: 1))
        #expect(board.assignments().map(\.worker) == [2], "not the one on which it failed")
        #expect(board.failed(batch.id, on: 1) == .stale, "it is no longer that fetcher's")
        #expect(board.failed(batch.id, on: 2) == .retry(failures: 2))
        _ = board.assignments()
        #expect(board.failed(batch.id, on: nil) == .giveUp(batch))
        #expect(board.failed(77, on: 1) == .stale)
    }

    @Test func aLeaseThatItsHolderDoesNotKnowIsTakenBack() {
        var board = board(RoundPlan(cursors: ["SEP41": 0], target: 100))
        board.grant(3, to: 1)
        _ = board.assignments()
        for _ in 1..<30 { #expect(board.heartbeat(of: 1, holding: [1]).isEmpty) }
        #expect(board.heartbeat(of: 1, holding: [1, 3]).map(\.id) == [2])
        board.grant(1, to: 1)
        #expect(board.assignments().map(\.batch.id) == [2])
    }

    @Test func aDroppedProtocolLeavesThePlan() {
        var board = board(RoundPlan(cursors: ["SEP41": 0, "SEP50": 20], target: 40))
        board.grant(1, to: 1)
        _ = board.assignments()
        board.drop("SEP41")
        board.grant(9, to: 1)
        #expect(
            board.assignments().map(\.batch) == [
                Batch(id: 2, ledgers: 21...30, protocols: ["SEP50"]), Batch(id: 3, ledgers: 31...40, protocols: ["SEP50"]),
            ])
        board.drop("SEP50")
        #expect(board.isComplete)
    }

    @Test func theLastLedgersAreSharedAmongTheFetchers() {
        var board = board(RoundPlan(cursors: ["SEP41": 0], target: 10), length: 100)
        board.grant(1, to: 1)
        board.grant(1, to: 2)
        #expect(board.assignments().map(\.batch.ledgers) == [1...5, 6...8])
    }

    /// Whatever happens in whatever order, every planned ledger is committed once, and nothing beyond the window is given out.
    @Test(arguments: 0..<50) func everyLedgerIsDoneOnceWhateverHappens(seed: UInt64) {
        var random = SplitMix(state: seed)
        let target = UInt32.random(in: 50...400, using: &random)
        let window = Int.random(in: 1...6, using: &random)
        var board = BatchBoard(
            plan: RoundPlan(cursors: ["A": 3, "B": UInt32.random(in: 3...49, using: &random)], target: target),
            batchLength: Int.random(in: 1...30, using: &random), window: Window(batches: window), maxFailures: .max)
        var leased: [BatchBoard.Assignment] = []
        var received: [Batch] = []
        var committed: UInt32 = 3
        var done = 0
        var steps = 0
        while !board.isComplete {
            steps += 1
            guard steps < 20_000 else { break }
            board.grant(1, to: Int.random(in: 1...3, using: &random))
            leased += board.assignments()
            #expect(board.outstanding <= window)
            if leased.isEmpty, received.isEmpty { continue }
            let index = leased.indices.randomElement(using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                guard let worker = leased.randomElement(using: &random)?.worker else { break }
                _ = board.lost(worker)
                leased.removeAll { $0.worker == worker }
            case 1:
                guard let index else { break }
                _ = board.failed(leased[index].batch.id, on: leased[index].worker)
                leased.remove(at: index)
            case 2...6:
                guard let index else { break }
                board.received(leased[index].batch.id, bytes: Int.random(in: 0...5000, using: &random))
                received.append(leased.remove(at: index).batch)
            default:
                guard let next = received.first(where: { $0.ledgers.lowerBound == committed + 1 }) else { break }
                received.removeAll { $0 == next }
                committed = next.ledgers.upperBound
                done += next.ledgers.count
                board.committed(through: committed)
            }
        }
        #expect(board.isComplete)
        #expect(committed == target)
        #expect(done == Int(target - 3))
    }
}

/// A small generator with a seed, so that a failing case can be told by its number.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
