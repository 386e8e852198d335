import Pipeline
import StateChanges

/// What workers say, and what is said to them.
extension CoordinatorMachine {
    /// Workers that are registered at most: whoever knows the endpoint could register for ever.
    private static var maxWorkers: Int { 1000 }

    mutating func take(_ envelope: Envelope<WorkerContent>?, from peer: Peer, _ actions: inout [CoordinatorAction<Peer>]) {
        guard let envelope else {
            actions.append(.notice(.messageRefused(worker: registry.worker(at: peer)?.id, reason: "it is no message of this version")))
            if let worker = registry.worker(at: peer) { lose(worker, "it sent what is no message", crashed: false, &actions) }
            return actions.append(.send(.registerAgain, to: peer, worker: 0))
        }
        if case .hello(let hello) = envelope.content { return register(hello, peer, &actions) }
        guard let worker = registry.worker(at: peer), envelope.run == configuration.run, envelope.worker == worker.id else {
            // A worker of an earlier run, or one that was given up: it has to begin anew.
            actions.append(.notice(.unknownWorker(run: envelope.run, worker: envelope.worker)))
            return actions.append(.send(.registerAgain, to: peer, worker: envelope.worker))
        }
        registry.heard(worker.id)
        switch (envelope.content, worker.hello.role) {
        case (.goodbye, _): lose(worker, "it has ended by its own will", crashed: false, &actions)
        case (.fetcher(let message), .fetcher): take(message, from: worker, &actions)
        case (.writer(let message), .writer): take(message, from: worker, &actions)
        case (.hello, _), (.fetcher, _), (.writer, _):
            actions.append(.notice(.messageRefused(worker: worker.id, reason: "a \(worker.hello.role.rawValue) may not send it")))
        }
    }

    // MARK: registration

    private mutating func register(_ hello: Hello, _ peer: Peer, _ actions: inout [CoordinatorAction<Peer>]) {
        // One connection is one worker, and so is one process: what was registered before is void.
        if let old = registry.worker(at: peer) { lose(old, "it registers again", crashed: false, &actions) }
        if let old = registry.worker(instance: hello.instance) { lose(old, "it registers again", crashed: false, &actions) }
        guard hello.version == wireVersion else {
            actions.append(.notice(.workerRefused(hello, reason: "it speaks version \(hello.version) of the messages, not \(wireVersion)")))
            return actions.append(.send(.end, to: peer, worker: 0))
        }
        guard registry.count < Self.maxWorkers else {
            actions.append(.notice(.workerRefused(hello, reason: "there are \(registry.count) workers already")))
            return actions.append(.send(.end, to: peer, worker: 0))
        }
        guard hello.role == .fetcher || hello.rowsEndpoint != nil else {
            actions.append(.notice(.workerRefused(hello, reason: "a writer has to say where fetchers reach it")))
            return actions.append(.send(.end, to: peer, worker: 0))
        }
        if hello.role == .writer, let first = registry.writer {
            if standingBy.count < Self.maxWorkers, standingBy.insert(hello.instance).inserted {
                actions.append(.notice(.writerStandsBy(hello, first: first.id)))
            }
            return actions.append(.send(.standBy, to: peer, worker: 0))
        }
        standingBy.remove(hello.instance)
        let worker = registry.register(hello, at: peer)
        actions.append(.notice(.workerRegistered(hello, worker: worker.id)))
        if let token = hello.token { actions.append(.registered(token: token)) }
        let welcome = Welcome(
            worker: worker.id, protocols: configuration.protocols, networkPassphrase: configuration.networkPassphrase,
            compressedChunks: configuration.compressedChunks)
        actions.append(.send(.welcome(welcome), to: peer, worker: worker.id))
        switch hello.role {
        // Nothing of any round is under way for this registration; it says that it is ready only when that is so at the database, too.
        case .writer: writer = WriterStatus(stoppedRound: roundNumber)
        case .fetcher:
            let window = window
            withRound { $0.leases.window = window }
            inform(worker, &actions)
        }
    }

    var window: Window {
        .forFetchers(max(registry.fetcherCount, configuration.fetchers), batchSize: configuration.batchSize)
    }

    /// Tells a fetcher about the round that runs.
    /// - Parameter whole: it has said that it lacks what the set of contracts could be made from.
    private mutating func inform(_ fetcher: Worker, whole: Bool = false, _ actions: inout [CoordinatorAction<Peer>]) {
        guard let round = currentRound, let contracts, let endpoint = registry.writer?.hello.rowsEndpoint else { return }
        let attachment: ContractsReference.Attachment =
            switch fetcher.contracts {
            case contracts.digest where !whole: .none
            case .some(let had) where had == contracts.base && !whole: .additions(base: had)
            default: .whole
            }
        registry.sent(contracts: contracts.digest, to: fetcher.id)
        let command = FetcherCommand.begin(
            round: round.number, writer: endpoint, contracts: ContractsReference(digest: contracts.digest, attachment: attachment))
        actions.append(.send(.fetcher(command), to: fetcher.peer, worker: fetcher.id))
    }

