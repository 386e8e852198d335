package import Pipeline
import PostgreSQL
package import StateChanges
package import Store
import ZeroMQ

/// What one transaction stores: some ledgers of a group, with their rows.
package struct CommitSlice: Sendable {
    package let ledgers: LedgerRange
    package let rows: [StateChangeRows]
    /// Bytes of tuples.
    package let bytes: Int
    /// The earliest and the latest `ledger_created_at`; nil where there are no rows.
    package let times: ClosedRange<Int64>?
    /// There is nothing to be gained by cutting it: its rows are of one ledger.
    package let isSmallest: Bool

    package var rowCount: Int { rows.reduce(0) { $0 + $1.rowCount } }
}

/// How many rows a transaction should have, so that it takes no longer than a few seconds: while it runs, live ingestion cannot move the cursors that it
/// has swapped. Each row may cost a thousand times more where it goes into a compressed chunk.
package struct CommitSize: Sendable, Hashable {
    /// Rows of one transaction at most; a single ledger may have more.
    package private(set) var rows: Int
    /// What a group of parts has at most: nothing is gained by more.
    private let most: Int

    private static let longest = 5.0
    private static let short = 2.0

    package init(most: Int) {
        self.most = most
        rows = most
    }

    /// Whether groups have to be cut.
    package var isLimited: Bool { rows < most }

    /// A transaction with so many rows took so long.
    package mutating func took(_ seconds: Double, rows count: Int) {
        if seconds > Self.longest, count > 1 {
            // As many as would have taken that long, but no less than a tenth at once: one slow transaction may have waited for a lock.
            rows = max(1, count / 10, Int(Double(count) * Self.longest / seconds))
        } else if seconds < Self.short, isLimited, count > rows / 2 {
            rows = rows > most / 2 ? most : rows * 2
        }
    }

    /// A transaction with so many rows was cut off by a time-out.
    package mutating func cutOff(rows count: Int) { rows = max(1, min(rows, count) / 8) }
}

/// A group of parts, cut at the ends of ledgers into transactions.
package struct CommitSlices {
    /// Rows of one protocol, as they lie in a frame.
    private struct Run {
        let frame: Frame
        let offset: Int
        let run: StateChangeTuple.LedgerRun
    }

    private let ledgers: LedgerRange
    private let protocols: [ProtocolID]
    private let group: ReorderBuffer<PartRows>.Group
    /// By protocol, in the order of the ledgers; nil until the group has to be cut.
    private var runs: [[Run]]?
    private var next: UInt32

    package init(_ group: ReorderBuffer<PartRows>.Group) {
        self.group = group
        ledgers = group.ledgers
        protocols = group.protocols
        next = group.ledgers.lowerBound
    }

    /// Whether all of the group is taken.
    package var isEmpty: Bool { next > ledgers.upperBound }

    /// The ledgers from the next one on that have no more rows than this together; at least one ledger.
    /// - Parameter most: nil: all that is left.
    package mutating func peek(_ most: Int?) throws(TupleError) -> CommitSlice {
        if most == nil || rowCount <= most ?? 0, next == ledgers.lowerBound { return whole }
        if runs == nil { runs = try cut() }
        let runs = self.runs ?? []
        var byLedger: [UInt32: Int] = [:]
        for run in runs.joined() where run.run.ledger >= next { byLedger[run.run.ledger, default: 0] += run.run.rows }
        var last = ledgers.upperBound
        var count = 0
        var withRows = 0
        for ledger in byLedger.keys.sorted() {
            let more = byLedger[ledger] ?? 0
            if withRows > 0, count + more > most ?? .max {
                // Ledgers without rows go with those before them.
                last = ledger - 1
                break
            }
            count += more
            withRows += 1
        }
        return slice(next...last, runs, isSmallest: withRows <= 1)
    }

    /// The slice is committed.
    package mutating func drop(_ slice: CommitSlice) { next = slice.ledgers.upperBound + 1 }

    private var rowCount: Int { group.parts.reduce(0) { $0 + $1.header.rowCount } }

    /// The frames as they are, without looking into them.
    private var whole: CommitSlice {
        let rows = protocols.map { id in
            var count = 0
            var chunks: [any CopyChunk] = []
            for part in group.parts {
                guard let index = part.header.rows.firstIndex(where: { $0.protocolID == id }) else { continue }
                count += part.header.rows[index].count
                chunks += part.payload.frames[index].map { FrameChunk(frame: $0, bytes: 0..<$0.count) }
            }
            return StateChangeRows(id, rowCount: count, chunks: chunks)
        }
        let times = group.parts.reduce(nil as ClosedRange<Int64>?) { $0.joined(with: $1.payload.times) }
        return CommitSlice(
            ledgers: ledgers, rows: rows, bytes: group.bytes, times: times, isSmallest: ledgers.count == 1 || rowCount <= 1)
    }

    private func cut() throws(TupleError) -> [[Run]] {
        var all: [[Run]] = []
        for id in protocols {
            var runs: [Run] = []
            for part in group.parts {
                guard let index = part.header.rows.firstIndex(where: { $0.protocolID == id }) else { continue }
                for frame in part.payload.frames[index] {
                    var offset = 0
                    let found = try frame.withBytes { bytes throws(TupleError) in
                        try StateChangeTuple.runs(in: bytes, ledgers: part.header.ledgers)
                    }
                    for run in found {
                        runs.append(Run(frame: frame, offset: offset, run: run))
                        offset += run.byteCount
                    }
                }
            }
            all.append(runs)
        }
        return all
    }

    private func slice(_ ledgers: LedgerRange, _ runs: [[Run]], isSmallest: Bool) -> CommitSlice {
        var rows: [StateChangeRows] = []
        var bytes = 0
        var times: ClosedRange<Int64>?
        for (id, runs) in zip(protocols, runs) {
            let own = runs.filter { ledgers.contains($0.run.ledger) }
            rows.append(
                StateChangeRows(
                    id, rowCount: own.reduce(0) { $0 + $1.run.rows },
                    chunks: own.map { FrameChunk(frame: $0.frame, bytes: $0.offset..<($0.offset + $0.run.byteCount)) }))
            for run in own {
                bytes += run.run.byteCount
                times = times.joined(with: run.run.times)
            }
        }
        return CommitSlice(ledgers: ledgers, rows: rows, bytes: bytes, times: times, isSmallest: isSmallest)
    }
}

/// Bytes of a received frame as a piece of a COPY: sent on from where ZeroMQ put them.
private struct FrameChunk: CopyChunk {
    let frame: Frame
    let bytes: Range<Int>

    func write(to stream: inout PostgresSession.CopyStream) throws(PostgresError) {
        try frame.withBytes { whole throws(PostgresError) in try stream.write(whole.extracting(bytes)) }
    }
}
