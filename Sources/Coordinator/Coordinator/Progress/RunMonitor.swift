import LedgerSources
import Logging
import Operations
package import Pipeline
import StateChanges
import Synchronization
import ZeroMQ

/// Makes `RunStatus` of what the coordinator says, of its workers' counters and of the machine's state, once a second.
package struct RunMonitor: Sendable {
    private struct FetcherRecord {
        /// Its counters lately, a few seconds' worth, with the time of each.
        var samples: [(time: Double, counters: FetcherCounters)] = []
        var last: FetcherCounters { samples.last?.counters ?? FetcherCounters() }
    }

    /// Commits of one second.
    private struct Commits {
        let time: Double
        var seconds = 0.0
        var transactions = 0
        var rows = 0
    }

    private var status: RunStatus
    private var overall = ProgressMeter(keep: Self.rateSeconds)
    private var meters: [ProtocolID: ProgressMeter] = [:]
    private var ledgersCommitted = 0
    private var lowestCursor: UInt32 = 0
    private var target: UInt32 = 0
    private var fetchers: [WorkerID: FetcherRecord] = [:]
    private var load = ReorderLoad(ledgers: 0, bytes: 0)
    private var commits: [Commits]
    private var throughput: ThroughputSeries
    private var cpu = ProcessorLoad()

    /// Speeds are those of the last minute; the stages' figures those of a few seconds, so that a change shows.
    private static let rateSeconds = 60
    private static let stageSeconds = 10.0
    private static let maxEvents = 50
    /// Whoever registers under ever new numbers is not worth the memory.
    private static let maxFetchers = 1000

    /// - Parameter now: here and below, Unix seconds.
    package init(
        run: RunID, version: String = ProgramVersion.text, host: String = Host.name, pid: Int32 = ProcessStatistics.pid, at now: Double
    ) {
        status = RunStatus(version: version, run: run.rawValue, host: host, pid: pid, now: now, started: now)
        commits = [Commits(time: now)]
        throughput = ThroughputSeries(start: now)
    }

    /// Something was said.
    package mutating func note(_ notice: Notice, at now: Double) {
        switch notice {
        case .target(let ledger, let lowest):
            target = ledger
            lowestCursor = lowest
        case .networkTip(let ledger): status.networkTip = ledger
        case .cursorMoved(_, _, let rows): commits[commits.count - 1].rows += rows
        case .committed(let report):
            ledgersCommitted += report.ledgers.count
            commits[commits.count - 1].transactions += 1
            // The number comes from another process.
            commits[commits.count - 1].seconds += report.seconds.isFinite ? max(0, report.seconds) : 0
        case .workerLost(_, let worker, _): fetchers[worker] = nil
        default: break
        }
        guard let line = notice.line, line.level >= .info else { return }
        status.events.append(
            RunStatus.Event(time: now, level: line.level.rawValue, message: "\(line.message)", fields: line.fields))
        if status.events.count > Self.maxEvents { status.events.removeFirst() }
    }

    /// A fetcher's counters, which only grow.
    package mutating func counted(_ worker: WorkerID, _ counters: FetcherCounters, at now: Double) {
        guard fetchers.count < Self.maxFetchers || fetchers[worker] != nil else { return }
        fetchers[worker, default: FetcherRecord()].samples.append((now, counters))
        fetchers[worker]?.samples.removeAll { $0.time < now - Self.stageSeconds }
    }

    /// What the writer holds.
    package mutating func holds(_ load: ReorderLoad) { self.load = load }

    /// Another phase, before the rounds.
    package mutating func enter(_ phase: RunStatus.Phase, at now: Double) -> RunStatus {
        status.phase = phase
        status.now = now
        return status
    }

    /// A second went by.
    package mutating func tick<Peer>(_ machine: CoordinatorMachine<Peer>, at now: Double) -> RunStatus {
        status.now = now
        status.phase = machine.phase.name
        overall.note(seconds: now, ledgers: ledgersCommitted)
        throughput.note(now, ledgersCommitted)
        status.committedLedgers = ledgersCommitted
        status.ledgersPerSecond = overall.rate ?? 0
        status.throughput = throughput.points
        let round = machine.currentRound
        status.round = round.map {
            RunStatus.Round(number: $0.number, target: $0.target, done: $0.leases.committedLedgers, ledgers: $0.ledgerCount)
        }
        status.etaSeconds = round.flatMap { overall.eta(left: max(0, $0.ledgerCount - $0.leases.committedLedgers)) }
        if let tip = machine.tip { status.liveIngestion = tip.ranAtLastLook ? "running" : "not running" }
        status.protocols = machine.progress.map { describe($0, now) }
        describeWorkers(machine)
        describeStages(now, window: round?.leases.outstandingLedgers ?? 0)
        commits.append(Commits(time: now))
        commits.removeAll { $0.time < now - Self.stageSeconds }
        return status
    }

    /// The run is over.
    package mutating func end<Peer>(_ machine: CoordinatorMachine<Peer>, at now: Double) -> RunStatus {
        status = tick(machine, at: now)
        status.phase = .ended
        status.etaSeconds = nil
        for index in status.protocols.indices where status.protocols[index].outcome == nil { status.protocols[index].outcome = "STOPPED" }
        return status
    }

    private mutating func describe(_ progress: ProtocolProgress, _ now: Double) -> RunStatus.ProtocolStatus {
        meters[progress.id, default: ProgressMeter(keep: Self.rateSeconds)].note(seconds: now, ledgers: Int(progress.committed))
        let start = min(lowestCursor, progress.start)
        let cursor = max(progress.committed, progress.outcome?.reached ?? 0)
        let target = max(self.target, cursor)
        let cause: String? = if case .failed(let cause)? = progress.outcome { cause } else { nil }
        return RunStatus.ProtocolStatus(
            id: progress.id.rawValue, outcome: progress.outcome?.word, start: start, cursor: cursor, target: target,
            done: Int(cursor - min(start, cursor)), total: Int(target - min(start, target)), rows: progress.rows,
            ledgersPerSecond: progress.outcome == nil ? meters[progress.id]?.rate ?? 0 : 0,
            etaSeconds: progress.outcome == nil ? meters[progress.id]?.eta(left: Int(target - cursor)) : nil, cause: cause)
    }

    private mutating func describeWorkers<Peer>(_ machine: CoordinatorMachine<Peer>) {
        let held = machine.currentRound?.leases.heldBatches ?? [:]
        status.fetchers = machine.registry.fetchers.map { worker in
            let span = Span(fetchers[worker.id]?.samples ?? [])
            let last = fetchers[worker.id]?.last ?? FetcherCounters()
            return RunStatus.Fetcher(
                worker: worker.id, host: worker.hello.host, pid: worker.hello.pid, batches: held[worker.id] ?? 0,
                ledgers: max(0, last.ledgers),
                ledgersPerSecond: span.rate(\.ledgers), fetchMilliseconds: span.milliseconds { $0.fetchSeconds },
                decodeMilliseconds: span.milliseconds { $0.extractSeconds + $0.processSeconds },
                retries: last.retries.values.reduce(0) { min($0 + min(max(0, $1), 1 << 40), 1 << 40) },
                silentSeconds: max(0, worker.silentTicks))
        }
        status.writer = machine.registry.writer.map {
            RunStatus.Writer(
                worker: $0.id, host: $0.hello.host, pid: $0.hello.pid, ready: machine.readyWriter != nil,
                silentSeconds: max(0, $0.silentTicks))
        }
        if machine.registry.writer == nil { load = ReorderLoad(ledgers: 0, bytes: 0) }
    }

    private mutating func describeStages(_ now: Double, window: Int) {
        var stages = RunStatus.Stages()
        let spans = status.fetchers.map { Span(fetchers[$0.worker]?.samples ?? []) }
        let ledgers = spans.reduce(0) { $0 + $1.growth { Double($0.ledgers) } }
        let fetch = spans.reduce(0) { $0 + $1.growth { $0.fetchSeconds } }
        let decode = spans.reduce(0) { $0 + $1.growth { $0.extractSeconds + $0.processSeconds } }
        stages.fetch.bytesPerSecond = spans.reduce(0) { $0 + $1.rate(\.responseBytes) }
        stages.fetch.requests = status.fetchers.reduce(0) { $0 + min(max(0, fetchers[$1.worker]?.last.requestsInFlight ?? 0), 1 << 20) }
        if ledgers > 0 {
            stages.fetch.millisecondsPerLedger = 1000 * fetch / ledgers
            stages.decode.millisecondsPerLedger = 1000 * decode / ledgers
        }
        // Fetchers of one host share its cores.
        let cores = Dictionary(grouping: status.fetchers, by: \.host)
            .reduce(0) { $0 + ($1.value.map { min(max(1, fetchers[$0.worker]?.last.cores ?? 1), 4096) }.max() ?? 1) }
        let busy = spans.reduce(0) { $0 + $1.perSecond { $0.extractSeconds + $0.processSeconds } } / Double(max(1, cores))
        stages.decode.busy = min(1, busy)
        stages.reorder = RunStatus.Stages.Reorder(ledgers: max(0, load.ledgers), bytes: max(0, load.bytes), window: window)
        let time = now - (commits.first?.time ?? now)
        let transactions = commits.reduce(0) { $0 + $1.transactions }
        let seconds = commits.reduce(0) { $0 + $1.seconds }
        if time > 0 {
            stages.commit.transactionsPerSecond = Double(transactions) / time
            stages.commit.rowsPerSecond = Double(commits.reduce(0) { $0 + $1.rows }) / time
            stages.commit.busy = min(1, seconds / time)
        }
        if transactions > 0 { stages.commit.millisecondsPerTransaction = 1000 * seconds / Double(transactions) }
        let hostBusy = cpu.busySinceLastLook()
        // At the tip the run waits for the network.
        if status.phase != .round {
            stages.bottleneck = nil
        } else if stages.commit.busy > 0.8 {
            stages.bottleneck = .commit
        } else if ledgers > 0 {
            // On the coordinator's own host the database and the writer may use what the fetchers leave.
            let isLocal = status.fetchers.allSatisfy { $0.host == status.host }
            stages.bottleneck = stages.decode.busy > 0.6 || (isLocal && hostBusy ?? 0 > 0.9) ? .decode : .fetch
        }
        status.stages = stages
    }

    /// What a fetcher's counters grew by within the last seconds.
    private struct Span {
        let seconds: Double
        let first: FetcherCounters
        let last: FetcherCounters

        init(_ samples: [(time: Double, counters: FetcherCounters)]) {
            first = samples.first?.counters ?? FetcherCounters()
            last = samples.last?.counters ?? FetcherCounters()
            seconds = (samples.last?.time ?? 0) - (samples.first?.time ?? 0)
        }

        /// Never negative and always finite: the counters come from another process.
        func growth(_ value: (FetcherCounters) -> Double) -> Double {
            let grown = value(last) - value(first)
            return grown.isFinite ? max(0, grown) : 0
        }

        func perSecond(_ value: (FetcherCounters) -> Double) -> Double { seconds > 0 ? growth(value) / seconds : 0 }
        func rate(_ value: (FetcherCounters) -> Int) -> Double { perSecond { Double(value($0)) } }

        func milliseconds(_ value: (FetcherCounters) -> Double) -> Double? {
            let ledgers = growth { Double($0.ledgers) }
            return ledgers > 0 ? 1000 * growth(value) / ledgers : nil
        }
    }
}

