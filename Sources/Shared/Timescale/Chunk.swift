internal import Foundation

/// A chunk of the hypertable `state_changes`: the rows of a stretch of close times.
public struct Chunk: Sendable, Hashable {
    /// Schema and name, quoted for SQL.
    public let name: String
    /// Its close times, in microseconds since 2000-01-01 UTC, as `ledger_created_at` has them.
    public let times: Range<Int64>
    /// Whether it is compressed, whole or in part.
    public var isCompressed: Bool
    /// Rows that it had when it was compressed; 0 where it is not.
    public let rows: Int
    /// Rows of its compressed form, each a batch of up to a thousand: what every row that is written is compared with.
    public let batches: Int
    /// Bytes with indexes before it was compressed: what it takes decompressed.
    public let bytes: Int
    /// Bytes with indexes that it takes compressed.
    public let compressedBytes: Int

    /// A chunk as the catalogue describes it.
    public init(name: String, times: Range<Int64>, isCompressed: Bool, rows: Int, batches: Int, bytes: Int, compressedBytes: Int) {
        self.name = name
        self.times = times
        self.isCompressed = isCompressed
        self.rows = rows
        self.batches = batches
        self.bytes = bytes
        self.compressedBytes = compressedBytes
    }

    /// The first close time, and the first one after it, for messages.
    public var period: (from: String, to: String) { (Self.text(of: times.lowerBound), Self.text(of: times.upperBound)) }

    /// A close time (microseconds since 2000-01-01) for messages: UTC, without fractions of a second.
    public static func text(of time: Int64) -> String {
        Date(timeIntervalSince1970: Double(time / 1_000_000) + 946_684_800).formatted(.iso8601)
    }
}

/// What chunks cost, in seconds of one core. Measured with TimescaleDB 2.28 (docs/performance.md); what a chunk really costs is learned while it is written.
public enum ChunkCosts {
    /// A row that goes into a chunk that is not compressed, its indexes included.
    static let plainRow = 14e-6
    /// What each batch of a compressed chunk adds to that: the key is compared with all of them.
    static let batch = 0.3e-6
    static let decompressedRow = 11e-6
    static let compressedRow = 15e-6

    /// Writing one row into the chunk as it is.
    public static func perRow(into chunk: Chunk) -> Double {
        chunk.isCompressed ? plainRow + batch * Double(chunk.batches) : plainRow
    }

    /// Decompressing the chunk.
    public static func decompression(of chunk: Chunk) -> Double { chunk.isCompressed ? decompressedRow * Double(chunk.rows) : 0 }

    /// Compressing it again.
    public static func compression(of chunk: Chunk) -> Double { chunk.isCompressed ? compressedRow * Double(chunk.rows) : 0 }

    /// From so many rows on it is cheaper to decompress the chunk, and to compress it again, than to write into it as it is.
    public static func rowsWorthDecompressing(_ chunk: Chunk, perRow: Double) -> Double {
        (decompression(of: chunk) + compression(of: chunk)) / max(perRow - plainRow, 1e-9)
    }
}
