import LedgerSources
import Logging
import Pipeline
import Protocols
import StateChanges
import StellarXDR
import Synchronization
import ZeroMQ

/// A fetcher's scheduler: pages as they came; of each piece one frame for each protocol, nil where it has no rows.
typealias Scheduler = FetchScheduler<LedgerPage, [Frame?]>

/// Turns pieces of pages into rows: from the response buffer to COPY tuples, ledger by ledger, in one reused scratch buffer.
struct PageDecoder: Sendable {
    /// What a piece gave.
    struct Outcome: Sendable {
        let rows: Scheduler.DecodedRows
        let seconds: Double
        let ignoredEvents: Int
    }

    let tracked: TrackedContracts
    let scratches: ScratchPool
    let logger: Logger

    /// Decodes from the piece's first ledger on until the rows have the piece's allowance, or up to a ledger that cannot be decoded. A walk through a page
    /// begins at its first ledger: what an earlier piece has decoded is read and checked again, but not processed.
    func decode(_ piece: Scheduler.Piece) throws(Scheduler.Failure) -> Outcome {
        let began = ContinuousClock.now
        var last: LedgerHeader?
        var previousHash: Hash32?
        do {
            var processor = try LedgerProcessor(
                protocols: piece.protocols, tracked: tracked, onIgnored: logger.logLevel <= .debug ? { note($0) } : nil)
            do {
                _ = try scratches.withScratch { scratch in
                    try piece.page.forEachLedger(scratch: &scratch) { sequence, xdr in
                        guard sequence >= piece.ledgers.lowerBound else { return }
                        let header: LedgerHeader
                        do throws(LedgerProcessingError) {
                            header = try processor.process(xdr)
                        } catch {
                            throw error.inLedger(sequence)
                        }
                        previousHash = previousHash ?? header.previousLedgerHash
                        last = header
                        if sequence == piece.ledgers.upperBound || processor.pending.bytes >= piece.allowance { throw EndOfPiece() }
                    }
                }
            } catch  where last != nil {
                // Whatever ended the walk: the ledgers before are rows. A ledger that is wrong is met again, as the first one of the next piece.
            }
            guard let last, let previousHash else {
                throw Scheduler.Failure(ledger: nil, reason: "ledgers \(piece.ledgers): the page does not hold them", isPermanent: false)
            }
            let rows = processor.takeRows()
            return Outcome(
                rows: Scheduler.DecodedRows(
                    ledgers: piece.ledgers.lowerBound...last.sequence, counts: rows.map(\.rowCount),
                    bytes: rows.reduce(0) { $0 + $1.tuples.count }, previousHash: previousHash.hex, lastHash: last.hash.hex,
                    rows: rows.map { $0.rowCount > 0 ? Frame($0.tuples) : nil }),
                seconds: (ContinuousClock.now - began) / .seconds(1), ignoredEvents: processor.counts.reduce(0) { $0 + $1.ignored })
        } catch let failure as Scheduler.Failure {
            throw failure
        } catch {
            throw Scheduler.Failure(error)
        }
    }

    private struct EndOfPiece: Error {}

    private func note(_ event: IgnoredEvent) {
        logger.debug("event gives no row", metadata: event.fields.mapValues { "\($0)" })
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

/// Scratch buffers between pages: as many as pieces are decoded at once.
final class ScratchPool: Sendable {
    private let free = Mutex<[LedgerScratch]>([])

    func withScratch<Result>(_ body: (inout LedgerScratch) throws -> Result) rethrows -> Result {
        var scratch = free.withLock { $0.popLast() } ?? LedgerScratch()
        defer { free.withLock { $0.append(scratch) } }
        return try body(&scratch)
    }
}
