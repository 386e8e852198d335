import Pipeline
import StateChanges
import TestSupport
import Testing
import Writer

private typealias Machine = WriterMachine<Int, Int>

/// A writer's machine with what it did, heartbeats and notices apart.
private struct Bench {
    static let run = RunID(rawValue: "r")
    var machine: Machine
    var notices: [Machine.Notice] = []

    init(limits: Machine.Limits = Machine.Limits()) { machine = Machine(limits: limits) }

    /// A writer with the locks, in round 1.
    static func inRound(_ cursors: [ProtocolID: UInt32] = ["A": 10], limits: Machine.Limits = Machine.Limits()) -> Bench {
        var bench = Bench(limits: limits)
        _ = bench.take(.registered(run: run, protocols: cursors.keys.sorted()))
        _ = bench.take(.connected)
        _ = bench.take(.command(.begin(round: 1, cursors: cursors, oldestName: "oldest_ingest_ledger")))
        return bench
    }

    mutating func take(_ event: Machine.Event) -> [Machine.Action] {
        machine.take(event).filter { action in
            guard case .notice(let notice) = action else { return true }
            notices.append(notice)
            return false
        }
    }

    mutating func offer(_ header: PartHeader, from peer: Int = 1) -> [Machine.Action] { take(.rows(.offer(header), from: peer)) }
    mutating func part(_ header: PartHeader, _ payload: Int = 0) -> [Machine.Action] { take(.part(header, .success(payload))) }
}

private func header(
    _ ledgers: LedgerRange, _ protocols: [ProtocolID] = ["A"], number: Int? = nil, worker: WorkerID = 1, round: RoundNumber = 1,
    run: RunID = Bench.run, bytes: Int = 10, previous: String? = nil
) -> PartHeader {
    PartHeader(
        run: run, round: round, worker: worker, number: number ?? Int(ledgers.lowerBound), ledgers: ledgers,
        rows: protocols.map { PartHeader.Rows(protocolID: $0, frames: [1]) }, bytes: bytes,
        previousHash: previous ?? "h\(ledgers.lowerBound - 1)", lastHash: "h\(ledgers.upperBound)")
}

private func report(_ ledgers: LedgerRange, _ swaps: [ProtocolID: CommitReport.Swap] = ["A": .swapped]) -> CommitReport {
    CommitReport(ledgers: ledgers, swaps: swaps, rows: [:], bytes: 0, seconds: 0)
}

private func commits(_ actions: [Machine.Action]) -> [LedgerRange] {
    actions.compactMap { if case .commit(let group, _) = $0 { group.ledgers } else { nil } }
}

@Suite struct WriterMachineTests {
    // MARK: Registration and the fence

