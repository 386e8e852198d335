internal import Foundation
public import Logging
public import PostgreSQL
public import StateChanges
public import Store

/// The chunks that a migration will write into, as they are before it begins, and whether it may begin.
public struct ChunkSurvey: Sendable, Hashable {
    /// The table; nil where it is no hypertable.
    public let hypertable: Hypertable?
    /// All of its chunks, in the order of their times.
    public let chunks: [Chunk]
    /// Bytes free where the server keeps its data; nil where that cannot be seen from here.
    public let freeBytes: Int?

    /// A survey of chunks.
    public init(_ hypertable: Hypertable?, chunks: [Chunk], freeBytes: Int? = nil) {
        self.hypertable = hypertable
        self.chunks = chunks
        self.freeBytes = freeBytes
    }

    /// Reads it; no chunks on a plain PostgreSQL.
    public static func read(on connection: PostgresConnection) async throws(StoreError) -> ChunkSurvey {
        try await connection.perform { session throws(StoreError) in
            do throws(PostgresError) {
                guard let hypertable = try Hypertable.find(in: session), hypertable.hasColumnstore else {
                    return ChunkSurvey(nil, chunks: [])
                }
                return ChunkSurvey(hypertable, chunks: try hypertable.chunks(in: session), freeBytes: freeBytes(in: session))
            } catch {
                throw .database(error)
            }
        }
    }

    /// Only of a server on this machine, and only for a role that may know where it keeps its data.
    private static func freeBytes(in session: PostgresSession) -> Int? {
        let place = try? session.query(
            """
            SELECT current_setting('data_directory') AS folder
            WHERE inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1'
            """, [], label: "asking where the server keeps its data"
        ).first?["folder"]
        guard let folder = place ?? nil, let found = try? FileManager.default.attributesOfFileSystem(forPath: folder) else { return nil }
        return (found[.systemFreeSize] as? NSNumber)?.intValue
    }

    /// The same for the chunks from this close time on, in microseconds since 2000-01-01.
    public func from(_ time: Int64) -> ChunkSurvey {
        ChunkSurvey(hypertable, chunks: chunks.filter { $0.times.upperBound > time }, freeBytes: freeBytes)
    }

    /// Those of the chunks that are compressed, without the newest one: live ingestion writes it, so it is never decompressed.
    public var compressed: [Chunk] { chunks.dropLast().filter(\.isCompressed) }

    /// Statements to be run first in a transaction that deletes rows: a compressed chunk is decompressed for it in part, however many rows that takes.
    public var settingsForDeletes: [String] {
        hypertable == nil ? [] : ["SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0"]
    }

    /// Bytes that the disk needs for chunks that stand decompressed at once: those behind the writer, the one that it writes, and the next one.
    public var bytesNeeded: Int {
        compressed.map { max(0, $0.bytes - $0.compressedBytes) }.sorted(by: >).prefix(ChunkPlan.mostOpen + 2).reduce(0, +)
    }

    /// `facts` for a line of the log.
    public var metadata: Logger.Metadata { Dictionary(uniqueKeysWithValues: facts.map { ($0.name, "\($0.value)") }) }

    /// What there is, and what both ways cost.
    public var facts: [(name: String, value: String)] {
        let worst = compressed.map { ChunkCosts.perRow(into: $0) }.max() ?? 0
        return [
            ("chunks", "\(chunks.count)"), ("compressed", "\(compressed.count)"), ("rows", "\(compressed.reduce(0) { $0 + $1.rows })"),
            ("megabytes", "\(compressed.reduce(0) { $0 + $1.compressedBytes } >> 20)"),
            ("decompressed_megabytes", "\(compressed.reduce(0) { $0 + $1.bytes } >> 20)"),
            ("milliseconds_a_row_as_they_are", Self.text(worst * 1000)),
            ("seconds_to_decompress", Self.text(compressed.reduce(0) { $0 + ChunkCosts.decompression(of: $1) })),
            ("seconds_to_compress_again", Self.text(compressed.reduce(0) { $0 + ChunkCosts.compression(of: $1) })),
        ]
    }

    private static func text(_ number: Double) -> String { String(format: number < 10 ? "%.2f" : "%.0f", number) }

    /// Why the migration may not begin; nil where it may.
    public func refusal(_ mode: CompressedChunks) -> String? {
        guard let hypertable, !compressed.isEmpty, mode != .write else { return nil }
        let what =
            "\(compressed.count) of the \(chunks.count) chunks that rows will go into are compressed ("
            + facts.dropFirst(2).map { "\($0.name) \($0.value)" }.joined(separator: ", ") + ")"
        let orWrite =
            "Or write into them as they are, with --compressed-chunks write: the migration then takes a hundred to two thousand times longer there."
        if mode == .refuse {
            return
                "\(what), and --compressed-chunks is refuse. Let them be decompressed with --compressed-chunks auto, or run: \(statements). \(orWrite)"
        }
        if !hypertable.isOwner {
            let (owner, role) = (hypertable.owner, hypertable.role)
            return "\(what). Only \(owner), who owns state_changes, may decompress them, and \(role) is not that role. "
                + "As the owner or a superuser run: \(statements). Or let this role do it: GRANT \(owner) TO \(role). \(orWrite)"
        }
        if let freeBytes, freeBytes < bytesNeeded + bytesNeeded / 5 {
            return
                "\(what). Decompressed, they need \(bytesNeeded >> 20) MB of disk at once, and a fifth of that to spare, but \(freeBytes >> 20) MB are free "
                + "where the server keeps its data. Make room. \(orWrite)"
        }
        return nil
    }

    /// What an administrator runs instead of us: one chunk a transaction. Without backslashes and double quotes, which a log line would escape.
    private var statements: String {
        guard let hypertable, let first = compressed.first, let last = compressed.last else { return "" }
        return "SELECT \(hypertable.functions).alter_job(job_id, next_start => now() + interval '1 day') FROM timescaledb_information.jobs "
            + "WHERE hypertable_name = 'state_changes' AND proc_name = 'policy_compression'; "
            + "DO $$ DECLARE chunk regclass; BEGIN FOR chunk IN SELECT \(hypertable.functions).show_chunks('state_changes', "
            + "newer_than => timestamptz '\(first.period.from)', older_than => timestamptz '\(last.period.to)') "
            + "LOOP PERFORM \(hypertable.functions).decompress_chunk(chunk, true); COMMIT; END LOOP; END $$"
    }
}
