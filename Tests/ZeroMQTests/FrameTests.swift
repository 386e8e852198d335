import Testing
import ZeroMQ

@Suite struct FrameTests {
    // libzmq stores up to 33 bytes inline, more on the heap.
    @Test(arguments: [0, 1, 33, 34, 8192, 1_000_003])
    func copiesItsBytes(count: Int) {
        var bytes = pattern(count)
        let frame = Frame(bytes)
        for index in bytes.indices { bytes[index] = 0xEE }
        #expect(frame.count == count)
        #expect(frame.copyBytes() == pattern(count))
        let sum = frame.withBytes { span in
            (0..<span.byteCount).reduce(0) { $0 &+ Int(span.unsafeLoad(fromByteOffset: $1, as: UInt8.self)) }
        }
        #expect(sum == pattern(count).reduce(0) { $0 &+ Int($1) })
    }

    @Test func rethrowsWhatTheBodyThrows() {
        struct Broken: Error {}
        #expect(throws: Broken.self) { try Frame("x").withBytes { _ throws(Broken) in throw Broken() } }
    }

    @Test func textIsUTF8() {
        #expect(Frame("é").copyBytes() == [0xC3, 0xA9])
        #expect(Message(Frame("é"), Frame("")).byteCount == 2)
    }
}

/// Bytes that differ from their neighbours and from one length to the next.
func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ count) }
}
