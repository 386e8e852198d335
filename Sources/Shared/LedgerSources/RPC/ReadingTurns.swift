package import NIOCore
internal import Synchronization

/// Lets one response at a time be read on a thread, to its end, as long as that keeps the thread busy; others stay in the kernel's buffers meanwhile.
///
/// With all of them read by turns, each would need a ledger's memory, and none of it would be in the cache when it is wanted. Where the network is slower
/// than the thread, reads bring less than they have room for: then one more is read beside the others, again and again. So it is where nothing comes at all.
package final class ReadingTurns: Sendable {
    private struct State {
        var taken = 0
        /// Turns that there are.
        var limit = 1
        var waiting: [EventLoopPromise<Void>] = []
        /// When a response with a turn was last read from.
        var progress = NIODeadline.distantPast
        var isWatching = false
        /// Reads with little in them, less those with much, within bounds.
        var hunger = 0
    }

    private let state = Mutex(State())
    private let eventLoop: any EventLoop
    private let patience: TimeAmount
    /// A few reads are short without meaning anything: the first and the last of a response.
    private static let hungry = 4
    private static let mostHunger = 8

    /// - Parameters:
    ///   - eventLoop: the thread.
    ///   - patience: a response of which nothing comes for so long stalls.
    package init(on eventLoop: any EventLoop, patience: TimeAmount = .milliseconds(20)) {
        self.eventLoop = eventLoop
        self.patience = patience
    }

    /// Responses that have work for the thread: those that wait, and one that is read, unless little comes of it.
    package var ready: Int {
        state.withLock { $0.waiting.count + ($0.taken > 0 && $0.hunger < Self.hungry ? 1 : 0) }
    }

    /// Takes a turn; nil where there is one, else when it has come.
    package func take() -> EventLoopFuture<Void>? {
        let promise = state.withLock { state -> EventLoopPromise<Void>? in
            if state.taken < state.limit {
                state.taken += 1
                state.progress = eventLoop.now
                return nil
            }
            let promise = eventLoop.makePromise(of: Void.self)
            state.waiting.append(promise)
            return promise
        }
        guard let promise else { return nil }
        watch()
        return promise.futureResult
    }

    /// A response with a turn was read from.
    package func progressed() { state.withLock { $0.progress = eventLoop.now } }

    /// A read from a socket of this thread has brought so many bytes.
    package func read(_ bytes: Int, of room: Int) {
        let next = state.withLock { state -> EventLoopPromise<Void>? in
            state.hunger = bytes * 2 < room ? min(Self.mostHunger, state.hunger + 1) : max(0, state.hunger - 1)
            guard state.hunger >= Self.hungry, !state.waiting.isEmpty else { return nil }
            state.hunger = 0
            return another(&state)
        }
        // Not within the read of another connection.
        if let next { eventLoop.execute { next.succeed() } }
    }

    /// Gives a turn back, to who has waited longest.
    package func giveBack() {
        let next = state.withLock { state -> EventLoopPromise<Void>? in
            state.taken -= 1
            if state.hunger == 0 { state.limit = max(1, state.limit - 1) }
            return state.taken < state.limit ? self.next(&state) : nil
        }
        next?.succeed()
    }

    /// Gives a turn more where those that have one stall, and looks again as long as somebody waits.
    private func watch() {
        let end = state.withLock { state -> NIODeadline? in
            if state.isWatching || state.waiting.isEmpty { return nil }
            state.isWatching = true
            return state.progress + patience
        }
        guard let end else { return }
        eventLoop.scheduleTask(deadline: end) {
            let next = self.state.withLock { state in
                state.isWatching = false
                return self.eventLoop.now - state.progress >= self.patience ? self.another(&state) : nil
            }
            next?.succeed()
            self.watch()
        }
    }

    private func another(_ state: inout State) -> EventLoopPromise<Void>? {
        state.limit = max(state.limit, state.taken + 1)
        return next(&state)
    }

    private func next(_ state: inout State) -> EventLoopPromise<Void>? {
        if state.waiting.isEmpty { return nil }
        state.taken += 1
        state.progress = eventLoop.now
        return state.waiting.removeFirst()
    }
}

/// Buffers of one size for the reads of a connection, that tells the turns of its thread how full they become.
struct RecordingAllocator: RecvByteBufferAllocator {
    let capacity: Int
    let turns: ReadingTurns

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { allocator.buffer(capacity: capacity) }

    func nextBufferSize() -> Int? { capacity }

    mutating func record(actualReadBytes: Int) -> Bool {
        turns.read(actualReadBytes, of: capacity)
        return false
    }
}
