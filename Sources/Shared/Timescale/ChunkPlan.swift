public import StateChanges

/// Decides for the writer what becomes of the chunks that it comes to: which one is decompressed, which one is decompressed ahead of it, and which one is
/// compressed again behind it. Pure: `ChunkKeeper` carries it out.
///
/// Which way is cheaper follows from the rows that a chunk will probably get: those that came lately for an hour of close times, for the rest of the chunk.
public struct ChunkPlan: Sendable, Hashable {
    /// What has to be done before rows are written.
    public enum Step: Sendable, Hashable {
        /// Nothing.
        case write
        /// The chunk is to be decompressed; then ask again.
        case decompress(Chunk)
        /// The chunk is compressed, and the run was told to end then.
        case refuse(Chunk)
    }

    /// Chunks that were decompressed and left behind, and that are not compressed by the policy while the run goes on. More of them are compressed again by
    /// the writer itself, the oldest first: so the disk holds a bounded number of decompressed chunks, however long the history.
    public static let mostOpen = 8

    /// What is done with compressed chunks.
    public let mode: CompressedChunks
    /// In the order of their times.
    private var chunks: [Chunk] = []
    /// The latest close time that was written.
    private var position: Int64?
    private var rowsPerMicrosecond: Double?
    /// What a row has really cost in a chunk that is written as it is.
    private var measured: [String: Double] = [:]
    /// Decompressed by this run, in the order of their times.
    private var opened: [Chunk] = []

    private static let hour = 3_600_000_000.0
    /// Ledgers close every five seconds.
    private static let ledger = 5_000_000.0
    /// What a transaction costs besides its rows.
    private static let transaction = 0.005

    /// A plan that knows no chunk yet.
    public init(_ mode: CompressedChunks) { self.mode = mode }

    /// Takes what the catalogue says now.
    public mutating func read(_ chunks: [Chunk]) {
        self.chunks = chunks.sorted { $0.times.lowerBound < $1.times.lowerBound }
        let compressed = Set(chunks.filter(\.isCompressed).map(\.name))
        let known = Set(chunks.map(\.name))
        opened.removeAll { compressed.contains($0.name) || !known.contains($0.name) }
    }

    /// Compressed chunks from these times on.
    public func compressed(from time: Int64) -> [Chunk] { chunks.filter { $0.isCompressed && $0.times.upperBound > time } }

    /// How many chunks this run has decompressed that are not compressed again.
    public var openChunks: Int { opened.count }

    /// What has to be done before so many rows of so many ledgers, with these close times, are written.
    public func step(before times: ClosedRange<Int64>, rows: Int, ledgers: Int) -> Step {
        for chunk in chunks where chunk.isCompressed && chunk.times.overlaps(times) && !isLive(chunk) {
            switch mode {
            case .write: continue
            case .refuse: return .refuse(chunk)
            case .auto: if isWorthDecompressing(chunk, from: times, rows, ledgers) { return .decompress(chunk) }
            }
        }
        return .write
    }

    /// Rows that the chunk will probably get, from these times on: as those that came lately, or at first as these.
    public func expectedRows(in chunk: Chunk, from times: ClosedRange<Int64>, rows: Int, ledgers: Int) -> Double {
        let span = max(Double(times.upperBound - times.lowerBound), Double(ledgers) * Self.ledger)
        let rate = rowsPerMicrosecond ?? Double(rows) / span
        return max(Double(rows), rate * Double(chunk.times.upperBound - max(times.lowerBound, chunk.times.lowerBound)))
    }

    /// What a row costs in the chunk as it is: as estimated, or as measured where that is more.
    public func secondsPerRow(into chunk: Chunk) -> Double { max(ChunkCosts.perRow(into: chunk), measured[chunk.name] ?? 0) }

    private func isWorthDecompressing(_ chunk: Chunk, from times: ClosedRange<Int64>, _ rows: Int, _ ledgers: Int) -> Bool {
        expectedRows(in: chunk, from: times, rows: rows, ledgers: ledgers)
            > ChunkCosts.rowsWorthDecompressing(chunk, perRow: secondsPerRow(into: chunk))
    }

    /// Live ingestion writes the newest chunk: nobody but an operator takes the lock on that which decompressing needs.
    private func isLive(_ chunk: Chunk) -> Bool { chunk.name == chunks.last?.name }

    /// A chunk was decompressed by this run.
    public mutating func decompressed(_ chunk: Chunk) {
        setCompressed(chunk, false)
        measured[chunk.name] = nil
        if !opened.contains(where: { $0.name == chunk.name }) { opened.append(chunk) }
        opened.sort { $0.times.lowerBound < $1.times.lowerBound }
    }

    /// A chunk was compressed again by this run.
    public mutating func compressed(_ chunk: Chunk) {
        setCompressed(chunk, true)
        opened.removeAll { $0.name == chunk.name }
    }

    /// A chunk was found to be dropped.
    public mutating func gone(_ chunk: Chunk) {
        chunks.removeAll { $0.name == chunk.name }
        opened.removeAll { $0.name == chunk.name }
    }

    private mutating func setCompressed(_ chunk: Chunk, _ isCompressed: Bool) {
        for index in chunks.indices where chunks[index].name == chunk.name { chunks[index].isCompressed = isCompressed }
    }

    /// Rows of so many ledgers, with these close times, were committed in one transaction that took so long.
    public mutating func wrote(_ times: ClosedRange<Int64>, rows: Int, ledgers: Int, seconds: Double) {
        // Also those ledgers before that had no rows.
        let span = max(Double(times.upperBound - (position ?? times.lowerBound)), Double(ledgers) * Self.ledger)
        let rate = Double(rows) / span
        // Weighted by the time that it stands for: an hour and more counts alone.
        let weight = rowsPerMicrosecond == nil ? 1 : min(1, span / Self.hour)
        rowsPerMicrosecond = (rowsPerMicrosecond ?? 0) * (1 - weight) + rate * weight
        position = max(position ?? .min, times.upperBound)
        for chunk in chunks where chunk.isCompressed && chunk.times.overlaps(times) {
            let cost = max(0, seconds - Self.transaction) / Double(max(1, rows))
            measured[chunk.name] = measured[chunk.name].map { ($0 + cost) / 2 } ?? cost
        }
    }

    /// The chunk to be decompressed while the one before it is written; nil where there is none that is worth it.
    public var ahead: Chunk? {
        guard mode == .auto, let position, let next = chunks.first(where: { $0.times.lowerBound > position }) else { return nil }
        let start = next.times.lowerBound
        guard next.isCompressed, !isLive(next), isWorthDecompressing(next, from: start...start, 0, 1) else { return nil }
        return next
    }

    /// The chunk to be compressed again now, where too many stand open behind the writer.
    public var behind: Chunk? {
        guard let position, let oldest = opened.first, oldest.times.upperBound <= position else { return nil }
        let left = opened.count { $0.times.upperBound <= position }
        return left > Self.mostOpen ? oldest : nil
    }
}

extension Range<Int64> {
    fileprivate func overlaps(_ times: ClosedRange<Int64>) -> Bool { lowerBound <= times.upperBound && times.lowerBound < upperBound }
}
