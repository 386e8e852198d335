package import Pipeline
import StateChanges
package import ZeroMQ

/// The rows of a part as they came from a fetcher, checked but untouched.
package struct PartRows: Sendable {
    /// The frames of each of the part's protocols, in the header's order.
    package let frames: [[Frame]]
    /// The earliest and the latest `ledger_created_at`, in microseconds since 2000-01-01; nil where there are no rows.
    package let times: ClosedRange<Int64>?

    /// Takes the frames behind the header's, and checks what COPY would otherwise stumble over: the number of frames, in each the number of rows,
    /// their framing and their ledgers, and the number of bytes.
    package init(_ header: PartHeader, _ frames: ArraySlice<Frame>) throws(UnfitPart) {
        if let fault = header.fault { throw UnfitPart(header: header, reason: fault) }
        var rest = frames
        let announced = header.rows.reduce(0) { $0 + $1.frames.count }
        guard announced == rest.count else {
            throw UnfitPart(header: header, reason: "\(announced) frames of rows were announced, \(rest.count) came")
        }
        let bytes = rest.reduce(0) { $0 + $1.count }
        guard bytes == header.bytes else {
            throw UnfitPart(header: header, reason: "\(header.bytes) bytes of rows were announced, \(bytes) came")
        }
        var all: [[Frame]] = []
        var times: ClosedRange<Int64>?
        for rows in header.rows {
            let own = Array(rest.prefix(rows.frames.count))
            rest = rest.dropFirst(rows.frames.count)
            for (frame, count) in zip(own, rows.frames) {
                do {
                    let found = try frame.withBytes { bytes throws(TupleError) in
                        try StateChangeTuple.check(bytes, expectedRows: count, ledgers: header.ledgers)
                    }
                    times = times.joined(with: found)
                } catch {
                    throw UnfitPart(header: header, reason: "rows of \(rows.protocolID.rawValue): \(error)")
                }
            }
            all.append(own)
        }
        self.frames = all
        self.times = times
    }
}

extension ClosedRange<Int64>? {
    /// The range that both lie in.
    func joined(with other: ClosedRange<Int64>?) -> ClosedRange<Int64>? {
        guard let self, let other else { return self ?? other }
        return Swift.min(self.lowerBound, other.lowerBound)...Swift.max(self.upperBound, other.upperBound)
    }
}

/// Two parts are the same where they are the same bytes in memory: what the writer's machine asks of a payload.
extension PartRows: Hashable {
    private var identities: [[ObjectIdentifier]] { frames.map { $0.map { ObjectIdentifier($0) } } }

    package static func == (left: PartRows, right: PartRows) -> Bool { left.identities == right.identities }
    package func hash(into hasher: inout Hasher) { hasher.combine(identities) }
}
