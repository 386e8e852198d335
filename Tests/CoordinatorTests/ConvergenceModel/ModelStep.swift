import Coordinator

/// One step of one process, for traces and for counting.
enum ModelStep: Sendable {
    case liveTakesItsLock
    case liveNotesCursors(ProtocolSet)
    case liveSwaps(Int, succeeded: Bool)
    case liveCommits(UInt8, ProtocolSet)
    case liveEnds(commitUnderWay: Bool)
    case lateCommitLands(UInt8, ProtocolSet)
    case lateCommitIsLost

    case migrationBegins(ProtocolSet)
    case writerIsReady
    case contractsRead(UInt8)
    case roundBegins(target: UInt8)
    case snapshotAtTheTip
    case snapshotEndsIt
    case handsOut(UInt8)
    case reportNoted(UInt8, swapped: ProtocolSet, refused: ProtocolSet)
    case failedSwapsVerified(ProtocolSet)
    case lookAsked
    case lookAnswered(ProtocolSet)
    case sessionFoundLost
    case roundComplete
    case lockAsked(liveRuns: Bool)
    case cursorsReadFirst
    case tipDecision(TipWait.Decision)
    case wholeWaitPasses
    case statusesSet(ModelDatabase.Status, ProtocolSet)
    case migrationStopped
    case coordinatorKilled
    case writerLost

    case writerSwaps(orphan: Bool, ClosedRange<UInt8>, swapped: ProtocolSet, refused: ProtocolSet)
    case writerCommits(orphan: Bool, UInt8, ProtocolSet)
    case writerStoresRows(orphan: Bool)
    case writerDrops(ProtocolSet)
    case orphanEnds

    case serverFlushes
    case serverCrashes

    static func name(_ index: Int) -> String { index == 0 ? "SEP41" : "SEP50" }
}

extension ModelStep: CustomStringConvertible {
    var description: String {
        switch self {
        case .liveTakesItsLock: "live ingestion takes its lock"
        case .liveNotesCursors(let set): "live ingestion notes the cursors: \(Self.names(set))"
        case .liveSwaps(let index, let succeeded): "live ingestion swaps \(Self.name(index)): \(succeeded ? "done" : "refused")"
        case .liveCommits(let ledger, let set): "live ingestion commits ledger \(ledger) with rows of \(Self.names(set))"
        case .liveEnds(let underWay): "live ingestion ends\(underWay ? ", its last COMMIT is still under way" : "")"
        case .lateCommitLands(let ledger, let set): "the late COMMIT of ledger \(ledger) lands, with rows of \(Self.names(set))"
        case .lateCommitIsLost: "the late COMMIT is lost"
        case .migrationBegins(let set): "a migration of \(Self.names(set)) begins"
        case .writerIsReady: "a writer is ready"
        case .contractsRead(let ledger): "contracts read, those up to ledger \(ledger)"
        case .roundBegins(let target): "snapshot: a round to ledger \(target) begins"
        case .snapshotAtTheTip: "snapshot: caught up"
        case .snapshotEndsIt: "snapshot: nothing remains to be done"
        case .handsOut(let ledger): "ledger \(ledger) is handed out"
        case .reportNoted(let ledger, let swapped, let refused):
            "coordinator takes the report of ledger \(ledger): swapped \(Self.names(swapped)), refused \(Self.names(refused))"
        case .failedSwapsVerified(let set): "failed swaps of \(Self.names(set)) verified"
        case .lookAsked: "coordinator looks at the cursors during the round"
        case .lookAnswered(let set): "the look is judged: \(Self.names(set)) handed off"
        case .sessionFoundLost: "the look finds the coordinator's session lost: the round ends"
        case .roundComplete: "the round is complete"
        case .lockAsked(let runs): "coordinator asks for live ingestion's lock: \(runs ? "held" : "free")"
        case .cursorsReadFirst: "coordinator reads cursors and latest ledger"
        case .tipDecision(let decision): "look at the tip: \(decision)"
        case .wholeWaitPasses: "a whole wait passes"
        case .statusesSet(let status, let set): "status of \(Self.names(set)) set: \(status)"
        case .migrationStopped: "the migration is stopped"
        case .coordinatorKilled: "the coordinator is killed"
        case .writerLost: "the writer is lost, with its reports"
        case .writerSwaps(let orphan, let ledgers, let swapped, let refused):
            "\(Self.writer(orphan)) swaps over \(ledgers): done for \(Self.names(swapped)), refused for \(Self.names(refused))"
        case .writerCommits(let orphan, let ledger, let set): "\(Self.writer(orphan)) commits up to \(ledger) for \(Self.names(set))"
        case .writerStoresRows(let orphan): "\(Self.writer(orphan)) stores the rows"
        case .writerDrops(let set): "the writer drops \(Self.names(set))"
        case .serverFlushes: "the server brings its last commits to the disk"
        case .serverCrashes: "the server crashes, and loses what is not on the disk"
        case .orphanEnds: "the old writer ends; what it had not committed is lost"
        }
    }

    private static func names(_ set: ProtocolSet) -> String { set.isEmpty ? "none" : set.map(name).joined(separator: " and ") }
    private static func writer(_ orphan: Bool) -> String { orphan ? "the old writer" : "the writer" }
}
