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
        let copy = frame.withBytes { Frame(copying: $0) }
        #expect(copy.copyBytes() == pattern(count))
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
