import TestSupport
import Zstd

/// Bytes to compress, and all of a stream at once.
enum Content {
    /// What a stream gave.
    struct Read: Equatable {
        let bytes: [UInt8]
        /// Whether it ended with the end of a frame.
        let isWhole: Bool
    }

    /// Stretches of random bytes, of repetitions and of one byte, the same each time.
    static func mixed(_ size: Int) -> [UInt8] {
        var random = SeededRandom(seed: UInt64(size))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size + 1000)
        while bytes.count < size {
            let length = Int.random(in: 1...1000, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: for _ in 0..<length { bytes.append(UInt8.random(in: 0...255, using: &random)) }
            case 1: bytes += bytes.prefix(length)
            default: bytes += [UInt8](repeating: 7, count: length)
            }
        }
        return Array(bytes.prefix(size))
    }

    /// Copies of `frame`, up to eight bytes of each replaced by noise: none like the frame, the same each time.
    static func spoilt(_ frame: [UInt8], copies: Int, seed: UInt64) -> some Sequence<[UInt8]> {
        var random = SeededRandom(seed: seed)
        return (0..<copies).lazy.map { _ in
            var damaged = frame
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            return damaged
        }.filter { $0 != frame }
    }
}

extension ZstdStream {
    /// Reads a stream from its beginning, pieces of `piece` bytes into a room of `room` bytes.
    mutating func contents(of stream: [UInt8], piece: Int = .max, room: Int) throws(ZstdError) -> Content.Read {
        begin()
        var bytes: [UInt8] = []
        var output = [UInt8](repeating: 0, count: room)
        var at = 0
        repeat {
            let input = Array(stream[at..<min(stream.count, at.addingReportingOverflow(piece).overflow ? stream.count : at + piece)])
            at += input.count
            var offset = 0
            while true {
                let written = try read(input.span, from: &offset, into: &output, at: 0..<room)
                bytes += output[..<written]
                if written == 0 { break }
            }
        } while at < stream.count
        return Content.Read(bytes: bytes, isWhole: isAtEndOfFrame)
    }
}
