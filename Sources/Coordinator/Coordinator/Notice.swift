package import Pipeline
package import StateChanges
package import Store
import Logging

/// What the coordinator has to say: its log lines, each in one place.
package enum Notice: Hashable, Sendable {
    // Workers
    case workerRegistered(Hello, worker: WorkerID)
    case workerRefused(Hello, reason: String)
    case writerStandsBy(Hello, first: WorkerID)
    case writerReady(worker: WorkerID, pid: Int32)
    case workerLost(role: WorkerRole, worker: WorkerID, reason: String)
    case unknownWorker(run: RunID, worker: WorkerID)
    case messageRefused(worker: WorkerID?, reason: String)
    case fetcherUnfit(worker: WorkerID, reason: String)
    case leasesTakenBack(worker: WorkerID, ledgers: [LedgerRange], reason: String)
    case batchesLeased([Batch], worker: WorkerID)
    case batchFailed(BatchID, failures: Int, cause: String)
    case partRefused(ledgers: LedgerRange, fetcher: WorkerID, reason: String, isFault: Bool)
    // Rounds
    /// The round's target, and where the cursor of an empty history stands.
    case target(UInt32, lowestCursor: UInt32)
    case roundBegins(RoundNumber, target: UInt32, ledgers: Int, cursors: [ProtocolID: UInt32], contracts: [ProtocolID: Int])
    case roundInterrupted(RoundNumber, cause: String)
    case roundComplete(RoundNumber, target: UInt32, ledgers: Int)
    case cursorMoved(ProtocolID, through: UInt32, rows: Int)
    case committed(CommitReport)
    // Cursors
    case cursorElsewhere(ProtocolID, UInt32, reported: UInt32)
    case belowOldest(LedgerRange, oldest: UInt32)
    case movingForward([ProtocolID: UInt32], to: UInt32)
    case movedForward(ProtocolID, from: UInt32, to: UInt32)
    case swapFailed(ProtocolID, from: UInt32, to: UInt32, found: String?, latest: CursorReading)
    case handoffDoubtful(ProtocolID, cursor: UInt32, migrated: UInt32, through: UInt32, target: UInt32, seen: String)
    case left(ProtocolID, Outcome, migrated: UInt32, accepted: Bool)
    case recorded(ProtocolID, success: Bool)
    case recordRefused(ProtocolID, reached: UInt32)
    case statusesNotSet(complete: [ProtocolID], failed: [ProtocolID], cause: String)
    // Locks
    case locksLost(cause: String, round: RoundNumber?)
    case locksRestored(protocols: [ProtocolID])
    // The tip
    case caughtUp(ledger: UInt32, wait: Duration)
    case onlyHandoffEnds(ledger: UInt32, isKnown: Bool, networkTip: UInt32?)
    case networkNameDoubtful(String)
    case networkTip(UInt32)
    // The end
    case stopping(StopCause)
}

extension Notice {
    /// A round of fewer is not worth two lines in the log: at the tip, while live ingestion passes ledgers by, they come by the dozen.
    private static let fewLedgers = 10

    func log(to logger: Logger) {
        guard let line else { return }
        logger.log(level: line.level, line.message, metadata: line.fields.mapValues { "\($0)" })
    }

    typealias Line = (level: Logger.Level, message: Logger.Message, fields: [String: String])

    /// Nil for what only the metrics tell.
    var line: Line? { workerLine ?? roundLine ?? cursorLine ?? tipLine }

