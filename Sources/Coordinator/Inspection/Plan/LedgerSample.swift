import LedgerSources
import Operations
import Pipeline
import Protocols
import StateChanges
import StellarXDR
import Synchronization

/// Ledgers from several places of a range, fetched and turned into rows as a fetcher does it, and what that took.
struct LedgerSample: Sendable, Hashable {
    /// The ledgers that were taken.
    private(set) var places: [LedgerRange] = []
    private(set) var ledgers = 0
    /// Of XDR.
    private(set) var ledgerBytes = 0
    /// Over the wire.
    private(set) var receivedBytes = 0
    private(set) var rows: [ProtocolID: Int] = [:]
    /// As COPY takes them.
    private(set) var rowBytes = 0
    /// Of this process, everything: receiving, decompressing, decoding.
    private(set) var cpuSeconds = 0.0
    /// From each request to its end, one request at a time.
    private(set) var waitedSeconds = 0.0
    /// As many as the source would have in flight at once.
    private(set) var requestsInFlight = 1

    private static let placeCount: UInt32 = 3
    private static let ledgersPerPlace: UInt32 = 20
    private static let patience = Duration.seconds(10)

    /// The beginning, the middle and the end of a range; a short one whole.
    static func places(in range: LedgerRange) -> [LedgerRange] {
        let count = UInt32(range.count)
        guard count > placeCount * ledgersPerPlace else { return [range] }
        let middle = range.lowerBound + (count - ledgersPerPlace) / 2
        return [range.lowerBound, middle, range.upperBound - ledgersPerPlace + 1].map { $0...($0 + ledgersPerPlace - 1) }
    }

    /// Takes it; of each place as many ledgers as come within ten seconds, but one at least.
    static func take(
        from range: LedgerRange, of protocols: [ProtocolID], tracked: TrackedContracts, source: any LedgerSource
    ) async throws -> LedgerSample {
        var sample = LedgerSample()
        // The first request makes the connection, which a long run does once.
        try await source.forEachLedger(from: range.lowerBound, limit: 1) { _, _ in }
        for place in places(in: range) {
            let received = source.bytesReceived
            let cpu = ProcessStatistics.current()?.cpuSeconds ?? 0
            let began = ContinuousClock.now
            let taker = Taker(try LedgerProcessor(protocols: protocols, tracked: tracked), until: began + patience)
            var next = place.lowerBound
            do {
                while next <= place.upperBound {
                    let left = Int(place.upperBound - next) + 1
                    let link = try await source.forEachLedger(from: next, limit: source.requestLength(from: next, of: left)) {
                        sequence, xdr in try taker.take(sequence, xdr)
                    }
                    next = link.ledgers.upperBound + 1
                }
            } catch is Taker.TimeIsUp {}
            sample.waitedSeconds += (ContinuousClock.now - began) / .seconds(1)
            sample.cpuSeconds += (ProcessStatistics.current()?.cpuSeconds ?? 0) - cpu
            sample.receivedBytes += source.bytesReceived - received
            sample.add(taker.taken)
        }
        sample.requestsInFlight = max(1, source.requestsInFlight)
        return sample
    }

    private mutating func add(_ taken: Taker.State) {
        if let first = taken.first { places.append(first...taken.last) }
        ledgers += taken.ledgers
        ledgerBytes += taken.bytes
        for rows in taken.processor.rows {
            self.rows[rows.id, default: 0] += rows.rowCount
            rowBytes += rows.tuples.count
        }
    }

    /// Takes the ledgers of a place as they come, on the source's threads.
    private final class Taker: Sendable {
        struct TimeIsUp: Error {}

        struct State {
            var processor: LedgerProcessor
            var ledgers = 0
            var bytes = 0
            var first: UInt32?
            var last: UInt32 = 0
        }

        private let state: Mutex<State>
        private let deadline: ContinuousClock.Instant

        init(_ processor: LedgerProcessor, until deadline: ContinuousClock.Instant) {
            state = Mutex(State(processor: processor))
            self.deadline = deadline
        }

        var taken: State { state.withLock { $0 } }

        func take(_ sequence: UInt32, _ xdr: RawSpan) throws {
            try state.withLock { state in
                do throws(LedgerProcessingError) {
                    _ = try state.processor.process(xdr)
                } catch {
                    throw error.inLedger(sequence)
                }
                state.ledgers += 1
                state.bytes += xdr.byteCount
                if state.first == nil { state.first = sequence }
                state.last = sequence
            }
            if ContinuousClock.now > deadline { throw TimeIsUp() }
        }
    }
}
