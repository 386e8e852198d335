import TestSupport
import Testing
import Zstd

/// A stream that is read at once gives what it gives in pieces.
@Suite struct WholeStreamTests {
    private static func whole(_ frame: [UInt8], room: Int, _ stream: inout ZstdStream) throws -> [UInt8]? {
        var output = [UInt8](repeating: 0xEE, count: room)
        guard let count = try stream.readWhole(frame.span, into: &output) else { return nil }
        return Array(output[..<count])
    }

    @Test(arguments: [0, 1, 255, 131_072, 131_073, 3_000_000], [true, false])
    func everySizeComesBack(size: Int, statesSize: Bool) throws {
        let bytes = Content.mixed(size)
        let frame = try Zstd.compress(bytes.span, statesSize: statesSize)
        var stream = try ZstdStream()
        #expect(try Self.whole(frame, room: size, &stream) == bytes)
        #expect(try Self.whole(frame, room: size + 1000, &stream) == bytes)
        if size > 0 { #expect(try Self.whole(frame, room: size - 1, &stream) == nil) }
        if size > 0 { #expect(try Self.whole(frame, room: 0, &stream) == nil) }
        // Between two of them the same context may read a stream in pieces.
        #expect(try stream.contents(of: frame, room: 65_536) == Content.Read(bytes: bytes, isWhole: true))
        #expect(try Self.whole(frame, room: size, &stream) == bytes)
    }

    @Test func framesInARowAreOneStream() throws {
        let parts = [Content.mixed(10), Content.mixed(200_000), Content.mixed(1)]
        let frames = try parts.flatMap { try Zstd.compress($0.span) }
        var stream = try ZstdStream()
        #expect(try Self.whole(frames, room: 300_000, &stream) == parts.flatMap { $0 })
    }

    @Test(arguments: [true, false])
    func everyTruncationIsNoticed(statesSize: Bool) throws {
        let bytes = Content.mixed(2_000)
        let frame = try Zstd.compress(bytes.span, statesSize: statesSize)
        var stream = try ZstdStream()
        for length in 0..<frame.count {
            let error = #expect(throws: ZstdError.self, "cut after \(length) of \(frame.count) bytes") {
                try Self.whole(Array(frame[..<length]), room: 4096, &stream)
            }
            // Of the checksum, the last four bytes, libzstd says that it is wrong.
            if length < frame.count - 4 { #expect(error == .cut) }
        }
        for length in 1..<frame.count {
            #expect(throws: ZstdError.self) { try Self.whole(frame + frame[..<length], room: 8192, &stream) }
        }
    }

    /// Frames of our own that state gigabytes, and ask for a window of as much, take neither: there is the room, and no window.
    @Test func whatAFrameClaimsCostsNothing() throws {
        var stream = try ZstdStream()
        // A single segment whose size is stated as 4 GB.
        #expect(throws: ZstdError.self) {
            let read = try Self.whole([0x28, 0xB5, 0x2F, 0xFD, 0xA0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0], room: 100, &stream)
            if read == nil { throw ZstdError.cut }
        }
        let bytes = Content.mixed(10_000)
        let frame = try Zstd.compress(bytes.span, statesSize: false, windowLog: 26)
        #expect(try Self.whole(frame, room: 10_000, &stream) == bytes)
    }

    @Test func damageIsNoticed() throws {
        let bytes = Content.mixed(300_000)
        let frame = try Zstd.compress(bytes.span, statesSize: false, windowLog: 23)
        var stream = try ZstdStream()
        for damaged in Content.spoilt(frame, copies: 500, seed: 9) {
            let read = try? Self.whole(damaged, room: 300_000, &stream)
            #expect(read == nil || read == bytes)
        }
        #expect(throws: ZstdError.damaged("Unknown frame descriptor")) {
            try Self.whole(Array("<html><body>not here</body></html>".utf8), room: 100, &stream)
        }
        #expect(try Self.whole(frame, room: 300_000, &stream) == bytes)
    }
}
