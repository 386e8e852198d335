import Foundation
import TestSupport
import Testing
import Zstd

/// What was compressed comes out again, however it is cut into pieces.
@Suite struct RoundTripTests {
    /// Around the sizes at which the format changes: header fields of 1, 2 and 4 bytes, blocks of 128 KiB.
    private static let sizes = [0, 1, 2, 255, 256, 257, 65_791, 65_792, 131_071, 131_072, 131_073, 400_000, 3_000_000]

    @Test(arguments: sizes, [true, false])
    func everySizeComesBack(size: Int, statesSize: Bool) throws {
        let bytes = Content.mixed(size)
        var stream = try ZstdStream()
        for checksum in [true, false] {
            let frame = try Zstd.compress(bytes.span, checksum: checksum, statesSize: statesSize)
            #expect(try stream.contents(of: frame, room: 100_000) == Content.Read(bytes: bytes, isWhole: true))
        }
    }

    @Test(arguments: [1, 2, 7, 1000])
    func piecesOfInputAndOutputMayHaveAnyLength(piece: Int) throws {
        let bytes = Content.mixed(piece == 1 ? 3_000 : 300_000)
        var stream = try ZstdStream()
        for statesSize in [true, false] {
            let frame = try Zstd.compress(bytes.span, statesSize: statesSize)
            for room in [1, 13, 4096] where room > 1 || piece <= 2 {
                #expect(try stream.contents(of: frame, piece: piece, room: room) == Content.Read(bytes: bytes, isWhole: true))
            }
        }
    }

    @Test func framesInARowAreOneStream() throws {
        let parts = [Content.mixed(10), [], Content.mixed(200_000), Content.mixed(1)]
        let frames = try parts.flatMap { try Zstd.compress($0.span) }
        var stream = try ZstdStream()
        for piece in [1, 5, frames.count] {
            #expect(
                try stream.contents(of: frames, piece: piece, room: 1000) == Content.Read(bytes: parts.flatMap(\.self), isWhole: true))
        }
    }

    @Test func outputGoesWhereItIsAskedTo() throws {
        let frame = try Zstd.compress([1, 2, 3, 4, 5].span)
        var stream = try ZstdStream()
        var output: [UInt8] = [9, 9, 9, 9, 9, 9, 9, 9]
        var offset = 0
        #expect(try stream.read(frame.span, from: &offset, into: &output, at: 2..<4) == 2)
        #expect(output == [9, 9, 1, 2, 9, 9, 9, 9])
        var isWhole = stream.isAtEndOfFrame
        #expect(!isWhole)
        #expect(try stream.read(frame.span, from: &offset, into: &output, at: 4..<4) == 0)
        #expect(try stream.read(frame.span, from: &offset, into: &output, at: 4..<8) == 3)
        #expect(output == [9, 9, 1, 2, 3, 4, 5, 9])
        isWhole = stream.isAtEndOfFrame
        #expect(offset == frame.count && isWhole)
    }

    /// Nothing that is read at the end of a stream, however often, changes what is known of it.
    @Test func theEndStaysTheEnd() throws {
        let frame = try Zstd.compress([1, 2, 3].span)
        var stream = try ZstdStream()
        var output = [UInt8](repeating: 0, count: 3)
        var offset = 0
        #expect(try stream.read(frame.span, from: &offset, into: &output, at: 0..<3) == 3)
        for _ in 0..<100 {
            #expect(try stream.read(frame.span, from: &offset, into: &output, at: 0..<3) == 0)
            let isWhole = stream.isAtEndOfFrame
            #expect(isWhole && offset == frame.count)
        }
        stream.begin()
        for _ in 0..<100 {
            #expect(try stream.read(frame.span, from: &offset, into: &output, at: 0..<3) == 0)
            let isWhole = stream.isAtEndOfFrame
            #expect(!isWhole, "a stream without a frame is not whole")
        }
    }

    @Test(arguments: [
        ("testnet/FFFFFFFF--0-63999/FFFFFC1A--997.xdr.zst", UInt32(997)), ("testnet/FFFFFFFF--0-63999/FFFFFC19--998.xdr.zst", 998),
        ("testnet/FFFFFFFF--0-63999/FFFFFC18--999.xdr.zst", 999), ("pubnet-old/FCD285FF--53312000.xdr.zstd", 53_312_000),
    ])
    func realObjectsOfDataLakesAreBatchesOfOneLedger(path: String, sequence: UInt32) throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/lake")
        let frame = Array(try Data(contentsOf: folder.appending(path: path)))
        var stream = try ZstdStream()
        let read = try stream.contents(of: frame, piece: 16_384, room: 65_536)
        #expect(read.isWhole)
        // LedgerCloseMetaBatch: first ledger, last ledger, how many.
        let words = stride(from: 0, to: 12, by: 4).map { at in read.bytes[at..<at + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
        #expect(words == [sequence, sequence, 1])
        #expect(read.bytes.count > frame.count && read.bytes.count.isMultiple(of: 4))
    }

    @Test func levelsAreBounded() throws {
        let bytes = Content.mixed(100_000)
        let sizes = try [Int32(1), 19].map { try Zstd.compress(bytes.span, level: $0).count }
        #expect(sizes[1] < sizes[0])
        #expect(throws: ZstdError.self) { try Zstd.compress(bytes.span, windowLog: 60) }
    }
}
