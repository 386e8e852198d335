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
    case contractsRead(UInt8)
    case databaseResponds(Query)
    case resultComes(QueryResult)
    case asksAtOnce(Query)
    case wakes
    case wholeWaitPasses
    case looksWhileTheRoundRuns
    case fetcherAsks
    case reportComes(ModelReport)
    case writerRegisters
    case writerFoundGone
    case writerTakesTooLongToStop

    case writerIsReady
    case writerObeys(ModelWriter.Command)
    case writerSwaps(orphan: Bool, ClosedRange<UInt8>, swapped: ProtocolSet)
    case writerCommits(orphan: Bool, UInt8, ProtocolSet)
    case writerFindsItselfCutOff
    case orphanEnds

    case coordinatorKilled
    case signalComes
    case writerIsGone
    case writerRegistersAgain
    case fetcherDies
    case sessionBreaks
    case serverFlushes
    case serverCrashes
    case retentionMoves(UInt8)
    case handMoves(Int, from: UInt8, to: UInt8)
}

extension ModelStep: CustomStringConvertible {
    var description: String {
        switch self {
        case .liveTakesItsLock: "live ingestion takes its lock"
        case .liveNotesCursors(let set): "live ingestion notes the cursors: \(ModelProtocols.names(set))"
        case .liveSwaps(let index, let succeeded): "live ingestion swaps \(ModelProtocols.ids[index]): \(succeeded ? "done" : "refused")"
        case .liveCommits(let ledger, let set): "live ingestion commits ledger \(ledger) with rows of \(ModelProtocols.names(set))"
        case .liveEnds(let underWay): "live ingestion ends\(underWay ? ", its last COMMIT is still under way" : "")"
        case .lateCommitLands(let ledger, let set): "the late COMMIT of ledger \(ledger) lands, with rows of \(ModelProtocols.names(set))"
        case .lateCommitIsLost: "the late COMMIT is lost"
        case .migrationBegins(let set): "a migration of \(ModelProtocols.names(set)) begins"
        case .contractsRead(let ledger): "contracts read, those up to ledger \(ledger)"
        case .databaseResponds(let query): "the database works out the response to \(query)"
        case .resultComes(let result): "the coordinator gets \(result)"
        case .asksAtOnce(let query): "the coordinator asks and gets its response: \(query)"
        case .wakes: "the pause at the tip is over"
        case .wholeWaitPasses: "a whole wait passes"
        case .looksWhileTheRoundRuns: "a second passes, the coordinator looks at the cursors"
        case .fetcherAsks: "the fetcher asks for a batch, and delivers it"
        case .reportComes(let report): "the coordinator hears from the writer: \(report)"
        case .writerRegisters: "a writer registers"
        case .writerFoundGone: "the coordinator gives the writer up"
        case .writerTakesTooLongToStop: "the coordinator waits no longer for the writer to stop"
        case .writerIsReady: "the writer has the fences"
        case .writerObeys(let command): "the writer hears \(command)"
        case .writerSwaps(let orphan, let ledgers, let swapped):
            "\(Self.writer(orphan)) swaps over \(ledgers): done for \(ModelProtocols.names(swapped))"
        case .writerCommits(let orphan, let ledger, let set):
            "\(Self.writer(orphan)) commits up to \(ledger) for \(ModelProtocols.names(set))"
        case .writerFindsItselfCutOff: "the writer finds its connection to the database gone"
        case .orphanEnds: "the old writer ends; what it had not committed is lost"
        case .coordinatorKilled: "the coordinator is killed"
        case .signalComes: "the coordinator gets a signal"
        case .writerIsGone: "the writer is gone, or is not heard of any more"
        case .writerRegistersAgain: "the writer loses its connection to the coordinator and registers again"
        case .fetcherDies: "the fetcher dies, another one registers"
        case .sessionBreaks: "the coordinator's session ends, and its locks with it"
        case .serverFlushes: "the server brings its last commits to the disk"
        case .serverCrashes: "the server crashes, and loses what is not on the disk"
        case .retentionMoves(let oldest): "retention moves on, the oldest ledger is \(oldest)"
        case .handMoves(let index, let old, let new): "a hand moves the cursor of \(ModelProtocols.ids[index]) from \(old) to \(new)"
        }
    }

    private static func writer(_ orphan: Bool) -> String { orphan ? "the old writer" : "the writer" }
}
