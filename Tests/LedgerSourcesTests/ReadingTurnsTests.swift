import LedgerSources
import NIOCore
import NIOEmbedded
import Testing

/// Which responses are read on a thread.
struct ReadingTurnsTests {
    private let loop = EmbeddedEventLoop()
    private let turns: ReadingTurns

    init() { turns = ReadingTurns(on: loop, patience: .milliseconds(20)) }

    /// Whether its turn has come, for each that waits.
    private final class Waiters {
        var hasCome: [Bool] = []
        func add(_ future: EventLoopFuture<Void>?) throws {
            let index = hasCome.count
            hasCome.append(false)
            try #require(future).assumeIsolated().whenSuccess { self.hasCome[index] = true }
        }
    }

    @Test func `one is read at a time, then who has waited longest`() throws {
        #expect(turns.take() == nil)
        let waiters = Waiters()
        try waiters.add(turns.take())
        try waiters.add(turns.take())
        turns.giveBack()
        #expect(waiters.hasCome == [true, false])
        turns.giveBack()
        #expect(waiters.hasCome == [true, true])
        turns.giveBack()
        #expect(turns.take() == nil, "all were given back")
        try waiters.add(turns.take())
        #expect(waiters.hasCome.last == false)
    }

    @Test func `those behind one that stalls wait a moment only`() throws {
        #expect(turns.take() == nil)
        let waiters = Waiters()
        for _ in 0..<3 { try waiters.add(turns.take()) }
        loop.advanceTime(by: .milliseconds(19))
        #expect(waiters.hasCome == [false, false, false])
        loop.advanceTime(by: .milliseconds(1))
        #expect(waiters.hasCome == [true, false, false])
        // What has the turn now may stall as well.
        loop.advanceTime(by: .milliseconds(20))
        #expect(waiters.hasCome == [true, true, false])
        // Three are out; one more only when all are back.
        turns.giveBack()
        turns.giveBack()
        #expect(waiters.hasCome == [true, true, false])
        turns.giveBack()
        #expect(waiters.hasCome == [true, true, true])
    }

    @Test func `however long one takes, nobody else is read while it makes progress`() throws {
        #expect(turns.take() == nil)
        let waiters = Waiters()
        try waiters.add(turns.take())
        for _ in 0..<100 {
            loop.advanceTime(by: .milliseconds(15))
            turns.progressed()
        }
        #expect(waiters.hasCome == [false])
        loop.advanceTime(by: .milliseconds(20))
        #expect(waiters.hasCome == [true])
    }

    @Test func `where reads bring little, more are read at a time`() throws {
        #expect(turns.ready == 0)
        #expect(turns.take() == nil)
        #expect(turns.ready == 1)
        let waiters = Waiters()
        for _ in 0..<3 { try waiters.add(turns.take()) }
        #expect(turns.ready == 4)
        // Full reads, with a short one here and there.
        for count in 0..<100 { turns.read(count.isMultiple(of: 5) ? 100 : 900, of: 1000) }
        loop.run()
        #expect(waiters.hasCome == [false, false, false])
        for _ in 0..<4 { turns.read(100, of: 1000) }
        loop.run()
        #expect(waiters.hasCome == [true, false, false])
        for _ in 0..<8 { turns.read(100, of: 1000) }
        loop.run()
        #expect(waiters.hasCome == [true, true, true])
        for _ in 0..<4 { turns.read(100, of: 1000) }
        loop.run()
        #expect(turns.ready == 0, "four are read, and the thread waits for them")
        // As many are read from now on, until reads are full again.
        turns.giveBack()
        #expect(turns.take() == nil)
        for _ in 0..<8 { turns.read(900, of: 1000) }
        #expect(turns.ready == 1)
        for _ in 0..<4 { turns.giveBack() }
        #expect(turns.take() == nil)
        try waiters.add(turns.take())
        #expect(waiters.hasCome.last == false)
    }
}