/// All that watches a run: nothing that it does changes what the run does.
struct RunObservation: Sendable {
    let metrics: MigrationMetrics
    var monitor: RunMonitor
    let board: RunBoard
    var display: ProgressDisplay
    private let began = (time: UTCTime.now.seconds, instant: ContinuousClock.now)

    init(metrics: MigrationMetrics, monitor: RunMonitor, board: RunBoard, display: ProgressDisplay) {
        self.metrics = metrics
        self.monitor = monitor
        self.board = board
        self.display = display
    }

    /// Unix seconds that go on evenly: speeds must not jump where the system's clock is set.
    private var now: Double { began.time + (ContinuousClock.now - began.instant) / .seconds(1) }

    mutating func note(_ notice: Notice) {
        metrics.note(notice)
        monitor.note(notice, at: now)
    }

    mutating func counted(_ worker: WorkerID, _ instance: String, _ counters: FetcherCounters) {
        var counters = counters
        // A peer's word: names that are none must neither make series nor fill memory.
        counters.retries = Dictionary(
            counters.retries.map { (LedgerSourceError.Code(rawValue: $0.key)?.rawValue ?? "other", min(max(0, $0.value), 1 << 40)) },
            uniquingKeysWith: { min($0 + $1, 1 << 40) })
        metrics.counted(instance, counters)
        monitor.counted(worker, counters, at: now)
    }

