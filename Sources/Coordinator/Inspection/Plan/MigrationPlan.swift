import Foundation
import Pipeline
import StateChanges
import Store

/// What a migration would have to do, what that is likely to take, and what would stop it.
struct MigrationPlan: Sendable {
    enum Action: String, Sendable, Hashable {
        case migrate, rebuild
        case complete
        /// Something keeps it from being migrated: see the obstacles.
        case blocked
    }

    struct Entry: Sendable, Hashable {
        let id: ProtocolID
        let action: Action
        /// As it stands now.
        let cursor: CursorReading?
        /// What is to be filled in; nil where nothing is, or that cannot be told.
        let ledgers: LedgerRange?
        let contracts: Int?
    }

    /// What the whole is likely to take, from a sample.
    struct Estimate: Sendable, Hashable {
        /// What is scarcest: it decides how long a run takes.
        enum Bound: String, Sendable, Hashable {
            case processor, source, database
        }

        /// Rows a second that a local PostgreSQL took, with its key and indexes, where this was measured: two cores, shared with the run.
        static let databaseRate = 60_000.0

        let receivedBytes: Double
        let ledgerBytes: Double
        let rows: [ProtocolID: Double]
        let rowBytes: Double
        let seconds: Double
        let bound: Bound
        /// Fetchers that work at the same time, each on a core of its own.
        let parallel: Int

        var allRows: Double { rows.values.reduce(0, +) }

        /// - Parameters:
        ///   - ledgers: to be fetched.
        ///   - entries: to be filled in.
        init?(_ sample: LedgerSample, ledgers: Int, entries: [Entry], fetchers: Int, cores: Int) {
            guard sample.ledgers > 0 else { return nil }
            let perLedger = 1 / Double(sample.ledgers)
            let count = Double(ledgers)
            receivedBytes = Double(sample.receivedBytes) * perLedger * count
            ledgerBytes = Double(sample.ledgerBytes) * perLedger * count
            var rows: [ProtocolID: Double] = [:]
            for entry in entries {
                if let range = entry.ledgers { rows[entry.id] = Double(sample.rows[entry.id] ?? 0) * perLedger * Double(range.count) }
            }
            self.rows = rows
            let sampled = sample.rows.values.reduce(0, +)
            rowBytes = sampled == 0 ? 0 : Double(sample.rowBytes) / Double(sampled) * rows.values.reduce(0, +)
            parallel = max(1, min(fetchers, cores))
            let times: [(Bound, Double)] = [
                (.processor, count * sample.cpuSeconds * perLedger / Double(parallel)),
                // As many requests at once as the source lets be in flight.
                (.source, count * sample.waitedSeconds * perLedger / Double(sample.requestsInFlight * parallel)),
                (.database, rows.values.reduce(0, +) / Self.databaseRate),
            ]
            (bound, seconds) = times.max { $0.1 < $1.1 } ?? (.processor, 0)
        }
    }

    /// Everything that would stop the run; empty: it can begin.
    var obstacles: [String] = []
    /// What does not stop it and should be known.
    var remarks: [String] = []
    var entries: [Entry] = []
    /// `latest_ingest_ledger` now; live ingestion moves it on.
    var target: UInt32?
    /// Ledgers to fetch: each once, for all protocols that need it.
    var ledgers = 0
    var batches = 0
    let batchSize: Int
    let fetchers: Int
    let cores: Int
    /// Shown without path and credentials; nil where it cannot be opened.
    var source: String?
    var sourceLatest: UInt32?
    /// Which ledgers are needed; nil where none are, or that cannot be told.
    var needed: LedgerRange?
    /// The source has said that it has them.
    var sourceHasAll = false
    var sample: LedgerSample?
    var estimate: Estimate?

    init(batchSize: Int, fetchers: Int, cores: Int = ProcessInfo.processInfo.activeProcessorCount) {
        self.batchSize = batchSize
        self.fetchers = fetchers
        self.cores = cores
    }

    /// What the estimate takes for granted.
    var assumptions: [String] {
        guard let estimate, let sample else { return [] }
        let group =
            fetchers == 0 ? "one fetcher like this machine (workers are started elsewhere)" : "\(fetchers) fetchers on \(cores) cores"
        return [
            "\(group), so \(estimate.parallel) at work at once; the ledgers of the sample stand for all",
            "the source gives \(sample.requestsInFlight) responses at once as fast as it gave one",
            "the database takes \(Readable.grouped(Int(Estimate.databaseRate))) rows a second: not measured, since nothing is written",
        ]
    }
}