    /// Takes a worker out, with all that hangs on it.
    /// - Parameter crashed: it may have died of what it worked on.
    mutating func lose(_ worker: Worker, _ reason: String, crashed: Bool, _ actions: inout [CoordinatorAction<Peer>]) {
        registry.remove(worker.id)
        actions.append(.notice(.workerLost(role: worker.hello.role, worker: worker.id, reason: reason)))
        switch worker.hello.role {
        case .writer:
            writer = WriterStatus()
            let cause = "the writer was lost: \(reason)"
            if withRound({ $0.interrupted = cause }) != nil { note(trouble: cause, &actions) }
        case .fetcher:
            if let writer = registry.writer {
                actions.append(.send(.writer(.giveUp(worker: worker.id)), to: writer.peer, worker: writer.id))
            }
            guard let loss = withRound({ $0.leases.lost(worker.id, crashed: crashed) }) else { return }
            if !loss.takenBack.isEmpty {
                actions.append(.notice(.leasesTakenBack(worker: worker.id, ledgers: loss.takenBack, reason: reason)))
            }
            if let ledger = loss.poison {
                withRound { $0.failure = "ledger \(ledger): every fetcher that worked on it died, the last one with: \(reason)" }
            }
        }
    }

    /// How long rounds are begun again without any commit before the run fails, in heartbeat intervals: ten minutes.
    private static var ticksOfTrouble: Int { 600 }

    /// Something that may pass keeps a round from getting on.
    private mutating func note(trouble cause: String, _ actions: inout [CoordinatorAction<Peer>]) {
        let ticks = trouble?.ticks ?? 0
        trouble = Trouble(cause: cause, ticks: ticks)
        guard ticks >= Self.ticksOfTrouble else { return }
        fail("nothing was committed for \(ticks / 60) minutes, though it was tried again and again; the last time: \(cause)", &actions)
    }

    // MARK: fetchers

    private mutating func take(_ message: FetcherMessage, from worker: Worker, _ actions: inout [CoordinatorAction<Peer>]) {
        if case .unfit(let reason) = message {
            actions.append(.notice(.fetcherUnfit(worker: worker.id, reason: reason)))
            return lose(worker, reason, crashed: false, &actions)
        }
        if case .heartbeat(_, let counters) = message {
            actions.append(.counted(worker: worker.id, instance: worker.hello.instance, counters))
        }
        guard case .round = phase else { return }
        switch message {
        case .heartbeat(let holding, _):
            let lost = withRound { $0.leases.heartbeat(of: worker.id, holding: Set(holding)) } ?? []
            if !lost.isEmpty { actions.append(.notice(.leasesTakenBack(worker: worker.id, ledgers: lost, reason: "lost on their way"))) }
        case .ready(roundNumber, let batches): withRound { $0.leases.ask(batches, by: worker.id) }
        case .contractsMissing(roundNumber): inform(worker, whole: true, &actions)
        case .failed(roundNumber, let batch, let reason, let permanent):
            switch withRound({ $0.leases.failed(batch, on: worker.id) }) {
            case .stale, nil: break
            case .retry where permanent: withRound { $0.failure = reason }
            case .retry(let failures): actions.append(.notice(.batchFailed(batch, failures: failures, cause: reason)))
            case .giveUp(let ledgers):
                let cause = tooOften(ledgers, reason)
                withRound { $0.failure = cause }
            }
        case .ready, .contractsMissing, .failed, .unfit: break
        }
    }

    private func tooOften(_ ledgers: LedgerRange, _ reason: String) -> String {
        "ledgers \(ledgers.lowerBound)-\(ledgers.upperBound) failed too often, the last time with: \(reason)"
    }

    // MARK: the writer

    private mutating func take(_ message: WriterMessage, from worker: Worker, _ actions: inout [CoordinatorAction<Peer>]) {
        switch message {
        case .heartbeat(let load): actions.append(.holds(load))
        case .ready:
            writer.isReady = true
            actions.append(.notice(.writerReady(worker: worker.id, pid: worker.hello.pid)))
        case .stopped(let round): writer.stoppedRound = round
        case .received(let number, let ledgers, let bytes):
            guard number == roundNumber else { return }
            withRound { $0.leases.received(ledgers, bytes: bytes) }
            bytesPerLedger = currentRound?.leases.bytesPerLedger ?? bytesPerLedger
        case .refused(let number, let ledgers, let fetcher, let reason, let isFault):
            guard number == roundNumber, let (failure, revoked) = withRound({ $0.leases.refused(ledgers, isFault: isFault) }) else {
                return
            }
            actions.append(.notice(.partRefused(ledgers: ledgers, fetcher: fetcher, reason: reason, isFault: isFault)))
            for (holder, batch) in revoked {
                guard let holder = registry[holder] else { continue }
                actions.append(.send(.fetcher(.revoke(round: number, batches: [batch])), to: holder.peer, worker: holder.id))
            }
            if case .giveUp(let ledgers) = failure {
                let cause = tooOften(ledgers, "the writer refused it: \(reason)")
                withRound { $0.failure = cause }
            }
        case .committed(let number, let report):
            // Also after the round was halted: the transaction under way was finished, and counts.
            if number == roundNumber, number > 0 { note(report, from: worker, &actions) }
        case .interrupted(_, let reason, let permanent):
            writer.isReady = false
            if permanent { return fail(reason, &actions) }
            // Whichever round it was: the writer has nothing under way any more, and says when it is ready again.
            withRound { $0.interrupted = reason }
            note(trouble: reason, &actions)
        }
    }

