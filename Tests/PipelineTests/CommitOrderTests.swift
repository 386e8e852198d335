import Pipeline
import Protocols
import Testing

@Suite struct CommitOrderTests {
    private let run = RunID(rawValue: "r")

    private func header(
        _ ledgers: LedgerRange, _ protocols: [ProtocolID] = ["A"], run: String = "r", epoch: Epoch = 1, worker: WorkerID = 1, rows: Int = 1,
        previous: String? = nil
    ) -> RowsHeader {
        RowsHeader(
            run: RunID(rawValue: run), epoch: epoch, worker: worker,
            batch: Batch(id: Int(ledgers.lowerBound), ledgers: ledgers, protocols: protocols),
            parts: protocols.map { RowsHeader.Part(protocolID: $0, frames: [rows]) },
            previousHash: previous ?? "h\(ledgers.lowerBound - 1)", lastHash: "h\(ledgers.upperBound)")
    }

    private func order(_ cursors: [ProtocolID: UInt32] = ["A": 10]) -> CommitOrder<Int> {
        var order = CommitOrder<Int>(run: run)
        order.begin(epoch: 1, cursors: cursors)
        return order
    }

    @Test func waitsForTheBatchThatComesNextAndJoinsWhatIsConsecutive() throws {
        var order = order()
        #expect(order.accept(header(21...30), 2) == .accepted)
        #expect(try order.nextGroup(maxRows: 100) == nil)
        #expect(order.accept(header(11...20), 1) == .accepted)
        let group = try #require(try order.nextGroup(maxRows: 100))
        #expect(group.ledgers == 11...30)
        #expect(group.members.map(\.payload) == [1, 2])
        order.committed(group, for: ["A"])
        #expect(order.cursors == ["A": 30])
        #expect(order.waitingCount == 0)
    }

    @Test func aDeliveryOfAnEpochThatIsStillToBeginIsEarlyAndNotStale() {
        var order = order()
        #expect(order.isEarly(header(11...20, epoch: 2)))
        #expect(!order.isEarly(header(11...20, epoch: 1)))
        #expect(!order.isEarly(header(11...20, run: "another", epoch: 2)))
        order.begin(epoch: 2, cursors: ["A": 10])
        #expect(!order.isEarly(header(11...20, epoch: 2)))
        #expect(order.accept(header(11...20, epoch: 2), 1) == .accepted)
        order.end()
        #expect(order.isEarly(header(21...30, epoch: 3)))
    }

    @Test func joinsNoMoreRowsThanAllowedButNeverLessThanOneBatch() throws {
        var order = order()
        _ = order.accept(header(11...20, rows: 60), 1)
        _ = order.accept(header(21...30, rows: 60), 2)
        #expect(try order.nextGroup(maxRows: 100)?.ledgers == 11...20)
        #expect(try order.nextGroup(maxRows: 10)?.ledgers == 11...20)
    }

    @Test func dropsWhatIsOfAnotherRunEpochOrADeadWorker() {
        var order = order()
        order.giveUp(7)
        for stale in [header(11...20, run: "old"), header(11...20, epoch: 0), header(11...20, epoch: 2), header(11...20, worker: 7)] {
            guard case .stale = order.accept(stale, 0) else {
                Issue.record("accepted \(stale)")
                continue
            }
        }
        #expect(order.waitingCount == 0)
    }

    @Test func aSecondDeliveryOfTheSameBatchIsADuplicateBeforeAndAfterItsCommit() throws {
        var order = order()
        #expect(order.accept(header(11...20), 1) == .accepted)
        #expect(order.accept(header(11...20, worker: 2), 2) == .duplicate)
        let group = try #require(try order.nextGroup(maxRows: 100))
        order.committed(group, for: ["A"])
        #expect(order.accept(header(11...20, worker: 3), 3) == .duplicate)
    }

    @Test func aBatchThatBeginsAtLedgerZeroIsNoReasonToCrash() throws {
        var order = order()
        _ = order.accept(
            RowsHeader(
                run: run, epoch: 1, worker: 1, batch: Batch(id: 1, ledgers: 0...UInt32.max, protocols: ["A"]),
                parts: [RowsHeader.Part(protocolID: "A", frames: [])], previousHash: "", lastHash: ""), 1)
        #expect(try order.nextGroup(maxRows: 10) == nil)
    }

    @Test func refusesWhatOverlapsTheCursorOrAnotherBatch() {
        var order = order()
        guard case .refused = order.accept(header(5...20), 1) else { Issue.record("overlap with the cursor"); return }
        #expect(order.accept(header(11...20), 1) == .accepted)
        guard case .refused = order.accept(header(11...15), 1) else { Issue.record("overlap with a batch"); return }
    }

    @Test func protocolsThatStandApartJoinWhereTheyMeet() throws {
        var order = order(["A": 10, "B": 20])
        _ = order.accept(header(21...30, ["A", "B"]), 2)
        #expect(try order.nextGroup(maxRows: 100) == nil)
        _ = order.accept(header(11...20), 1)
        let first = try #require(try order.nextGroup(maxRows: 100))
        #expect(first.ledgers == 11...20)
        #expect(first.protocols == ["A"])
        order.committed(first, for: ["A"])
        let second = try #require(try order.nextGroup(maxRows: 100))
        #expect(second.protocols == ["A", "B"])
    }

    @Test func aProtocolWhoseSwapFailedTakesNoFurtherPart() throws {
        var order = order(["A": 10, "B": 10])
        _ = order.accept(header(11...20, ["A", "B"]), 1)
        _ = order.accept(header(21...30, ["A", "B"]), 2)
        let first = try #require(try order.nextGroup(maxRows: 1))
        order.committed(first, for: ["B"])
        #expect(order.cursors == ["B": 20])
        #expect(try order.nextGroup(maxRows: 1)?.protocols == ["B"])
        order.drop("B")
        #expect(order.waitingCount == 0)
    }

    @Test func aBrokenChainIsNotCommitted() throws {
        var order = order()
        _ = order.accept(header(11...20), 1)
        _ = order.accept(header(21...30, previous: "other"), 2)
        let group = try #require(try order.nextGroup(maxRows: 100))
        #expect(group.ledgers == 11...20)
        order.committed(group, for: ["A"])
        #expect(throws: ChainBroken.self) { try order.nextGroup(maxRows: 100) }
        order.remove(Batch(id: 21, ledgers: 21...30, protocols: ["A"]))
        #expect(order.accept(header(21...30), 3) == .accepted)
        #expect(try order.nextGroup(maxRows: 100)?.ledgers == 21...30)
    }

    @Test func theChainHoldsAcrossEpochs() throws {
        var order = order()
        _ = order.accept(header(11...20), 1)
        order.committed(try #require(try order.nextGroup(maxRows: 100)), for: ["A"])
        order.begin(epoch: 2, cursors: ["A": 20])
        _ = order.accept(header(21...30, epoch: 2, previous: "other"), 2)
        #expect(throws: ChainBroken.self) { try order.nextGroup(maxRows: 100) }
    }
}
