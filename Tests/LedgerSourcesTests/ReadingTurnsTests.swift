import LedgerSources
import NIOCore
import NIOPosix
import Testing

/// Which responses are read on a thread.
struct ReadingTurnsTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    @Test func `two are read at a time, then who has waited longest`() async throws {
        let turns = ReadingTurns()
        #expect(turns.take(on: loop) == nil)
        #expect(turns.take(on: loop) == nil)
        let third = try #require(turns.take(on: loop))
        let fourth = try #require(turns.take(on: loop))
        turns.giveBack()
        try await third.get()
        turns.giveBack()
        try await fourth.get()
        turns.giveBack()
        turns.giveBack()
        #expect(turns.take(on: loop) == nil)
        #expect(turns.take(on: loop) == nil, "all were given back")
        _ = try await #require(turns.take(on: loop)).get()
    }

    /// Nobody gives a turn back, as where two responses have stalled.
    @Test func `one that stalls holds the others up for a moment only`() async throws {
        let turns = ReadingTurns()
        #expect(turns.take(on: loop) == nil)
        #expect(turns.take(on: loop) == nil)
        for _ in 0..<3 { try await #require(turns.take(on: loop)).get() }
        // Five turns are out; when they are back it is two again.
        for _ in 0..<5 { turns.giveBack() }
        #expect(turns.take(on: loop) == nil)
        #expect(turns.take(on: loop) == nil)
        try await #require(turns.take(on: loop)).get()
    }
}