    mutating func holds(_ load: ReorderLoad) { monitor.holds(load) }

    mutating func tick(_ machine: CoordinatorMachine<PeerID>) {
        let status = monitor.tick(machine, at: now)
        metrics.observe(status)
        board.show(status)
        display.tick(status)
    }

    mutating func end(_ machine: CoordinatorMachine<PeerID>) {
        let status = monitor.end(machine, at: now)
        metrics.observe(status)
        board.show(status)
        display.end(status)
    }
}

/// Ledgers per second over the whole run, at most so many points: where there are more, two become one.
package struct ThroughputSeries: Sendable {
    package private(set) var points: [RunStatus.Point] = []
    private var secondsPerPoint = 1.0
    private var last: (time: Double, ledgers: Int)
    private let maxPoints: Int

    package init(start: Double, maxPoints: Int = 600) {
        last = (start, 0)
        self.maxPoints = maxPoints
    }

    /// Notes how many ledgers were committed in all at a time.
    package mutating func note(_ time: Double, _ ledgers: Int) {
        // Ticks come a little early or late.
        guard time - last.time > secondsPerPoint - 0.5 else { return }
        points.append(RunStatus.Point(time: time, ledgersPerSecond: Double(ledgers - last.ledgers) / (time - last.time)))
        last = (time, ledgers)
        guard points.count > maxPoints else { return }
        secondsPerPoint *= 2
        points = stride(from: 1, to: points.count, by: 2).map { index in
            RunStatus.Point(
                time: points[index].time, ledgersPerSecond: (points[index - 1].ledgersPerSecond + points[index].ledgersPerSecond) / 2)
        }
    }
}

/// The status as others read it while the run goes on. Thread-safe.
final class RunBoard: Sendable {
    private let stored: Mutex<RunStatus>

    init(_ status: RunStatus) { stored = Mutex(status) }

    var status: RunStatus { stored.withLock { $0 } }

    func show(_ status: RunStatus) { stored.withLock { $0 = status } }
}

extension Phase {
    fileprivate var name: RunStatus.Phase {
        switch self {
        case .waitingForWriter, .planning, .restoringLocks: .waitingForWriter
        case .round: .round
        case .tip: .atTip
        case .halting: .halting
        case .stopping, .recordingAtEnd: .stopping
        case .ended: .ended
        }
    }
}
