import LedgerSources
import Logging
import Pipeline
import Protocols
import StateChanges
import StellarXDR
import Synchronization
import ZeroMQ

/// A fetcher's scheduler: of each request one frame for each protocol, nil where it has no rows.
typealias Scheduler = FetchScheduler<[Frame?]>

/// Turns the ledgers of one request into rows, while they arrive: from the source's buffer to COPY tuples in one walk.
final class RequestProcessor: Sendable {
    /// What a request gave.
    struct Outcome: Sendable {
        let rows: Scheduler.FetchedRows
        /// Seconds spent on the ledgers themselves.
        let seconds: Double
        /// Of some of them: all seconds, and those of them that went into rows.
        let measured: (seconds: Double, rows: Double)
        let ignoredEvents: Int
    }

    private struct State {
        var processor: LedgerProcessor
        var first: LedgerHeader?
        var last: LedgerHeader?
        var time = Duration.zero
        var measuredTime = Duration.zero
    }

    /// Of how many ledgers one is measured: to look at the clock for each event would cost more than it tells.
    private static let ledgersPerMeasurement: UInt32 = 16

    private struct EnoughRows: Error {}

    private let request: Scheduler.Request
    private let state: Mutex<State>

    private init(_ request: Scheduler.Request, _ processor: LedgerProcessor) {
        self.request = request
        state = Mutex(State(processor: processor))
    }

    /// Makes rows from the request's first ledger on until they have its allowance, or up to a ledger that cannot be had.
    static func run(
        _ request: Scheduler.Request, from source: any LedgerSource, tracked: TrackedContracts, logger: Logger
    ) async throws(Scheduler.Failure) -> Outcome {
        let note: (@Sendable (IgnoredEvent) -> Void)? =
            if logger.logLevel <= .debug {
                { event in logger.debug("event gives no row", metadata: event.fields.mapValues { "\($0)" }) }
            } else { nil }
        do {
            let processor = RequestProcessor(request, try LedgerProcessor(protocols: request.protocols, tracked: tracked, onIgnored: note))
            do {
                let tracesLedgers = logger.logLevel == .trace
                try await source.forEachLedger(from: request.ledgers.lowerBound, limit: request.ledgers.count) { sequence, xdr in
                    if tracesLedgers { logger.trace("ledger", metadata: ["ledger": "\(sequence)", "bytes": "\(xdr.byteCount)"]) }
                    try processor.take(sequence, xdr)
                }
            } catch  where processor.hasRows {
                // Whatever ended it: the ledgers before are rows. A ledger that is wrong is met again, as the first one of the next request.
            }
            return try processor.outcome()
        } catch let failure as Scheduler.Failure {
            throw failure
        } catch {
            throw Scheduler.Failure(error)
        }
    }

    private var hasRows: Bool { state.withLock { $0.last != nil } }

    private func take(_ sequence: UInt32, _ xdr: RawSpan) throws {
        let began = ContinuousClock.now
        let isMeasured = sequence % Self.ledgersPerMeasurement == 0
        let isEnough = try state.withLock { state in
            let header: LedgerHeader
            do throws(LedgerProcessingError) {
                header = try state.processor.process(xdr, measuringRows: isMeasured)
            } catch {
                throw error.inLedger(sequence)
            }
            if state.first == nil { state.first = header }
            state.last = header
            let time = ContinuousClock.now - began
            state.time += time
            if isMeasured { state.measuredTime += time }
            return state.processor.pending.bytes >= request.allowance
        }
        if isEnough, sequence < request.ledgers.upperBound { throw EnoughRows() }
    }

    private func outcome() throws(Scheduler.Failure) -> Outcome {
        try state.withLock { (state) throws(Scheduler.Failure) in
            guard let first = state.first, let last = state.last else {
                throw Scheduler.Failure(ledger: nil, reason: "ledgers \(request.ledgers): the source gave none", isPermanent: false)
            }
            let rows = state.processor.takeRows()
            return Outcome(
                rows: Scheduler.FetchedRows(
                    ledgers: first.sequence...last.sequence, counts: rows.map(\.rowCount), bytes: rows.reduce(0) { $0 + $1.tuples.count },
                    previousHash: first.previousLedgerHash.hex, lastHash: last.hash.hex,
                    rows: rows.map { $0.rowCount > 0 ? Frame($0.tuples) : nil }),
                seconds: state.time / .seconds(1),
                measured: (state.measuredTime / .seconds(1), state.processor.rowsTime / .seconds(1)),
                ignoredEvents: state.processor.counts.reduce(0) { $0 + $1.ignored })
        }
    }
}

extension FetchScheduler.Failure {
    /// What a source or a processor says, with the ledger that it names.
    init(_ error: any Error) {
        switch error {
        case let error as LedgerSourceError:
            let ledgers = error.ledgers ?? 0...UInt32.max
            self.init(
                ledger: ledgers.lowerBound == ledgers.upperBound ? ledgers.lowerBound : nil, reason: "\(error)",
                isPermanent: !error.isTransient)
        case let error as LedgerProcessingError:
            self.init(ledger: error.ledger, reason: "\(error)", isPermanent: error.isPermanent)
        default:
            self.init(ledger: nil, reason: "\(error)", isPermanent: false)
        }
    }
}
