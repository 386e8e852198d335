import TestSupport
import Testing
import Zstd

/// What is not a whole, undamaged frame is noticed, and costs neither memory nor the context.
@Suite struct DamagedStreamTests {
    @Test(arguments: [true, false])
    func everyTruncationIsNoticed(statesSize: Bool) throws {
        let bytes = Content.mixed(2_000)
        let frame = try Zstd.compress(bytes.span, statesSize: statesSize)
        var stream = try ZstdStream()
        for length in 0..<frame.count {
            let read = try stream.contents(of: Array(frame[..<length]), room: 4096)
            #expect(!read.isWhole, "cut after \(length) of \(frame.count) bytes")
            #expect(bytes.starts(with: read.bytes))
        }
        #expect(try stream.contents(of: frame, room: 4096) == Content.Read(bytes: bytes, isWhole: true))
    }

    @Test func aSecondFrameThatIsCutIsNoticed() throws {
        let frame = try Zstd.compress(Content.mixed(500).span)
        var stream = try ZstdStream()
        for length in 1..<frame.count {
            #expect(try !stream.contents(of: frame + frame[..<length], room: 4096).isWhole)
        }
    }

    /// A flipped bit is an error, or leaves the stream without an end, or changes nothing of the content: a few bits nobody reads, or two spellings
    /// mean the same.
    @Test func flippedBitsAreNoticed() throws {
        let bytes = Content.mixed(1_500)
        let frame = try Zstd.compress(bytes.span)
        var stream = try ZstdStream()
        var unnoticed = 0
        for bit in 0..<frame.count * 8 {
            var damaged = frame
            damaged[bit / 8] ^= 1 << (bit % 8)
            guard let read = try? stream.contents(of: damaged, room: 4096), read.isWhole else { continue }
            #expect(read.bytes == bytes, "bit \(bit) changed the content")
            unnoticed += 1
        }
        #expect(unnoticed < 10)
        #expect(try stream.contents(of: frame, room: 4096).isWhole)
    }

    @Test func noiseNeverCrashes() throws {
        let frame = try Zstd.compress(Content.mixed(300_000).span, statesSize: false, windowLog: 23)
        var stream = try ZstdStream()
        for damaged in Content.spoilt(frame, copies: 500, seed: 8) {
            let read = try? stream.contents(of: damaged, room: 65_536)
            #expect(read?.isWhole != true || read?.bytes == Content.mixed(300_000))
        }
    }

    @Test func whatIsNoFrameIsSaid() throws {
        var stream = try ZstdStream()
        #expect(throws: ZstdError.damaged("Unknown frame descriptor")) {
            try stream.contents(of: Array("<html><body>not here</body></html>".utf8), room: 100)
        }
    }

    /// Magic number, descriptor, window descriptor (exponent - 10 in its upper five bits).
    private static func header(windowLog: UInt8) -> [UInt8] { [0x28, 0xB5, 0x2F, 0xFD, 0, (windowLog - 10) << 3] }

    @Test func aHugeWindowIsRefused() throws {
        var stream = try ZstdStream()
        for windowLog in UInt8(25)...41 {
            let error = #expect(throws: ZstdError.self) {
                try stream.contents(of: Self.header(windowLog: windowLog) + [0, 0, 0], room: 100)
            }
            #expect(error == .windowTooLarge(limit: 1 << 24))
        }
        #expect(throws: Never.self) { try stream.contents(of: Self.header(windowLog: 24), room: 100) }
        // A single segment whose size is stated as 4 GB: the window is as large as the content.
        #expect(throws: ZstdError.windowTooLarge(limit: 1 << 24)) {
            try stream.contents(of: [0x28, 0xB5, 0x2F, 0xFD, 0xA0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0], room: 100)
        }
    }

    @Test func framesOfOurOwnWithAHugeWindowAreRefused() throws {
        let frame = try Zstd.compress(Content.mixed(10_000).span, statesSize: false, windowLog: 26)
        var stream = try ZstdStream()
        #expect(throws: ZstdError.windowTooLarge(limit: 1 << 24)) { try stream.contents(of: frame, room: 4096) }
    }

    @Test func anErrorStaysUntilTheNextStreamBegins() throws {
        let bytes = Content.mixed(5_000)
        let frame = try Zstd.compress(bytes.span)
        var damaged = frame
        damaged[damaged.count - 1] ^= 1
        var stream = try ZstdStream()
        for _ in 0..<50 {
            let error = #expect(throws: ZstdError.self) { try stream.contents(of: damaged, room: 1024) }
            #expect(error == .damaged("Restored data doesn't match checksum"))
            let isWhole = stream.isAtEndOfFrame
            #expect(!isWhole)
            var output = [UInt8](repeating: 0, count: 10)
            var offset = 0
            #expect(throws: error ?? .outOfMemory) { try stream.read(frame.span, from: &offset, into: &output, at: 0..<10) }
            #expect(offset == 0)
            #expect(try stream.contents(of: frame, room: 1024) == Content.Read(bytes: bytes, isWhole: true))
        }
    }

    @Test func aStreamMayBeLeftInTheMiddle() throws {
        let bytes = Content.mixed(300_000)
        let frame = try Zstd.compress(bytes.span, statesSize: false)
        var stream = try ZstdStream()
        for length in stride(from: 0, to: frame.count, by: frame.count / 20) {
            _ = try stream.contents(of: Array(frame[..<length]), room: 1000)
            #expect(try stream.contents(of: frame, room: 100_000) == Content.Read(bytes: bytes, isWhole: true))
        }
    }
}