    @Test func holdsAllLocksBeforeItIsReady() {
        var bench = Bench()
        #expect(bench.take(.registered(run: Bench.run, protocols: ["B", "A"])) == [.connect(locks: ["A", "B"])])
        #expect(bench.take(.connected) == [.send(.ready)])
        #expect(bench.take(.registered(run: Bench.run, protocols: ["A", "B"])) == [.send(.ready)], "it has the locks already")
        #expect(
            bench.take(.registered(run: Bench.run, protocols: ["A"])) == [.disconnect, .connect(locks: ["A"])],
            "the lock of B would keep others out")
    }

    @Test func aWriterThatStandsByHasNoConnection() {
        var bench = Bench()
        #expect(bench.take(.standBy) == [])
        _ = bench.take(.registered(run: Bench.run, protocols: ["A"]))
        #expect(bench.take(.standBy) == [])
        #expect(bench.take(.connected) == [.disconnect])
    }

    @Test func isNotReadyWhileATransactionIsUnderWay() {
        var bench = Bench.inRound()
        _ = bench.offer(header(11...20))
        #expect(commits(bench.part(header(11...20))) == [11...20])
        #expect(bench.take(.lost) == [.hurry])
        #expect(bench.take(.registered(run: Bench.run, protocols: ["A"])) == [], "once is enough")
        #expect(bench.take(.committed(report(11...20))) == [.send(.ready)], "the report belongs to an earlier registration")
    }

    // MARK: Parts

    @Test func asksThenCommitsInOrder() {
        var bench = Bench.inRound()
        #expect(bench.offer(header(21...30)) == [.reply(.send(round: 1, number: 21), to: 1)])
        #expect(bench.part(header(21...30)) == [.send(.received(round: 1, ledgers: 21...30, bytes: 10))])
        #expect(bench.offer(header(11...20), from: 2) == [.reply(.send(round: 1, number: 11), to: 2)])
        let actions = bench.part(header(11...20))
        #expect(actions.first == .send(.received(round: 1, ledgers: 11...20, bytes: 10)))
        #expect(commits(actions) == [11...30])
        #expect(bench.take(.committed(report(11...30))) == [.send(.committed(round: 1, report: report(11...30)))])
    }

    @Test func askedForOnceWithoutRoomForMoreButAlwaysForWhatComesNext() {
        var limits = Machine.Limits()
        limits.budget = 100
        var bench = Bench.inRound(limits: limits)
        #expect(bench.offer(header(21...30, bytes: 60)) == [.reply(.send(round: 1, number: 21), to: 1)])
        #expect(bench.offer(header(31...40, bytes: 60)) == [], "no room")
        #expect(bench.offer(header(41...50, bytes: 10)) == [], "room, but a lower one waits")
        #expect(bench.offer(header(11...20, bytes: 70)) == [.reply(.send(round: 1, number: 11), to: 1)], "it comes next")
        _ = bench.part(header(21...30, bytes: 60))
        let actions = bench.part(header(11...20, bytes: 70))
        #expect(commits(actions) == [11...30])
        #expect(!actions.contains(.reply(.send(round: 1, number: 31), to: 1)), "it is not waited for yet, and there is no room")
        #expect(
            bench.take(.committed(report(11...30))).suffix(2) == [
                .reply(.send(round: 1, number: 31), to: 1), .reply(.send(round: 1, number: 41), to: 1),
            ])
    }

    @Test func whatWasNotAskedForIsNotKept() {
        var bench = Bench.inRound()
        #expect(bench.part(header(11...20)) == [])
        #expect(bench.notices.map(\.text) == ["part dropped"])
        _ = bench.offer(header(11...20, bytes: 10))
        #expect(
            bench.part(header(11...20, bytes: 99_000_000)) == [
                .send(.refused(round: 1, ledgers: 11...20, worker: 1, reason: "it is not what was offered", isFault: true))
            ])
        #expect(bench.machine.heldBytes == 0)
    }

    @Test func aPartThatIsHereCountsAsReceivedAgain() {
        var bench = Bench.inRound()
        _ = bench.offer(header(21...30))
        _ = bench.part(header(21...30))
        #expect(
            bench.offer(header(21...30, number: 5, worker: 2), from: 2) == [
                .send(.received(round: 1, ledgers: 21...30, bytes: 10)), .reply(.have(round: 1, number: 5), to: 2),
            ])
    }

    @Test func whatOverlapsIsRefusedWithoutFault() {
        var bench = Bench.inRound()
        _ = bench.offer(header(21...30))
        _ = bench.part(header(21...30))
        let actions = bench.offer(header(25...35, worker: 2), from: 2)
        guard case .send(.refused(1, 25...35, 2, _, false))? = actions.first else { Issue.record("\(actions)"); return }
        #expect(actions.last == .reply(.drop(round: 1, number: 25), to: 2))
    }

    @Test func whatCannotBeReadIsAFault() {
        var bench = Bench.inRound()
        _ = bench.offer(header(11...20))
        #expect(
            bench.take(.part(header(11...20), .failure(UnfitPart(header: header(11...20), reason: "odd")))) == [
                .send(.refused(round: 1, ledgers: 11...20, worker: 1, reason: "odd", isFault: true))
            ])
        #expect(bench.offer(header(11...20, number: 2)) == [.reply(.send(round: 1, number: 2), to: 1)], "another one may come")
    }

    @Test func aBrokenChainIsAFaultAndLeavesTheRoundUnderWay() {
        var bench = Bench.inRound()
        _ = bench.offer(header(11...20))
        _ = bench.part(header(11...20))
        _ = bench.take(.committed(report(11...20)))
        _ = bench.offer(header(21...30, previous: "other"))
        let actions = bench.part(header(21...30, previous: "other"))
        #expect(commits(actions) == [])
        guard case .send(.refused(1, 21...30, 1, let reason, true))? = actions.last else { Issue.record("\(actions)"); return }
        #expect(reason.contains("ledger 21 names other"))
        _ = bench.offer(header(21...30, number: 2))
        #expect(commits(bench.part(header(21...30, number: 2))) == [21...30])
    }

    @Test func dropsWhatIsOfAnotherRunOrRoundOrOfADeadFetcher() {
        var bench = Bench.inRound()
        #expect(bench.take(.command(.giveUp(worker: 7))) == [])
        let stale = [header(11...20, run: RunID(rawValue: "old")), header(11...20, round: 0), header(11...20, worker: 7)]
        for header in stale {
            #expect(bench.offer(header) == [.reply(.drop(round: header.round, number: 11), to: 1)])
            #expect(bench.part(header) == [])
        }
        #expect(bench.notices.allSatisfy { $0.text == "part dropped" && $0.level == .debug })
        #expect(bench.machine.heldBytes == 0)
    }

    @Test func aFetcherThatIsGivenUpHoldsNoPlace() {
        var limits = Machine.Limits()
        limits.budget = 100
        var bench = Bench.inRound(limits: limits)
        _ = bench.offer(header(21...30, worker: 7, bytes: 90))
        #expect(bench.offer(header(31...40, bytes: 90)) == [])
        #expect(bench.take(.command(.giveUp(worker: 7))) == [.reply(.send(round: 1, number: 31), to: 1)])
    }

    @Test func anEarlyOfferIsAskedForWhenItsRoundBegins() {
        var bench = Bench.inRound()
        #expect(bench.offer(header(11...20, round: 2)) == [])
        #expect(bench.take(.command(.halt(round: 1))) == [.send(.stopped(round: 1))])
        #expect(bench.offer(header(21...30, round: 3)) == [])
        #expect(
            bench.take(.command(.begin(round: 2, cursors: ["A": 10], oldestName: "oldest_ingest_ledger"))) == [
                .reply(.send(round: 2, number: 11), to: 1)
            ])
        _ = bench.take(.command(.halt(round: 2)))
        #expect(
            bench.take(.command(.begin(round: 3, cursors: ["A": 20], oldestName: "oldest_ingest_ledger"))) == [
                .reply(.send(round: 3, number: 21), to: 1)
            ])
    }

    @Test func offersAreBounded() {
        var limits = Machine.Limits()
        limits.offers = 2
        limits.budget = 0
        var bench = Bench.inRound(limits: limits)
        for first: UInt32 in [101, 201, 301, 401] { _ = bench.offer(header(first...(first + 9))) }
        for number in 1...100 { _ = bench.offer(header(501...510, number: number, round: 2)) }
        // The third and fourth were not kept: they are not asked for when those before them are withdrawn and there is room only for what comes next.
        #expect(bench.offer(header(11...20)) == [.reply(.send(round: 1, number: 11), to: 1)], "what comes next is asked for all the same")
        _ = bench.take(.command(.halt(round: 1)))
        #expect(
            bench.take(.command(.begin(round: 2, cursors: ["A": 500], oldestName: "oldest_ingest_ledger"))).count == 0,
            "none was kept beside the two")
    }

    @Test func aWithdrawnPartGivesItsPlaceUp() {
        var limits = Machine.Limits()
        limits.budget = 100
        var bench = Bench.inRound(limits: limits)
        _ = bench.offer(header(21...30, bytes: 90))
        _ = bench.offer(header(31...40, bytes: 90))
        #expect(
            bench.take(.rows(.withdraw(run: Bench.run, round: 1, worker: 1, number: 21), from: 1)) == [
                .reply(.send(round: 1, number: 31), to: 1)
            ])
    }

    /// A part may be lost on its way, and so may the request for it: neither blocks the ledgers for good.
    @Test func whatIsLostOnItsWayCanComeAgain() {
        var bench = Bench.inRound()
        #expect(bench.offer(header(11...20)) == [.reply(.send(round: 1, number: 11), to: 1)])
        #expect(bench.offer(header(11...20), from: 9) == [.reply(.send(round: 1, number: 11), to: 9)], "on another connection")
        #expect(bench.offer(header(11...15, number: 77, worker: 2), from: 2) == [.reply(.send(round: 1, number: 77), to: 2)])
        #expect(commits(bench.part(header(11...15, number: 77, worker: 2))) == [11...15])
        _ = bench.take(.committed(report(11...15)))
        #expect(bench.offer(header(16...30, number: 78, worker: 2), from: 2) == [.reply(.send(round: 1, number: 78), to: 2)])
        _ = bench.part(header(16...30, number: 78, worker: 2))
        _ = bench.take(.committed(report(16...30)))
        #expect(bench.machine.heldBytes == 0, "the lost part holds no place any more")
    }

    // MARK: Protocols

    @Test func aProtocolWhoseSwapFailedTakesNoFurtherPart() {
        var bench = Bench.inRound(["A": 10, "B": 10])
        _ = bench.offer(header(11...20, ["A", "B"]))
        _ = bench.part(header(11...20, ["A", "B"]))
        _ = bench.take(.committed(report(11...20, ["A": .swapped, "B": .found("25")])))
        _ = bench.offer(header(21...30, ["A", "B"]))
        guard case .commit(let group, _)? = bench.part(header(21...30, ["A", "B"])).last else { Issue.record("not committed"); return }
        #expect(group.protocols == ["A"])
    }

    @Test func whatIsNoLongerKeptTakesNoFurtherPartAndTheRoundsNameIsThatOfTheCommit() {
        var bench = Bench.inRound(["A": 10, "B": 20])
        _ = bench.offer(header(11...20))
        guard case .commit(_, "oldest_ingest_ledger")? = bench.part(header(11...20)).last else { Issue.record("not committed"); return }
        let below = report(11...20, ["A": .belowOldest(15)])
        #expect(bench.take(.committed(below)).first == .send(.committed(round: 1, report: below)))
        _ = bench.offer(header(21...30, ["A", "B"]))
        guard case .commit(let group, _)? = bench.part(header(21...30, ["A", "B"])).last else { Issue.record("not committed"); return }
        #expect(group.protocols == ["B"])
    }

    // MARK: Ends

    @Test func stopsAfterTheTransactionUnderWay() {
        var bench = Bench.inRound()
        _ = bench.offer(header(11...20))
        _ = bench.part(header(11...20))
        #expect(bench.take(.command(.halt(round: 1))) == [.hurry])
        #expect(
            bench.take(.committed(report(11...20))) == [.send(.committed(round: 1, report: report(11...20))), .send(.stopped(round: 1))])
    }

    @Test func whatHasNotBegunIsGivenUpWithoutAWord() {
        for (event, end) in [
            (Machine.Event.command(.halt(round: 1)), Machine.Action.send(.stopped(round: 1))),
            (.stop("SIGTERM"), .end(reason: "SIGTERM", inGoodOrder: true)),
        ] {
            var bench = Bench.inRound()
            _ = bench.offer(header(11...20))
            _ = bench.part(header(11...20))
            _ = bench.take(event)
            #expect(bench.take(.commitFailed(CommitFailure(reason: "the round is over", kind: .abandoned))) == [end])
            #expect(bench.notices.isEmpty)
        }
    }

    /// It must not stay under way for good, whoever gave it up.
    @Test func aGroupThatIsGivenUpAlthoughItIsWantedInterruptsTheRound() {
        var bench = Bench.inRound()
        _ = bench.offer(header(11...20))
        _ = bench.part(header(11...20))
        let actions = bench.take(.commitFailed(CommitFailure(reason: "given up", kind: .abandoned)))
        #expect(actions == [.send(.interrupted(round: 1, reason: "given up", permanent: false)), .send(.ready)])
    }

    /// A slow database gets a group in several transactions.
    @Test func everyTransactionOfAGroupIsReported() {
        var bench = Bench.inRound()
        _ = bench.offer(header(11...20))
        _ = bench.part(header(11...20))
        #expect(bench.take(.committedInPart(report(11...14))) == [.send(.committed(round: 1, report: report(11...14)))])
        _ = bench.offer(header(21...30))
        #expect(commits(bench.part(header(21...30))).isEmpty, "the group is still under way")
        let actions = bench.take(.committed(report(15...20)))
        #expect(actions.first == .send(.committed(round: 1, report: report(15...20))))
        #expect(commits(actions) == [21...30])
        _ = bench.take(.lost)
        _ = bench.take(.registered(run: Bench.run, protocols: ["A"]))
        #expect(bench.take(.committedInPart(report(21...22))) == [], "it belongs to an earlier registration")
    }

    @Test func endsAfterTheTransactionUnderWay() {
        var bench = Bench.inRound()
        _ = bench.offer(header(11...20))
        _ = bench.part(header(11...20))
        #expect(bench.take(.stop("SIGTERM")) == [.hurry])
        #expect(
            bench.take(.committed(report(11...20))) == [
                .send(.committed(round: 1, report: report(11...20))), .end(reason: "SIGTERM", inGoodOrder: true),
            ])
        #expect(bench.take(.connected) == [], "after the end nothing is done")
    }

    @Test func whatMayPassInterruptsTheRoundAndReadyWaitsForTheDatabase() {
        var bench = Bench.inRound()
        let full = CommitFailure(reason: "disk full", kind: .mayPass)
        func fail(_ round: RoundNumber) -> [Machine.Action] {
            _ = bench.offer(header(11...20, number: round, round: round))
            _ = bench.part(header(11...20, number: round, round: round))
            return bench.take(.commitFailed(full))
        }
        #expect(fail(1) == [.check(afterSeconds: 1), .send(.interrupted(round: 1, reason: "disk full", permanent: false))])
        #expect(bench.take(.checked(full)) == [.check(afterSeconds: 2)])
        #expect(bench.take(.checked(nil)) == [.send(.ready)])
        _ = bench.take(.command(.begin(round: 2, cursors: ["A": 10], oldestName: "oldest_ingest_ledger")))
        #expect(fail(2).first == .check(afterSeconds: 4), "a check that succeeds is no transaction that succeeds")
        for seconds in [8, 16, 30, 30] { #expect(bench.take(.checked(full)) == [.check(afterSeconds: seconds)]) }
        #expect(bench.take(.checked(nil)) == [.send(.ready)])
        _ = bench.take(.command(.begin(round: 3, cursors: ["A": 10], oldestName: "oldest_ingest_ledger")))
        _ = bench.offer(header(11...20, round: 3))
        _ = bench.part(header(11...20, round: 3))
        _ = bench.take(.committed(report(11...20)))
        _ = bench.offer(header(21...30, round: 3))
        _ = bench.part(header(21...30, round: 3))
        #expect(bench.take(.commitFailed(full)).first == .check(afterSeconds: 1), "after a success it begins anew")
    }

    @Test func aLostConnectionIsMadeAnewWithItsLocks() {
        var bench = Bench.inRound()
        _ = bench.offer(header(11...20))
        _ = bench.part(header(11...20))
        #expect(
            bench.take(.commitFailed(CommitFailure(reason: "gone", kind: .connectionLost))) == [
                .send(.interrupted(round: 1, reason: "gone", permanent: false)), .connect(locks: ["A"]),
            ])
        #expect(bench.take(.connected) == [.check(afterSeconds: 1)])
        #expect(bench.take(.checked(nil)) == [.send(.ready)])
    }

    @Test func aRefusalIsPermanent() {
        var bench = Bench.inRound()
        _ = bench.offer(header(11...20))
        _ = bench.part(header(11...20))
        #expect(
            bench.take(.commitFailed(CommitFailure(reason: "rows there", kind: .refused))) == [
                .send(.interrupted(round: 1, reason: "rows there", permanent: true))
            ])
    }

    @Test func aDatabaseThatCannotBeReachedEndsTheWriter() {
        var bench = Bench()
        _ = bench.take(.registered(run: Bench.run, protocols: ["A"]))
        #expect(
            bench.take(.unreachable("away")) == [
                .send(.interrupted(round: 0, reason: "away", permanent: true)), .end(reason: "away", inGoodOrder: false),
            ])
    }

    // MARK: Memory and progress

    /// Fetchers with parts of random sizes, in random order, offers repeated: everything is committed in the end, and never is more here than the budget and
    /// one part. With every odd seed parts are lost on their way.
    @Test(arguments: 0..<50) func neverHoldsMoreThanTheBudgetAndNeverStops(seed: UInt64) {
        var generator = SeededRandom(seed: seed)
        var limits = Machine.Limits()
        limits.budget = 1000
        limits.bytesPerTransaction = 300
        var bench = Bench.inRound(["A": 0], limits: limits)
        var first: UInt32 = 1
        var waiting: [PartHeader] = []
        while first < 600 {
            let last = first + UInt32.random(in: 0...9, using: &generator)
            waiting.append(
                header(
                    first...last, number: Int(first), worker: Int.random(in: 1...3, using: &generator),
                    bytes: Int.random(in: 0...400, using: &generator)))
            first = last + 1
        }
        let largest = waiting.map(\.bytes).max() ?? 0
        var wanted: [PartHeader] = []
        var committing: LedgerRange?
        var committed: UInt32 = 0
        waiting.shuffle(using: &generator)
        var steps = 0
        while committed < first - 1 {
            steps += 1
            guard steps < 100_000 else {
                Issue.record("no progress beyond ledger \(committed)")
                return
            }
            var actions: [Machine.Action] = []
            switch Int.random(in: 0..<3, using: &generator) {
            case 0:
                // Offers are repeated until they get a reply.
                if let header = waiting.randomElement(using: &generator) { actions = bench.offer(header, from: header.worker) }
            case 1:
                guard let index = wanted.indices.randomElement(using: &generator) else { continue }
                let header = wanted.remove(at: index)
                // One in ten is lost on its way, and fetched again by another.
                if seed % 2 == 1, Int.random(in: 0..<10, using: &generator) == 0 {
                    waiting.append(
                        PartHeader(
                            run: header.run, round: 1, worker: header.worker % 3 + 1, number: header.number + 1000, ledgers: header.ledgers,
                            rows: header.rows, bytes: header.bytes, previousHash: header.previousHash, lastHash: header.lastHash))
                } else {
                    actions = bench.part(header)
                }
            default:
                guard let ledgers = committing else { continue }
                committing = nil
                committed = ledgers.upperBound
                actions = bench.take(.committed(report(ledgers)))
            }
            for action in actions {
                switch action {
                case .reply(.send(_, let number), let peer):
                    if let index = waiting.firstIndex(where: { $0.number == number && $0.worker == peer }) {
                        wanted.append(waiting.remove(at: index))
                    }
                case .reply(.have(_, let number), _), .reply(.drop(_, let number), _): waiting.removeAll { $0.number == number }
                case .commit(let group, _):
                    #expect(group.ledgers.lowerBound == committed + 1)
                    committing = group.ledgers
                default: break
                }
            }
            // A part that is lost counts until its ledgers are committed, but takes no memory.
            if seed % 2 == 0, bench.machine.heldBytes > limits.budget + largest {
                Issue.record("\(bench.machine.heldBytes) bytes are here")
                return
            }
        }
        #expect(committed == first - 1)
    }
}
