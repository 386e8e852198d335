import Foundation

/// All that is told of a run while it goes on, at one moment: what the status page, `/status`, the progress block and the progress lines show.
///
/// Its JSON is an interface for scripts (`docs/operations.md`): keys in snake case, times in Unix seconds; what is not known is left out.
package struct RunStatus: Codable, Hashable, Sendable {
    /// What the coordinator does.
    package enum Phase: String, Codable, Sendable {
        case validating, rebuilding, round, halting, stopping, ended
        case waitingForWriter = "waiting for a writer"
        case atTip = "at the tip"
    }

    package struct Round: Codable, Hashable, Sendable {
        package let number: Int
        package let target: UInt32
        /// Ledgers committed in this round, of `ledgers`.
        package let done: Int
        package let ledgers: Int
    }

    package struct ProtocolStatus: Codable, Hashable, Sendable {
        package let id: String
        /// HANDOFF, CONVERGED, FAILED or STOPPED; nil while it is migrated.
        package var outcome: String?
        /// The cursor of a history that is empty: the ledger before the oldest one that is kept.
        package let start: UInt32
        package let cursor: UInt32
        package let target: UInt32
        /// Ledgers up to the cursor, of `total` that are kept.
        package let done: Int
        package let total: Int
        /// Rows committed by this run.
        package let rows: Int
        package let ledgersPerSecond: Double
        package let etaSeconds: Double?
        /// Why it failed.
        package let cause: String?
    }

    /// Where time goes, averaged over the last seconds.
    package struct Stages: Codable, Hashable, Sendable {
        package enum Bottleneck: String, Codable, Sendable { case fetch, decode, commit }

        package struct Fetch: Codable, Hashable, Sendable {
            /// Waiting for responses, per ledger; requests in flight wait at the same time.
            package var millisecondsPerLedger: Double?
            package var bytesPerSecond = 0.0
            /// In flight.
            package var requests = 0
        }

        package struct Decode: Codable, Hashable, Sendable {
            package var millisecondsPerLedger: Double?
            /// Of the fetchers' cores, 0 to 1.
            package var busy = 0.0
        }

        package struct Reorder: Codable, Hashable, Sendable {
            /// Ledgers and bytes of rows that have come to the writer and are not committed.
            package var ledgers = 0
            package var bytes = 0
            /// Ledgers that are leased or have come, and are not committed.
            package var window = 0
        }

        package struct Commit: Codable, Hashable, Sendable {
            package var millisecondsPerTransaction: Double?
            package var transactionsPerSecond = 0.0
            package var rowsPerSecond = 0.0
            /// The part of the time in which a transaction was under way.
            package var busy = 0.0
        }

        package var fetch = Fetch()
        package var decode = Decode()
        package var reorder = Reorder()
        package var commit = Commit()
        /// What limits the run; nil while nothing moves.
        package var bottleneck: Bottleneck?
    }

    package struct Fetcher: Codable, Hashable, Sendable {
        package let worker: Int
        package let host: String
        package let pid: Int32
        /// That it has a lease of.
        package let batches: Int
        /// Fetched and decoded since its process began.
        package let ledgers: Int
        package let ledgersPerSecond: Double
        package let fetchMilliseconds: Double?
        package let decodeMilliseconds: Double?
        package let retries: Int
        /// Whole seconds since anything was heard of it.
        package let silentSeconds: Int
    }

    package struct Writer: Codable, Hashable, Sendable {
        package let worker: Int
        package let host: String
        package let pid: Int32
        package let ready: Bool
        package let silentSeconds: Int
    }

    package struct Event: Codable, Hashable, Sendable {
        package let time: Double
        package let level: String
        package let message: String
        package let fields: [String: String]
    }

    package struct Point: Codable, Hashable, Sendable {
        package let time: Double
        package let ledgersPerSecond: Double
    }

    package let version: String
    package let run: String
    package let host: String
    package let pid: Int32
    package var now: Double
    package let started: Double
    package var phase = Phase.validating
    package var round: Round?
    /// Committed, over the last minute.
    package var ledgersPerSecond = 0.0
    /// Ledgers committed by this run.
    package var committedLedgers = 0
    /// Until the round is done; nil while that is not known.
    package var etaSeconds: Double?
    package var networkTip: UInt32?
    /// "running", "not running" or "unknown", as the last look has found it.
    package var liveIngestion = "unknown"
    package var protocols: [ProtocolStatus] = []
    package var stages = Stages()
    package var fetchers: [Fetcher] = []
    package var writer: Writer?
    /// The newest last.
    package var events: [Event] = []
    /// The oldest first.
    package var throughput: [Point] = []

    /// As JSON.
    package var json: String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let data = try? encoder.encode(self) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }
}