    private mutating func note(_ report: CommitReport, from worker: Worker, _ actions: inout [CoordinatorAction<Peer>]) {
        let last = report.ledgers.upperBound
        let indices = report.swaps.keys.sorted().map { id in protocols.firstIndex { $0.id == id } }
        guard indices.allSatisfy({ index in index.map { last <= protocols[$0].attempted } ?? false }) else {
            return actions.append(
                .notice(.messageRefused(worker: worker.id, reason: "it reports ledger \(last), which was never handed out")))
        }
        var isOvertaken = false
        for index in indices {
            guard let index, let swap = report.swaps[protocols[index].id] else { continue }
            switch swap {
            case .swapped:
                let rows = max(0, min(report.rows[protocols[index].id] ?? 0, 1 << 40))
                protocols[index].committed = max(protocols[index].committed, last)
                protocols[index].rows += rows
                trouble = nil
                actions.append(.notice(.cursorMoved(protocols[index].id, through: last, rows: rows)))
            case .found(let value):
                if protocols[index].outcome == nil { protocols[index].failedSwap = .init(attempted: last, found: value) }
            case .belowOldest(let oldest):
                if !isOvertaken { actions.append(.notice(.belowOldest(report.ledgers, oldest: oldest))) }
                isOvertaken = true
            }
        }
        if isOvertaken {
            // Nothing of it was committed: the ledgers stay outstanding until the round ends.
            if withRound({ $0.isOvertaken = true }) != nil {
                note(trouble: "the writer finds that ledgers \(report.ledgers) begin below the oldest one that is kept", &actions)
            }
            return
        }
        if report.swaps.values.contains(.swapped) { actions.append(.notice(.committed(report))) }
        withRound { $0.leases.committed(through: last) }
    }

    // MARK: leases

    /// Hands out what can be handed out.
    mutating func dispatch(_ actions: inout [CoordinatorAction<Peer>]) {
        guard let grants = withRound({ $0.leases.grants() }), !grants.isEmpty, let handedOut = currentRound?.leases.handedOut else {
            return
        }
        for index in protocols.indices where protocols[index].outcome == nil {
            protocols[index].attempted = max(protocols[index].attempted, handedOut)
        }
        for (id, own) in Dictionary(grouping: grants, by: \.worker).sorted(by: { $0.key < $1.key }) {
            guard let worker = registry[id] else { continue }
            let batches = own.map(\.batch)
            actions.append(.notice(.batchesLeased(batches, worker: id)))
            actions.append(.send(.fetcher(.assign(round: roundNumber, batches: batches)), to: worker.peer, worker: id))
        }
    }

    /// Begins a round: the writer learns the cursors, the fetchers the writer and the contracts.
    mutating func beginRound(_ plan: RoundPlan, target: UInt32, _ actions: inout [CoordinatorAction<Peer>]) {
        guard let writer = registry.writer else {
            phase = .waitingForWriter
            return
        }
        roundNumber += 1
        let cursors = Dictionary(uniqueKeysWithValues: protocols.filter { $0.outcome == nil }.map { ($0.id, $0.committed) })
        actions.append(
            .notice(
                .roundBegins(
                    roundNumber, target: target, ledgers: plan.ledgerCount, cursors: cursors, contracts: contracts?.counts ?? [:])))
        let leases = LeaseTable(
            plan: plan, batchLength: configuration.batchSize, ledgersPerFile: configuration.ledgersPerFile, window: window,
            bytesPerLedger: bytesPerLedger)
        phase = .round(Round(number: roundNumber, target: target, ledgerCount: plan.ledgerCount, leases: leases))
        actions.append(
            .send(
                .writer(.begin(round: roundNumber, cursors: cursors, oldestName: configuration.oldestName)), to: writer.peer,
                worker: writer.id))
        for fetcher in registry.fetchers { inform(fetcher, &actions) }
    }

    /// A protocol takes no further part.
    mutating func drop(_ id: ProtocolID, _ actions: inout [CoordinatorAction<Peer>]) {
        withRound { $0.leases.drop(id) }
        guard let writer = registry.writer else { return }
        actions.append(.send(.writer(.drop(protocolID: id)), to: writer.peer, worker: writer.id))
    }
}
