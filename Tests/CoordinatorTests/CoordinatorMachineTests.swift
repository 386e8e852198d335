import Coordinator
import Pipeline
import StateChanges
import Store
import Testing

/// The coordinator's decisions as tables: events in, actions out.
@Suite struct CoordinatorMachineTests {
    typealias Machine = CoordinatorMachine<Int>
    typealias Action = CoordinatorAction<Int>

    /// A machine and the way to speak to it. The fetcher speaks on connection 1, the writer on 2.
    struct Conversation {
        var machine: Machine
        private(set) var question = 0
        private(set) var numbers: [Int: WorkerID] = [:]
        static let run = RunID(rawValue: "run")

        init(_ cursors: [ProtocolID: UInt32] = ["SEP41": 10], change: (inout MachineConfiguration) -> Void = { _ in }) {
            var configuration = MachineConfiguration(
                run: Self.run, protocols: cursors.keys.sorted(), batchSize: 10, fetchers: 1, networkPassphrase: "net", network: "test",
                convergenceWait: .seconds(5), acceptConvergence: false, latestName: "latest_ingest_ledger",
                oldestName: "oldest")
            change(&configuration)
            machine = Machine(configuration, starts: cursors)
        }

        /// Takes an event; what is only for the log is left out.
        mutating func take(_ event: CoordinatorEvent<Int>, at seconds: Double = 0) -> [Action] {
            all(event, at: seconds).filter { if case .notice = $0 { false } else { true } }
        }

        mutating func all(_ event: CoordinatorEvent<Int>, at seconds: Double = 0) -> [Action] {
            let actions = machine.take(event, at: .seconds(seconds))
            for action in actions {
                if case .ask(_, let number) = action { question = number }
                if case .send(.welcome(let welcome), let peer, _) = action { numbers[peer] = welcome.worker }
            }
            return actions
        }

        mutating func notices(_ event: CoordinatorEvent<Int>, at seconds: Double = 0) -> [Notice] {
            all(event, at: seconds).compactMap { if case .notice(let notice) = $0 { notice } else { nil } }
        }

        static func hello(_ role: WorkerRole, _ instance: String, token: String? = nil) -> Hello {
            Hello(role: role, instance: instance, token: token, pid: 1, host: "h", rowsEndpoint: role == .writer ? "ipc://rows" : nil)
        }

        func event(_ content: WorkerContent, from peer: Int) -> CoordinatorEvent<Int> {
            .message(peer, Envelope(run: Self.run, worker: numbers[peer] ?? 0, content: content))
        }

        mutating func hear(_ content: WorkerContent, from peer: Int) -> [Action] { take(event(content, from: peer)) }
        mutating func register(_ role: WorkerRole, at peer: Int, _ instance: String, token: String? = nil) -> [Action] {
            hear(.hello(Self.hello(role, instance, token: token)), from: peer)
        }

        mutating func fetcher(_ message: FetcherMessage) -> [Action] { hear(.fetcher(message), from: 1) }
        mutating func writer(_ message: WriterMessage) -> [Action] { hear(.writer(message), from: 2) }
        mutating func answer(_ result: QueryResult, at seconds: Double = 0) -> [Action] {
            take(.result(result, number: question), at: seconds)
        }

        mutating func report(_ ledgers: LedgerRange, round: RoundNumber = 1, _ swaps: [ProtocolID: CommitReport.Swap] = ["SEP41": .swapped])
            -> [Action]
        {
            writer(.committed(round: round, report: Self.commit(ledgers, swaps)))
        }

        static func commit(_ ledgers: LedgerRange, _ swaps: [ProtocolID: CommitReport.Swap] = ["SEP41": .swapped]) -> CommitReport {
            CommitReport(ledgers: ledgers, swaps: swaps, rows: swaps.mapValues { _ in 1 }, bytes: 1, seconds: 0)
        }

        static func snapshot(
            _ latest: UInt32, _ cursors: [ProtocolID: UInt32] = ["SEP41": 10], oldest: CursorReading = .ledger(11),
            contracts: String? = "c1", base: String? = nil
        )
            -> QueryResult
        {
            .snapshot(
                Snapshot(
                    latest: .ledger(latest), oldest: oldest, cursors: cursors.mapValues { .ledger($0) },
                    contracts: contracts.map { ContractsName(digest: $0, base: base, counts: [:]) }))
        }

        static func begin(_ round: RoundNumber, _ attachment: ContractsReference.Attachment = .whole, digest: String = "c1")
            -> CoordinatorContent
        {
            .fetcher(.begin(round: round, writer: "ipc://rows", contracts: ContractsReference(digest: digest, attachment: attachment)))
        }

        /// Why the run is being stopped; nil where it is not.
        var stopCause: String? { if case .stopping(let stop) = machine.phase { "\(stop.cause)" } else { nil } }

        /// Both workers are there and a round from 10 to `target` runs.
        static func inRound(to target: UInt32 = 30, change: (inout MachineConfiguration) -> Void = { _ in }) -> Conversation {
            var it = Conversation(change: change)
            _ = it.register(.fetcher, at: 1, "f", token: "tf")
            _ = it.register(.writer, at: 2, "w", token: "tw")
            _ = it.writer(.ready)
            _ = it.answer(snapshot(target))
            return it
        }

        /// Caught up at ledger 10; the first look's first question is asked.
        static func atTheTip(change: (inout MachineConfiguration) -> Void = { _ in }) -> Conversation { inRound(to: 10, change: change) }
    }

    private static let ids: [ProtocolID] = ["SEP41"]
    private static let welcome = Welcome(worker: 1, protocols: ids, networkPassphrase: "net")

    // MARK: registration