    private var workerLine: Line? {
        switch self {
        case .workerRegistered(let hello, let worker):
            return (.info, "worker registered", hello.fields.merging(["worker": "\(worker)"]) { $1 })
        case .workerRefused(let hello, let reason):
            return (.error, "worker refused", hello.fields.merging(["reason": reason]) { $1 })
        case .writerStandsBy(let hello, let first):
            return (
                .notice, "another writer is at work: this one waits until nothing is heard of it",
                hello.fields.merging(["first": "\(first)"]) { $1 }
            )
        case .writerReady(let worker, let pid):
            return (.info, "writer is ready", ["worker": "\(worker)", "worker_pid": "\(pid)"])
        case .workerLost(let role, let worker, let reason):
            return (.warning, "worker lost", ["role": role.rawValue, "worker": "\(worker)", "reason": reason])
        case .unknownWorker(let run, let worker):
            return (.debug, "dropped: from an unknown worker", ["of_run": "\(run)", "worker": "\(worker)"])
        case .messageRefused(let worker, let reason):
            return (.warning, "message refused", ["worker": worker.map { "\($0)" } ?? "none", "reason": reason])
        case .fetcherUnfit(let worker, let reason):
            return (.error, "fetcher takes no part: its source of ledgers is of no use", ["worker": "\(worker)", "reason": reason])
        case .leasesTakenBack(let worker, let ledgers, let reason):
            let text =
                ledgers.prefix(10).map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: " ") + (ledgers.count > 10 ? " ..." : "")
            return (.info, "batches taken back", ["worker": "\(worker)", "ledgers": text, "reason": reason])
        case .batchesLeased(let batches, let worker):
            let ledgers = batches.prefix(10).map { "\($0.id):\($0.ledgers.lowerBound)-\($0.ledgers.upperBound)" }.joined(separator: " ")
            return (.debug, "batches leased", ["worker": "\(worker)", "batches": ledgers, "count": "\(batches.count)"])
        case .batchFailed(let batch, let failures, let cause):
            return (.warning, "batch failed, it goes out again", ["batch": "\(batch)", "failures": "\(failures)", "cause": cause])
        case .partRefused(let ledgers, let fetcher, let reason, let isFault):
            return (
                isFault ? .warning : .debug, "the writer refused rows, their ledgers go out again",
                ["ledgers": "\(ledgers.lowerBound)-\(ledgers.upperBound)", "worker": "\(fetcher)", "reason": reason]
            )
        default: return nil
        }
    }

    private var roundLine: Line? {
        switch self {
        case .roundBegins(let round, let target, let ledgers, let cursors, let contracts):
            return (
                round > 1 && ledgers < Self.fewLedgers ? .debug : .info, "round begins",
                [
                    "round": "\(round)", "target": "\(target)", "ledgers": "\(ledgers)", "cursors": Self.list(cursors),
                    "contracts": Self.list(contracts),
                ]
            )
        case .roundInterrupted(let round, let cause):
            return (.warning, "round interrupted, the next one begins where the database stands", ["round": "\(round)", "cause": cause])
        case .roundComplete(let round, let target, let ledgers):
            return (
                round > 1 && ledgers < Self.fewLedgers ? .debug : .info, "round complete", ["round": "\(round)", "target": "\(target)"]
            )
        case .locksLost(let cause, let round):
            return (
                .error, "the session that holds the migration locks is lost: commits stop until they are ours again",
                ["cause": cause, "round": round.map { "\($0)" } ?? "none"]
            )
        case .locksRestored(let protocols):
            return (.notice, "the migration locks are ours again", ["protocols": Self.list(protocols)])
        case .stopping(let cause):
            return (.notice, "stopping: the writer finishes its transaction", ["cause": "\(cause)"])
        default: return nil
        }
    }

    private var cursorLine: Line? {
        switch self {
        case .cursorElsewhere(let id, let ledger, let reported):
            return (
                .notice,
                ledger > reported
                    ? "cursor found past the last report: a commit whose report was lost"
                    : "cursor found before the last report: the server lost its last commits in a crash; they are done again",
                ["protocol": id.rawValue, "cursor": "\(ledger)", "reported": "\(reported)"]
            )
        case .belowOldest(let ledgers, let oldest):
            return (
                .info, "nothing was written: the ledgers begin below the oldest one that is kept",
                ["ledgers": "\(ledgers.lowerBound)-\(ledgers.upperBound)", "oldest": "\(oldest)"]
            )
        case .movingForward(let cursors, let ledger):
            return (
                .info, "retention has moved past cursors: swapping them forward", ["cursors": Self.list(cursors), "to": "\(ledger)"]
            )
        case .movedForward(let id, let from, let to):
            return (
                .notice,
                "cursor swapped forward, retention has moved past it: the ledgers between are not kept any more and have no state changes",
                ["protocol": id.rawValue, "from": "\(from)", "to": "\(to)"]
            )
        case .swapFailed(let id, let from, let to, let found, let latest):
            return (
                .info, "cursor swap failed, verifying",
                ["protocol": id.rawValue, "attempted": "\(from)->\(to)", "found": found ?? "no row", "latest": "\(latest)"]
            )
        case .handoffDoubtful(let id, let cursor, let migrated, let through, let target, let seen):
            return (
                .warning,
                """
                live ingestion takes a cursor over only where ledger \(target) is migrated, which this run has not done: if the cursor was moved \
                by a hand, the ledgers from \(through + 1) on may have no state changes
                """,
                ["protocol": id.rawValue, "migrated_through": "\(migrated)", "cursor": "\(cursor)", "seen": seen]
            )
        case .left(let id, .handoff(let ledger), let migrated, _):
            return (
                .notice, "HANDOFF: live ingestion owns the cursor now, it stands at the latest ingested ledger",
                ["protocol": id.rawValue, "migrated_through": "\(migrated)", "cursor": "\(ledger)"]
            )
        case .left(let id, .converged(let ledger), _, let accepted):
            let why =
                accepted
                ? "no further ledger came within the wait, and convergence was accepted with --accept-convergence"
                : "no further ledger came within the wait, and live ingestion is not running (nobody holds its lock)"
            return (
                .notice, "CONVERGED: \(why); live ingestion will go on from here when it starts",
                ["protocol": id.rawValue, "migrated_through": "\(ledger)", "cursor": "\(ledger)"]
            )
        case .left(let id, .failed(let cause), _, _):
            return (.error, "protocol failed", ["protocol": id.rawValue, "cause": cause])
        case .recordRefused(let id, let reached):
            return (
                .warning,
                "the cursor does not stand any more where the protocol was done, the server has lost its last commits in a crash: going on",
                ["protocol": id.rawValue, "reached": "\(reached)"]
            )
        case .statusesNotSet(let complete, let failed, let cause):
            return (
                .critical, "history_migration_status could not be set; correct it by hand or run again",
                ["complete": Self.list(complete), "failed": Self.list(failed), "cause": cause]
            )
        default: return nil
        }
    }

    private var tipLine: Line? {
        switch self {
        case .caughtUp(let ledger, let wait):
            return (
                .info, "caught up with the latest ingested ledger, waiting for the next one or for live ingestion to take over",
                ["ledger": "\(ledger)", "wait": "\(wait)"]
            )
        case .onlyHandoffEnds(let ledger, let isKnown, let networkTip):
            let why = isKnown ? "runs" : "is taken to run (no --network was given)"
            return (
                .info, "no ledger came within the wait, but live ingestion \(why): only its taking over the cursor ends the migration",
                ["ledger": "\(ledger)", "network_tip": networkTip.map { "\($0)" } ?? "unknown"]
            )
        case .networkNameDoubtful(let network):
            return (
                .warning,
                """
                a ledger was stored, but nobody holds live ingestion's lock of this name: was it started with another --network? Then this run may take \
                itself for converged too early: stop it and give the right name
                """, ["network": network]
            )
        default: return nil
        }
    }

    private static func list<Value>(_ values: [ProtocolID: Value]) -> String {
        values.map { "\($0.key.rawValue)=\($0.value)" }.sorted().joined(separator: " ")
    }

    private static func list(_ ids: [ProtocolID]) -> String { ids.map(\.rawValue).joined(separator: " ") }
}

extension Hello {
    fileprivate var fields: [String: String] { ["role": role.rawValue, "host": host, "worker_pid": "\(pid)"] }
}
