import Pipeline
import Protocols
import ZeroMQ

/// The rows of a batch as they came from a fetcher, checked but untouched.
struct Delivery: Sendable {
    /// The frames of each of the batch's protocols, in the batch's order.
    let frames: [[Frame]]

    /// Bytes of all tuples.
    var bytes: Int { frames.reduce(0) { $0 + $1.reduce(0) { $0 + $1.count } } }

    /// Takes a message apart and checks what COPY would otherwise stumble over: the number of frames, and in each the number of
    /// rows, their framing and their ledgers.
    ///
    /// - Returns: the header, and the delivery or why it is unfit.
    /// - Throws: `Wire.Malformed` where not even the header can be read.
    static func read(_ message: Message) throws(Wire.Malformed) -> (RowsHeader, Result<Delivery, Unfit>) {
        guard let first = message.frames.first else { throw Wire.Malformed(expected: "delivery", reason: "it has no frames") }
        let header = try Wire.decode(RowsHeader.self, from: first.copyBytes())
        do {
            return (header, .success(try check(header, message.frames.dropFirst())))
        } catch {
            return (header, .failure(error))
        }
    }

    private static func check(_ header: RowsHeader, _ rest: ArraySlice<Frame>) throws(Unfit) -> Delivery {
        var rest = rest
        let announced = header.parts.reduce(0) { $0 + $1.frames.count }
        guard announced == rest.count else { throw Unfit(reason: "\(announced) frames of rows were announced, \(rest.count) came") }
        var frames: [[Frame]] = []
        for part in header.parts {
            let own = Array(rest.prefix(part.frames.count))
            rest = rest.dropFirst(part.frames.count)
            for (frame, rows) in zip(own, part.frames) {
                do {
                    try frame.withBytes { bytes throws(TupleError) in
                        try StateChangeTuple.check(bytes, expectedRows: rows, ledgers: header.batch.ledgers)
                    }
                } catch {
                    throw Unfit(reason: "rows of \(part.protocolID.rawValue): \(error)")
                }
            }
            frames.append(own)
        }
        return Delivery(frames: frames)
    }
}

/// Why a delivery cannot be committed.
struct Unfit: Error, CustomStringConvertible {
    let reason: String
    var description: String { reason }
}