    @Test func aWorkerThatRegistersLearnsRunNetworkAndItsNumber() {
        var it = Conversation()
        #expect(
            it.register(.fetcher, at: 1, "f", token: "t") == [.registered(token: "t"), .send(.welcome(Self.welcome), to: 1, worker: 1)])
    }

    @Test func aSecondHelloOnOneConnectionStrandsNothing() throws {
        var it = Conversation.inRound()
        #expect(!it.fetcher(.ready(round: 1, batches: 1)).isEmpty)
        let actions = it.register(.fetcher, at: 1, "another")
        #expect(actions.contains(.send(.writer(.giveUp(worker: 1)), to: 2, worker: 2)), "what the first one brings is dropped")
        #expect(actions.contains(.send(Conversation.begin(1), to: 1, worker: 3)))
        #expect(it.machine.registry.count == 2)
        let again = it.fetcher(.ready(round: 1, batches: 1))
        #expect(
            again == [.send(.fetcher(.assign(round: 1, batches: [Batch(id: 2, ledgers: 11...20, protocols: Self.ids)])), to: 1, worker: 3)],
            "its batch goes out again")
    }

    @Test func aProcessThatRegistersAgainIsAnotherWorkerAndTheOldOneIsVoid() {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 1))
        _ = it.register(.fetcher, at: 7, "f", token: "tf")
        #expect(it.machine.registry.count == 2)
        let counters = FetcherCounters()
        #expect(it.fetcher(.heartbeat(holding: [1], counters: counters)) == [.send(.registerAgain, to: 1, worker: 1)], "the old connection")
        #expect(
            it.hear(.fetcher(.heartbeat(holding: [], counters: counters)), from: 7) == [.counted(worker: 3, instance: "f", counters)],
            "what it counted is that of one process, and so is not counted twice")
    }

    @Test func aWriterThatRegistersAgainEndsTheRound() {
        var it = Conversation.inRound()
        let actions = it.register(.writer, at: 3, "w")
        #expect(actions.contains(.send(.fetcher(.halt(round: 1)), to: 1, worker: 1)))
        #expect(it.machine.phase == .waitingForWriter)
        #expect(it.hear(.writer(.ready), from: 3) == [.ask(.round(Self.ids), number: 2)])
    }

    @Test func aSecondWriterStandsByWhileTheFirstIsHeardOf() {
        var it = Conversation.inRound()
        for _ in 1...20 {
            #expect(it.register(.writer, at: 3, "second") == [.send(.standBy, to: 3, worker: 0)])
            _ = it.writer(.heartbeat(ReorderLoad(ledgers: 0, bytes: 0)))
            _ = it.fetcher(.heartbeat(holding: [], counters: FetcherCounters()))
            _ = it.take(.tick)
            if it.machine.pending != nil { _ = it.answer(Conversation.snapshot(30, contracts: nil)) }
        }
        #expect(it.machine.registry.writer?.hello.instance == "w", "the first one is not evicted")
        #expect(it.machine.currentRoundNumber == 1, "and its round goes on")
        _ = it.take(.childExited(token: "tw", status: "killed", crashed: true))
        #expect(it.register(.writer, at: 3, "second").contains { if case .send(.welcome, 3, _) = $0 { true } else { false } })
        #expect(it.hear(.writer(.ready), from: 3).contains { if case .ask(.round, _) = $0 { true } else { false } })
    }

    @Test func aSecondWriterIsSaidOnce() {
        var it = Conversation.inRound()
        let hello = WorkerContent.hello(Conversation.hello(.writer, "second"))
        #expect(it.notices(it.event(hello, from: 3)) == [.writerStandsBy(Conversation.hello(.writer, "second"), first: 2)])
        #expect(it.notices(it.event(hello, from: 3)).isEmpty)
    }

    @Test func aWriterWithoutAnEndpointIsRefused() {
        var it = Conversation()
        let hello = Hello(role: .writer, instance: "w", token: nil, pid: 1, host: "h", rowsEndpoint: nil)
        #expect(
            it.hear(.hello(hello), from: 2) == [.send(.end, to: 2, worker: 0)], "no fetcher could reach it, and the round would stand still"
        )
    }

    @Test func thereAreNotMoreWorkersThanAThousand() {
        var it = Conversation()
        for peer in 1...1000 { _ = it.register(.fetcher, at: peer, "f\(peer)") }
        #expect(it.register(.fetcher, at: 1001, "one more") == [.send(.end, to: 1001, worker: 0)])
        #expect(it.machine.registry.count == 1000)
    }

    // MARK: messages

    @Test func aMessageThatTheRoleMayNotSendIsRefusedAndChangesNothing() {
        var it = Conversation.inRound()
        let before = it.machine.phase
        let committed = it.event(.writer(.committed(round: 1, report: Conversation.commit(11...20))), from: 1)
        #expect(it.all(committed) == [.notice(.messageRefused(worker: 1, reason: "a fetcher may not send it"))])
        let ready = it.event(.fetcher(.ready(round: 1, batches: 1)), from: 2)
        #expect(it.all(ready) == [.notice(.messageRefused(worker: 2, reason: "a writer may not send it"))])
        #expect(it.machine.phase == before)
        #expect(it.machine.progress.map(\.committed) == [10])
    }

    @Test func whatIsNoMessageEndsItsWorkerOnly() {
        var it = Conversation.inRound()
        #expect(it.take(.message(9, nil)) == [.send(.registerAgain, to: 9, worker: 0)], "a stranger")
        #expect(it.machine.registry.count == 2)
        let actions = it.take(.message(1, nil))
        #expect(actions.last == .send(.registerAgain, to: 1, worker: 0))
        #expect(it.machine.registry.count == 1)
        #expect(it.machine.currentRoundNumber == 1)
    }

    @Test func aMessageOfAnotherRunOrOfAnotherWorkerIsDropped() {
        var it = Conversation.inRound()
        let other = Envelope(run: RunID(rawValue: "other"), worker: 2, content: WorkerContent.writer(.ready))
        #expect(
            it.all(.message(2, other)) == [.notice(.unknownWorker(run: other.run, worker: 2)), .send(.registerAgain, to: 2, worker: 2)])
        let stranger = Envelope(run: Conversation.run, worker: 1, content: WorkerContent.goodbye)
        #expect(it.take(.message(2, stranger)) == [.send(.registerAgain, to: 2, worker: 1)], "the connection is not the fetcher's")
        #expect(it.machine.registry.count == 2)
    }

    @Test func numbersFromOutsideAreNoReasonToCrash() {
        var it = Conversation.inRound()
        for number in [Int.min, -1, 0, 1, .max] {
            for count in [Int.min, -5, 0, .max] {
                _ = it.fetcher(.ready(round: number, batches: count))
                _ = it.writer(.received(round: number, ledgers: 0...(.max), bytes: count))
            }
            _ = it.fetcher(.failed(round: number, batch: number, reason: "", permanent: false))
            _ = it.fetcher(.contractsMissing(round: number))
            _ = it.fetcher(.heartbeat(holding: [number], counters: FetcherCounters()))
            _ = it.writer(.refused(round: number, ledgers: 0...(.max), worker: number, reason: "", isFault: false))
            _ = it.writer(.stopped(round: number))
        }
        var report = CommitReport(ledgers: 11...20, swaps: ["SEP41": .swapped], rows: ["SEP41": .min], bytes: .min, seconds: -.infinity)
        _ = it.writer(.committed(round: 1, report: report))
        report = CommitReport(ledgers: 11...20, swaps: ["SEP41": .swapped], rows: ["SEP41": .max], bytes: .max, seconds: .nan)
        _ = it.writer(.committed(round: 1, report: report))
        _ = it.writer(.committed(round: 1, report: report))
        #expect(it.machine.progress.map(\.committed) == [20])
        #expect(it.machine.progress.allSatisfy { (0...(1 << 50)).contains($0.rows) })
    }

    @Test(arguments: [
        CommitReport(ledgers: 11...31, swaps: ["SEP41": .swapped], rows: [:], bytes: 0, seconds: 0),
        CommitReport(ledgers: 11...(.max), swaps: ["SEP41": .found("31")], rows: [:], bytes: 0, seconds: 0),
        CommitReport(ledgers: 11...20, swaps: ["SEP50": .swapped], rows: [:], bytes: 0, seconds: 0),
    ])
    func aReportOfWhatWasNeverHandedOutIsRefused(report: CommitReport) {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 9))
        let notices = it.notices(it.event(.writer(.committed(round: 1, report: report)), from: 2))
        #expect(notices.count == 1)
        #expect(notices.contains { if case .messageRefused(2, _) = $0 { true } else { false } })
        #expect(it.machine.progress.map(\.committed) == [10])
    }

    @Test func aReportBeforeTheFirstRoundIsNone() {
        var it = Conversation()
        _ = it.register(.writer, at: 2, "w")
        _ = it.report(11...4_000_000_000, round: 0)
        #expect(it.machine.progress.map(\.committed) == [10])
    }

    @Test func aReportOfAnEarlierRoundIsDropped() {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 9))
        _ = it.writer(.interrupted(round: 1, reason: "the server is away", permanent: false))
        _ = it.writer(.ready)
        _ = it.answer(Conversation.snapshot(30))
        _ = it.fetcher(.ready(round: 2, batches: 9))
        _ = it.report(11...30, round: 1)
        #expect(it.machine.progress.map(\.committed) == [10])
        _ = it.report(11...30, round: 2)
        #expect(it.machine.progress.map(\.committed) == [30])
    }

    // MARK: contracts

    @Test func contractsAreSentWholeAsAdditionsOrNotAtAll() {
        var it = Conversation()
        _ = it.register(.fetcher, at: 1, "f")
        _ = it.register(.writer, at: 2, "w")
        _ = it.writer(.ready)
        #expect(it.answer(Conversation.snapshot(20)).contains(.send(Conversation.begin(1, .whole), to: 1, worker: 1)))
        #expect(it.register(.fetcher, at: 3, "new").contains(.send(Conversation.begin(1, .whole), to: 3, worker: 3)))
        _ = it.fetcher(.ready(round: 1, batches: 1))
        _ = it.report(11...20)
        // The same set: nobody needs it.
        let second = it.answer(Conversation.snapshot(30, ["SEP41": 20]))
        #expect(second.contains(.send(Conversation.begin(2, .none), to: 1, worker: 1)))
        _ = it.fetcher(.ready(round: 2, batches: 1))
        _ = it.report(21...30, round: 2)
        // It has grown: those who have the one before need only what is new.
        let third = it.answer(Conversation.snapshot(40, ["SEP41": 30], contracts: "c2", base: "c1"))
        #expect(third.contains(.send(Conversation.begin(3, .additions(base: "c1"), digest: "c2"), to: 1, worker: 1)))
        #expect(
            it.register(.fetcher, at: 4, "later").contains(.send(Conversation.begin(3, .whole, digest: "c2"), to: 4, worker: 4)))
        // One that lacks what the additions were made for asks for the whole.
        #expect(it.fetcher(.contractsMissing(round: 3)) == [.send(Conversation.begin(3, .whole, digest: "c2"), to: 1, worker: 1)])
        #expect(it.fetcher(.contractsMissing(round: 2)).isEmpty, "of a round that is over")
    }

    // MARK: processes

    @Test func onlyTheTokensOfChildrenAreKilled() {
        var it = Conversation()
        _ = it.register(.fetcher, at: 1, "ours", token: "t")
        _ = it.register(.fetcher, at: 2, "started elsewhere")
        for _ in 1...8 { #expect(!it.take(.tick).contains { if case .kill = $0 { true } else { false } }) }
        #expect(it.take(.tick).filter { if case .kill = $0 { true } else { false } } == [.kill(token: "t")])
        #expect(it.machine.registry.count == 0)
    }

    @Test func aFetcherOnAnotherNetworkTakesNoPart() {
        var it = Conversation.inRound()
        #expect(it.fetcher(.unfit(reason: "it is on another network")) == [.send(.writer(.giveUp(worker: 1)), to: 2, worker: 2)])
        #expect(it.machine.registry.fetcherCount == 0)
    }

    @Test func processesThatDieAtOnceEndTheRun() {
        var it = Conversation()
        #expect(
            it.take(.childGivenUp(role: .writer, status: "exit 1")) == [
                .ask(.recordAtEnd(reached: [:], failed: Self.ids, isUrgent: false), number: 1)
            ])
    }

    // MARK: rounds

    @Test func aRoundGoesFromTheSnapshotToTheTarget() {
        var it = Conversation()
        #expect(it.take(.wake).isEmpty, "without a writer there is nothing to ask")
        _ = it.register(.fetcher, at: 1, "f")
        _ = it.register(.writer, at: 2, "w")
        #expect(it.writer(.ready) == [.ask(.round(Self.ids), number: 1)])
        #expect(
            it.answer(Conversation.snapshot(25)) == [
                .send(.writer(.begin(round: 1, cursors: ["SEP41": 10], oldestName: "oldest")), to: 2, worker: 2),
                .send(Conversation.begin(1), to: 1, worker: 1),
            ])
        let batches = [Batch(id: 1, ledgers: 11...20, protocols: Self.ids), Batch(id: 2, ledgers: 21...25, protocols: Self.ids)]
        #expect(it.fetcher(.ready(round: 1, batches: 2)) == [.send(.fetcher(.assign(round: 1, batches: batches)), to: 1, worker: 1)])
        #expect(it.writer(.received(round: 1, ledgers: 11...25, bytes: 10)).isEmpty)
        #expect(it.report(11...20).isEmpty)
        #expect(it.report(21...25) == [.ask(.round(Self.ids), number: 2)], "the next round reads again")
        #expect(it.answer(Conversation.snapshot(25, ["SEP41": 25])) == [.ask(.liveIngestion(network: "test"), number: 3)], "caught up")
    }

    @Test func aRoundBeginsOnlyForTheWriterThatWasReadyBeforeTheSnapshot() {
        var it = Conversation()
        _ = it.register(.fetcher, at: 1, "f")
        _ = it.register(.writer, at: 2, "first", token: "t1")
        _ = it.writer(.ready)
        _ = it.take(.childExited(token: "t1", status: "killed", crashed: true))
        _ = it.register(.writer, at: 3, "second", token: "t2")
        _ = it.hear(.writer(.ready), from: 3)
        #expect(it.answer(Conversation.snapshot(30)) == [.ask(.round(Self.ids), number: 2)], "it is read again for the second one")
        #expect(
            it.answer(Conversation.snapshot(30)).contains(
                .send(.writer(.begin(round: 1, cursors: ["SEP41": 10], oldestName: "oldest")), to: 3, worker: 3)))
    }

    @Test(arguments: [true, false]) func aRoundDoesNotBeginForAWriterThatIsNotReady(hasCome: Bool) {
        var it = Conversation()
        _ = it.register(.writer, at: 2, "first", token: "t1")
        _ = it.writer(.ready)
        _ = it.take(.childExited(token: "t1", status: "killed", crashed: true))
        if hasCome { _ = it.register(.writer, at: 3, "second", token: "t2") }
        #expect(it.answer(Conversation.snapshot(30)).isEmpty)
        #expect(it.machine.phase == .waitingForWriter)
    }

    @Test func aWriterThatIsLostInterruptsTheRound() {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 9))
        #expect(
            it.take(.childExited(token: "tw", status: "killed", crashed: true)) == [.send(.fetcher(.halt(round: 1)), to: 1, worker: 1)])
        _ = it.register(.writer, at: 2, "w2")
        #expect(it.writer(.ready) == [.ask(.round(Self.ids), number: 2)])
        // A commit whose report was lost.
        #expect(
            it.answer(Conversation.snapshot(30, ["SEP41": 20])).contains(
                .send(.writer(.begin(round: 2, cursors: ["SEP41": 20], oldestName: "oldest")), to: 2, worker: 3)))
    }

    @Test func aWriterThatCannotGoOnIsWaitedFor() {
        var it = Conversation.inRound()
        #expect(
            it.writer(.interrupted(round: 1, reason: "the server is away", permanent: false)) == [
                .send(.fetcher(.halt(round: 1)), to: 1, worker: 1), .send(.writer(.halt(round: 1)), to: 2, worker: 2),
            ])
        #expect(it.take(.tick).allSatisfy { if case .ask = $0 { false } else { true } })
        #expect(it.writer(.ready) == [.ask(.round(Self.ids), number: 2)])
    }

    @Test func aTransactionOfAnEarlierRoundThatFailsEndsTheRoundThatRuns() {
        var it = Conversation.inRound(to: 20)
        _ = it.fetcher(.ready(round: 1, batches: 9))
        _ = it.report(11...20)
        _ = it.answer(Conversation.snapshot(30, ["SEP41": 20]))
        #expect(it.machine.currentRoundNumber == 2)
        _ = it.writer(.interrupted(round: 1, reason: "the server is away", permanent: false))
        #expect(it.machine.phase == .waitingForWriter, "the writer has nothing under way any more")
        #expect(it.writer(.ready) == [.ask(.round(Self.ids), number: 3)])
    }

    @Test func whatNeitherThisNorAnotherRoundCanDoEndsTheRun() {
        var it = Conversation.inRound()
        let actions = it.writer(.interrupted(round: 1, reason: "a row is there already", permanent: true))
        #expect(actions.contains(.send(.writer(.halt(round: 1)), to: 2, worker: 2)))
        #expect(it.writer(.stopped(round: 1)) == [.ask(.recordAtEnd(reached: [:], failed: Self.ids, isUrgent: false), number: 2)])
        #expect(it.answer(.recorded([])).last == .finish(.failure("a row is there already")))
    }

    @Test func withoutAnyCommitItIsNotTriedForEver() {
        var it = Conversation.inRound()
        var seconds = 0
        while seconds < 700 {
            seconds += 1
            _ = it.writer(.interrupted(round: it.machine.roundNumber, reason: "the disk is full", permanent: false))
            _ = it.writer(.ready)
            if it.machine.pending != nil { _ = it.answer(Conversation.snapshot(30)) }
            let actions = it.take(.tick)
            if it.machine.pending != nil { _ = it.answer(Conversation.snapshot(30, contracts: nil)) }
            if let cause = it.stopCause {
                #expect(cause.contains("the disk is full"))
                return
            }
            #expect(!actions.contains { if case .finish = $0 { true } else { false } })
        }
        Issue.record("it goes on after \(seconds) heartbeats without a commit")
    }

    // MARK: poison

    @Test func aLedgerThatKillsFetchersIsNamed() {
        var it = Conversation.inRound(to: 30)
        var deaths = 0
        for fetcher in 1...40 {
            _ = it.register(.fetcher, at: 1, "f\(fetcher)", token: "t\(fetcher)")
            for action in it.fetcher(.ready(round: 1, batches: 1)) {
                guard case .send(.fetcher(.assign(_, let batches)), 1, _) = action else { continue }
                if batches.contains(where: { $0.ledgers.contains(17) }) {
                    deaths += 1
                    _ = it.take(.childExited(token: "t\(fetcher)", status: "signal 11", crashed: true))
                } else {
                    for batch in batches { _ = it.writer(.received(round: 1, ledgers: batch.ledgers, bytes: 1)) }
                    _ = it.hear(.goodbye, from: 1)
                }
            }
            guard let cause = it.stopCause else { continue }
            #expect(cause.hasPrefix("ledger 17: every fetcher that worked on it died"))
            #expect(deaths <= 8)
            return
        }
        Issue.record("no ledger is named after \(deaths) deaths")
    }

    @Test func aBatchThatFailsTooOftenEndsTheRunWithItsLedgers() {
        var it = Conversation.inRound()
        for batch in 1...5 {
            _ = it.fetcher(.ready(round: 1, batches: 1))
            _ = it.fetcher(.failed(round: 1, batch: batch, reason: "404", permanent: false))
        }
        #expect(it.stopCause == "ledgers 11-20 failed too often, the last time with: 404")
    }

    @Test func aPermanentFailureEndsTheRunAtOnce() {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 1))
        _ = it.fetcher(.failed(round: 1, batch: 1, reason: "ledger 12 has an unknown version", permanent: true))
        #expect(it.stopCause == "ledger 12 has an unknown version")
    }

    @Test func partsThatTheWriterRefusesAreTakenFromTheirFetcher() {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 1))
        let refused = it.writer(.refused(round: 1, ledgers: 11...20, worker: 1, reason: "wrong hash", isFault: true))
        #expect(refused == [.send(.fetcher(.revoke(round: 1, batches: [1])), to: 1, worker: 1)])
        let again = [Batch(id: 2, ledgers: 11...20, protocols: Self.ids)]
        #expect(it.fetcher(.ready(round: 1, batches: 1)) == [.send(.fetcher(.assign(round: 1, batches: again)), to: 1, worker: 1)])
    }

    // MARK: cursors

    @Test func aFailedSwapIsVerifiedInOneSnapshotBeforeItIsBelieved() {
        var it = Conversation.inRound(to: 20)
        _ = it.fetcher(.ready(round: 1, batches: 9))
        #expect(it.report(11...20, ["SEP41": .found("20")]) == [.ask(.cursors(Self.ids), number: 2)])
        #expect(
            it.answer(Conversation.snapshot(20, ["SEP41": 20], contracts: nil)) == [
                .send(.writer(.drop(protocolID: "SEP41")), to: 2, worker: 2), .ask(.record(reached: ["SEP41": 20], failed: []), number: 3),
            ])
        #expect(it.answer(.recorded(["SEP41"])).last == .finish(nil))
        #expect(it.machine.progress.map(\.outcome) == [.handoff(at: 20)])
    }

    @Test(arguments: [20, 14, 9, 21]) func aFailedSwapThatIsNoHandoffFails(cursor: UInt32) {
        var it = Conversation.inRound(to: 22)
        _ = it.fetcher(.ready(round: 1, batches: 9))
        _ = it.report(11...20, ["SEP41": .found("\(cursor)")])
        #expect(
            it.answer(Conversation.snapshot(22, ["SEP41": cursor], contracts: nil)).contains(
                .ask(.record(reached: [:], failed: Self.ids), number: 3)))
    }

    @Test func aLookWhileTheRoundRunsFindsACursorThatWasMoved() {
        var it = Conversation.inRound()
        #expect(it.take(.tick).contains(.ask(.cursors(Self.ids), number: 2)))
        #expect(it.take(.tick).allSatisfy { if case .ask = $0 { false } else { true } }, "one question at a time")
        #expect(
            it.answer(Conversation.snapshot(30, ["SEP41": 5], contracts: nil)).contains(
                .ask(.record(reached: [:], failed: Self.ids), number: 3)))
    }

    @Test func aLookDoesNotBelieveWhatTheWriterStillHasToReport() {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 9))
        _ = it.take(.tick)
        // Ledgers 11 to 30 are handed out: they are committed, or a hand has moved the cursor past them.
        #expect(it.answer(Conversation.snapshot(31, ["SEP41": 31], contracts: nil)).isEmpty)
        #expect(it.report(11...20, ["SEP41": .found("31")]) == [.ask(.cursors(Self.ids), number: 3)])
        let notices = it.notices(.result(Conversation.snapshot(31, ["SEP41": 31], contracts: nil), number: it.question))
        #expect(notices.contains { if case .handoffDoubtful("SEP41", 31, 10, 10, 30, _) = $0 { true } else { false } })
    }

    @Test func aCursorMovedToTheLatestLedgerByAHandIsDoubted() {
        var it = Conversation.inRound()
        _ = it.take(.tick)
        let notices = it.notices(.result(Conversation.snapshot(30, ["SEP41": 30], contracts: nil), number: it.question))
        #expect(notices.contains { if case .handoffDoubtful("SEP41", 30, 10, 10, 30, _) = $0 { true } else { false } })
    }

    // MARK: retention

    private static let halts: [Action] = [
        .send(.fetcher(.halt(round: 1)), to: 1, worker: 1), .send(.writer(.halt(round: 1)), to: 2, worker: 2),
    ]

    /// The question that swaps the cursor forward to 15 is asked.
    private static func movingForward() -> Conversation {
        var it = Conversation()
        _ = it.register(.fetcher, at: 1, "f")
        _ = it.register(.writer, at: 2, "w")
        _ = it.writer(.ready)
        #expect(
            it.answer(Conversation.snapshot(30, oldest: .ledger(16))) == [.ask(.moveForward(from: ["SEP41": 10], to: 15), number: 2)])
        return it
    }

    private static func roundFrom15(_ actions: [Action]) -> Bool {
        actions.contains(.send(.writer(.begin(round: 1, cursors: ["SEP41": 15], oldestName: "oldest")), to: 2, worker: 2))
    }

    @Test func aRoundBeginsBehindWhatIsNoLongerKept() {
        var it = Self.movingForward()
        #expect(
            it.all(.result(.movedForward(["SEP41"]), number: it.question)) == [
                .notice(.movedForward("SEP41", from: 10, to: 15)), .ask(.round(Self.ids), number: 3),
            ], "it is read again")
        #expect(Self.roundFrom15(it.answer(Conversation.snapshot(30, ["SEP41": 15], oldest: .ledger(16)))))
        let batch = Batch(id: 1, ledgers: 16...25, protocols: Self.ids)
        #expect(it.fetcher(.ready(round: 1, batches: 1)) == [.send(.fetcher(.assign(round: 1, batches: [batch])), to: 1, worker: 1)])
    }

    @Test(arguments: [CursorReading.ledger(11), .ledger(1), .ledger(0), .missing, .malformed("soon")])
    func whereNothingWasDroppedOrNobodyKnowsTheRoundBegins(oldest: CursorReading) {
        var it = Conversation()
        _ = it.register(.writer, at: 2, "w")
        _ = it.writer(.ready)
        #expect(
            it.answer(Conversation.snapshot(30, oldest: oldest)) == [
                .send(.writer(.begin(round: 1, cursors: ["SEP41": 10], oldestName: "oldest")), to: 2, worker: 1)
            ])
        _ = it.take(.tick)
        #expect(it.answer(Conversation.snapshot(30, oldest: oldest, contracts: nil)).isEmpty, "and goes on")
    }

    @Test func onlyTheCursorThatIsBehindIsMoved() {
        var it = Conversation(["SEP41": 10, "SEP50": 15])
        _ = it.register(.writer, at: 2, "w")
        _ = it.writer(.ready)
        let snapshot = Conversation.snapshot(30, ["SEP41": 10, "SEP50": 15], oldest: .ledger(16))
        #expect(it.answer(snapshot) == [.ask(.moveForward(from: ["SEP41": 10], to: 15), number: 2)])
    }

    @Test func aLookEndsARoundThatRetentionHasOvertaken() {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 9))
        _ = it.take(.tick)
        #expect(it.answer(Conversation.snapshot(30, oldest: .ledger(16), contracts: nil)) == Self.halts)
        #expect(it.report(11...20).isEmpty, "a transaction that was under way counts")
        #expect(it.writer(.stopped(round: 1)) == [.ask(.round(Self.ids), number: 3)])
        #expect(
            it.answer(Conversation.snapshot(30, ["SEP41": 20], oldest: .ledger(16))).contains(
                .send(.writer(.begin(round: 2, cursors: ["SEP41": 20], oldestName: "oldest")), to: 2, worker: 2)),
            "it has passed the oldest ledger: nothing is moved")
    }

    @Test func aLookAtWhatWasCommittedMeanwhileEndsNothing() {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 9))
        _ = it.take(.tick)
        _ = it.report(11...20)
        #expect(it.answer(Conversation.snapshot(30, oldest: .ledger(16), contracts: nil)).isEmpty)
    }

    @Test func aWriterThatFindsItsLedgersDroppedEndsTheRound() {
        var it = Conversation.inRound(to: 20)
        _ = it.fetcher(.ready(round: 1, batches: 9))
        #expect(it.report(11...20, ["SEP41": .belowOldest(16)]) == Self.halts, "and it is not complete")
        #expect(it.machine.progress.map(\.committed) == [10])
        #expect(it.writer(.stopped(round: 1)) == [.ask(.round(Self.ids), number: 2)])
        #expect(
            it.answer(Conversation.snapshot(20, oldest: .ledger(16))) == [.ask(.moveForward(from: ["SEP41": 10], to: 15), number: 3)])
    }

    @Test func aWriterThatFindsWhatNobodyElseFindsIsNotBelievedForEver() {
        var it = Conversation.inRound(to: 20)
        for _ in 1...700 {
            let round = it.machine.roundNumber
            _ = it.fetcher(.ready(round: round, batches: 9))
            _ = it.report(11...20, round: round, ["SEP41": .belowOldest(16)])
            if let cause = it.stopCause {
                #expect(cause.contains("ledgers 11...20 begin below the oldest one"))
                return
            }
            _ = it.writer(.stopped(round: round))
            _ = it.answer(Conversation.snapshot(20))
            _ = it.fetcher(.heartbeat(holding: [], counters: FetcherCounters()))
            _ = it.take(.tick)
            if it.machine.pending != nil { _ = it.answer(Conversation.snapshot(20, contracts: nil)) }
        }
        Issue.record("it goes on without a commit")
    }

    @Test func aFailedSwapIsVerifiedBeforeTheRoundEndsForRetention() {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 9))
        _ = it.take(.tick)
        _ = it.report(11...20, ["SEP41": .found("12")])
        let verification = it.answer(Conversation.snapshot(30, oldest: .ledger(16), contracts: nil))
        #expect(verification == [.ask(.cursors(Self.ids), number: 3)])
        #expect(
            it.answer(Conversation.snapshot(30, ["SEP41": 12], oldest: .ledger(16), contracts: nil)).contains(
                .ask(.record(reached: [:], failed: Self.ids), number: 4)), "else the hand would pass for a lost report")
    }

    @Test func aSwapForwardThatLosesChangesNothingThatIsKnown() {
        var it = Self.movingForward()
        #expect(it.answer(.movedForward([])) == [.ask(.round(Self.ids), number: 3)])
        #expect(it.machine.progress.map(\.attempted) == [10])
        #expect(
            it.answer(Conversation.snapshot(30, ["SEP41": 12], oldest: .ledger(16))).contains(
                .ask(.record(reached: [:], failed: Self.ids), number: 4)), "a hand")
    }

    @Test func aSwapForwardOfUnknownOutcomeIsOursWhereverTheCursorIsFound() {
        var it = Self.movingForward()
        #expect(it.answer(.sessionLost("gone")).contains(.ask(.restoreLocks, number: 3)))
        _ = it.answer(.locksRestored)
        var another = it
        let found = it.all(.result(Conversation.snapshot(30, ["SEP41": 15], oldest: .ledger(16)), number: it.question))
        #expect(found.contains(.notice(.movedForward("SEP41", from: 10, to: 15))), "it is said all the same")
        #expect(Self.roundFrom15(found))
        let moves = another.answer(Conversation.snapshot(30, oldest: .ledger(17)))
        #expect(moves == [.ask(.moveForward(from: ["SEP41": 10], to: 16), number: 5)], "it had not taken effect")
    }

    @Test func behindASwapForwardACrashLosesNothing() {
        var it = Self.movingForward()
        _ = it.answer(.movedForward(["SEP41"]))
        _ = it.answer(.sessionLost("gone"))
        _ = it.answer(.locksRestored)
        let notices = it.notices(.result(Conversation.snapshot(30, ["SEP41": 14], oldest: .ledger(16)), number: it.question))
        #expect(notices.contains { if case .left("SEP41", .failed, _, _) = $0 { true } else { false } }, "a hand has moved it back")
    }

    /// There is nothing to fetch then, and live ingestion has to find the cursor at its own ledger.
    @Test func whereEvenTheLatestLedgerIsDroppedTheCursorGoesNoFurther() {
        var it = Conversation()
        _ = it.register(.fetcher, at: 1, "f")
        _ = it.register(.writer, at: 2, "w")
        _ = it.writer(.ready)
        #expect(
            it.answer(Conversation.snapshot(30, oldest: .ledger(50))) == [.ask(.moveForward(from: ["SEP41": 10], to: 30), number: 2)])
        _ = it.answer(.movedForward(["SEP41"]))
        #expect(
            it.answer(Conversation.snapshot(30, ["SEP41": 30], oldest: .ledger(50))) == [.ask(.liveIngestion(network: "test"), number: 4)],
            "it has caught up")
        _ = it.answer(.liveIngestion(runs: true))
        #expect(
            it.answer(Conversation.snapshot(30, ["SEP41": 30], oldest: .ledger(50), contracts: nil)) == [.wake(after: .milliseconds(100))])
        _ = it.take(.wake)
        _ = it.answer(.liveIngestion(runs: true))
        // Live ingestion takes over, or passes by.
        var passed = it
        _ = it.answer(Conversation.snapshot(31, ["SEP41": 31], oldest: .ledger(50), contracts: nil))
        let notices = it.notices(.result(Conversation.snapshot(31, ["SEP41": 31], oldest: .ledger(50)), number: it.question))
        #expect(notices.contains(.left("SEP41", .handoff(at: 31), migrated: 30, accepted: false)))
        #expect(!notices.contains { if case .handoffDoubtful = $0 { true } else { false } })
        _ = passed.answer(Conversation.snapshot(31, ["SEP41": 30], oldest: .ledger(50), contracts: nil))
        let moves = passed.answer(Conversation.snapshot(31, ["SEP41": 30], oldest: .ledger(50)))
        #expect(moves == [.ask(.moveForward(from: ["SEP41": 30], to: 31), number: passed.question)])
    }

    @Test func aSignalDoesNotWaitForASwapForward() {
        var it = Self.movingForward()
        let actions = it.take(.stop(Self.signal))
        #expect(actions.contains(.cancelQuery))
        #expect(it.take(.result(.movedForward(["SEP41"]), number: 2)).isEmpty)
    }

    // MARK: the tip

    @Test func theTipAsksForTheLockBeforeTheCursors() {
        var it = Conversation.inRound(to: 10)
        #expect(it.machine.pending == .tipLock(asked: .zero))
        #expect(it.answer(.liveIngestion(runs: false)) == [.ask(.cursors(Self.ids), number: 3)])
        #expect(it.answer(Conversation.snapshot(10, contracts: nil)) == [.wake(after: .milliseconds(100))])
        #expect(it.take(.wake, at: 5) == [.ask(.liveIngestion(network: "test"), number: 4)])
        #expect(it.answer(.liveIngestion(runs: false), at: 6) == [.ask(.cursors(Self.ids), number: 5)])
        // The wait counts to when the lock was asked for.
        #expect(
            it.answer(Conversation.snapshot(10, contracts: nil), at: 7) == [
                .send(.writer(.drop(protocolID: "SEP41")), to: 2, worker: 2), .ask(.record(reached: ["SEP41": 10], failed: []), number: 6),
            ])
        #expect(it.answer(.recorded(["SEP41"])) == [.send(.end, to: 1, worker: 1), .send(.end, to: 2, worker: 2), .finish(nil)])
        #expect(it.machine.progress.map(\.outcome) == [.converged(at: 10)])
    }

    @Test func whileLiveIngestionRunsOnlyAHandoffEndsIt() {
        var it = Conversation.atTheTip()
        for second in 0..<100 {
            #expect(it.answer(.liveIngestion(runs: true), at: Double(second)) == [.ask(.cursors(Self.ids), number: it.question)])
            _ = it.answer(Conversation.snapshot(10, contracts: nil), at: Double(second))
            if it.machine.pending == .networkTip { _ = it.answer(.networkTip(11), at: Double(second)) }
            #expect(it.take(.wake, at: Double(second)) == [.ask(.liveIngestion(network: "test"), number: it.question)])
        }
        _ = it.answer(.liveIngestion(runs: true))
        #expect(it.answer(Conversation.snapshot(11, ["SEP41": 11], contracts: nil)) == [.ask(.round(Self.ids), number: it.question)])
        #expect(
            it.answer(Conversation.snapshot(11, ["SEP41": 11])).contains(
                .ask(.record(reached: ["SEP41": 11], failed: []), number: it.question)))
    }

    @Test func withoutAnyNetworkNameLiveIngestionIsTakenToRun() {
        var it = Conversation.inRound(to: 10) { $0.network = nil }
        #expect(it.machine.pending.map { if case .tipCursors(let look) = $0 { look.runs } else { false } } == true)
        #expect(it.answer(Conversation.snapshot(10, contracts: nil)) == [.wake(after: .milliseconds(100))])
        #expect(it.take(.wake, at: 1000) == [.ask(.cursors(Self.ids), number: 3)])
        #expect(it.answer(Conversation.snapshot(10, contracts: nil), at: 1000) == [.wake(after: .milliseconds(100))])
    }

    @Test func acceptedConvergenceEndsItBesideLiveIngestion() {
        var it = Conversation.atTheTip { $0.acceptConvergence = true }
        _ = it.answer(.liveIngestion(runs: true))
        #expect(it.answer(Conversation.snapshot(10, contracts: nil)) == [.wake(after: .milliseconds(100))])
        _ = it.take(.wake, at: 5)
        _ = it.answer(.liveIngestion(runs: true), at: 5)
        #expect(
            it.answer(Conversation.snapshot(10, contracts: nil), at: 5).contains(
                .ask(.record(reached: ["SEP41": 10], failed: []), number: 6)))
    }

    // MARK: the session with the locks

    @Test func aLostSessionStopsCommitsBeforeTheLocksAreTakenAgain() {
        var it = Conversation.inRound()
        _ = it.fetcher(.ready(round: 1, batches: 9))
        _ = it.report(11...20)
        _ = it.take(.tick)
        #expect(
            it.answer(.sessionLost("gone")) == [
                .send(.fetcher(.halt(round: 1)), to: 1, worker: 1), .send(.writer(.halt(round: 1)), to: 2, worker: 2),
            ])
        #expect(it.take(.tick).allSatisfy { if case .ask = $0 { false } else { true } })
        #expect(it.writer(.stopped(round: 0)).isEmpty, "another round's end")
        #expect(it.report(21...30).isEmpty, "a commit that was under way counts")
        #expect(it.machine.progress.map(\.committed) == [30])
        #expect(it.writer(.stopped(round: 1)) == [.ask(.restoreLocks, number: 3)])
        #expect(it.answer(.locksRestored) == [.ask(.round(Self.ids), number: 4)])
        // The server may have crashed and lost commits that did not wait for the disk.
        #expect(
            it.answer(Conversation.snapshot(30, ["SEP41": 15])).contains(
                .send(.writer(.begin(round: 2, cursors: ["SEP41": 15], oldestName: "oldest")), to: 2, worker: 2)))
    }

    @Test func aWriterThatRegistersWhileARoundIsHaltedIsNotWaitedForToStopIt() {
        var it = Conversation.inRound()
        _ = it.take(.tick)
        _ = it.answer(.sessionLost("gone"))
        #expect(it.register(.writer, at: 3, "w").contains(.ask(.restoreLocks, number: 3)), "nobody told it to halt")
    }

    @Test func locksThatAnotherMigrationHasEndTheRun() {
        var it = Conversation.atTheTip()
        #expect(it.answer(.sessionLost("gone")).last == .ask(.restoreLocks, number: 3), "no round has begun, there is nothing to wait for")
        #expect(
            it.answer(.failed("another migration holds the lock")).last
                == .ask(.recordAtEnd(reached: [:], failed: Self.ids, isUrgent: false), number: 4))
        #expect(it.answer(.failed("another migration holds the lock")).last == .finish(.failure("another migration holds the lock")))
    }

    // MARK: records

    @Test func aProtocolWhoseRecordIsRefusedGoesOn() {
        var it = Conversation.inRound(to: 20)
        _ = it.fetcher(.ready(round: 1, batches: 9))
        _ = it.report(11...20, ["SEP41": .found("20")])
        _ = it.answer(Conversation.snapshot(20, ["SEP41": 20], contracts: nil))
        #expect(
            it.answer(.recorded([])) == [
                .send(.fetcher(.halt(round: 1)), to: 1, worker: 1), .send(.writer(.halt(round: 1)), to: 2, worker: 2),
            ])
        #expect(it.writer(.stopped(round: 1)) == [.ask(.round(Self.ids), number: 4)])
        #expect(
            it.answer(Conversation.snapshot(20, ["SEP41": 12])).contains(
                .send(.writer(.begin(round: 2, cursors: ["SEP41": 12], oldestName: "oldest")), to: 2, worker: 2)))
    }

    @Test func howOneProtocolEndedIsRecordedWhileTheOthersGoOn() {
        var it = Conversation(["SEP41": 10, "SEP50": 10])
        _ = it.register(.fetcher, at: 1, "f")
        _ = it.register(.writer, at: 2, "w")
        _ = it.writer(.ready)
        _ = it.answer(Conversation.snapshot(30, ["SEP41": 10, "SEP50": 10]))
        _ = it.take(.tick)
        let actions = it.answer(Conversation.snapshot(30, ["SEP41": 5, "SEP50": 10], contracts: nil))
        #expect(
            actions == [
                .send(.writer(.drop(protocolID: "SEP41")), to: 2, worker: 2), .ask(.record(reached: [:], failed: ["SEP41"]), number: 3),
            ])
        _ = it.answer(.recorded([]))
        #expect(it.machine.currentRoundNumber == 1)
        let batch = Batch(id: 1, ledgers: 11...20, protocols: ["SEP50"])
        #expect(it.fetcher(.ready(round: 1, batches: 1)) == [.send(.fetcher(.assign(round: 1, batches: [batch])), to: 1, worker: 1)])
    }

    // MARK: stopping

    private static let signal = StopCause.signal(name: "SIGTERM", exitCode: 143)

    @Test func aSignalStopsWithinFiveHeartbeats() {
        var it = Conversation.inRound()
        #expect(it.take(.stop(Self.signal)).contains(.send(.writer(.halt(round: 1)), to: 2, worker: 2)))
        for _ in 1...4 { #expect(it.take(.tick).allSatisfy { if case .ask = $0 { false } else { true } }, "the writer may finish") }
        #expect(it.take(.tick).contains(.ask(.recordAtEnd(reached: [:], failed: Self.ids, isUrgent: true), number: 2)))
        #expect(it.answer(.recorded([])).last == .finish(Self.signal))
    }

    @Test func aWriterThatStopsIsNotWaitedForAnyLonger() {
        var it = Conversation.inRound()
        _ = it.take(.stop(Self.signal))
        _ = it.report(11...20)
        #expect(it.writer(.stopped(round: 1)) == [.ask(.recordAtEnd(reached: [:], failed: Self.ids, isUrgent: true), number: 2)])
    }

    @Test func withoutAWriterThereIsNothingToWaitFor() {
        var it = Conversation()
        #expect(it.take(.stop(Self.signal)) == [.ask(.recordAtEnd(reached: [:], failed: Self.ids, isUrgent: true), number: 1)])
    }

    @Test func theResultOfAQuestionThatWasCancelledChangesNothing() {
        var it = Conversation()
        _ = it.register(.writer, at: 2, "w", token: "t")
        _ = it.writer(.ready)
        _ = it.take(.childExited(token: "t", status: "killed", crashed: true))
        #expect(
            it.take(.stop(Self.signal)) == [.cancelQuery, .ask(.recordAtEnd(reached: [:], failed: Self.ids, isUrgent: true), number: 2)])
        for late in [QueryResult.sessionLost("gone"), .failed("cancelled"), .locksRestored, Conversation.snapshot(30)] {
            #expect(it.take(.result(late, number: 1)).isEmpty)
        }
        #expect(it.answer(.recorded([])) == [.finish(Self.signal)])
    }

    @Test func whatWasReachedBeforeASignalStands() {
        var it = Conversation.atTheTip()
        _ = it.answer(.liveIngestion(runs: false))
        _ = it.answer(Conversation.snapshot(10, contracts: nil))
        _ = it.take(.wake, at: 5)
        _ = it.answer(.liveIngestion(runs: false), at: 5)
        _ = it.answer(Conversation.snapshot(10, contracts: nil), at: 5)
        let actions = it.take(.stop(Self.signal))
        #expect(actions.first == .cancelQuery)
        #expect(actions.last == .ask(.recordAtEnd(reached: ["SEP41": 10], failed: [], isUrgent: true), number: it.question))
        #expect(it.answer(.recorded(["SEP41"])).last == .finish(Self.signal))
        #expect(it.machine.progress.map(\.isRecorded) == [true])
    }

    @Test func afterTheEndNothingHappens() {
        var it = Conversation()
        _ = it.take(.stop(Self.signal))
        _ = it.answer(.recorded([]))
        #expect(it.all(.tick).isEmpty)
        #expect(it.all(it.event(.hello(Conversation.hello(.writer, "w")), from: 2)).isEmpty)
    }
}

extension CoordinatorMachine {
    /// The round that runs; nil where none does.
    fileprivate var currentRoundNumber: RoundNumber? { if case .round(let round) = phase { round.number } else { nil } }
}
