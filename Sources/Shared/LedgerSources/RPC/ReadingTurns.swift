package import NIOCore
internal import Synchronization

/// Lets one response at a time be read on a thread, to its end; others stay in the kernel's buffers meanwhile.
///
/// With all of them read by turns, each would need a ledger's memory, and none of it would be in the cache when it is wanted. Where the one that is read
/// stalls, the next one is read beside it.
package final class ReadingTurns: Sendable {
    private struct State {
        var taken = 0
        var waiting: [EventLoopPromise<Void>] = []
        /// When a response with a turn was last read from.
        var progress = NIODeadline.distantPast
        var isWatching = false
    }

    private let state = Mutex(State())
    private let eventLoop: any EventLoop
    private let patience: TimeAmount

    /// - Parameters:
    ///   - eventLoop: the thread.
    ///   - patience: a response of which nothing comes for so long stalls.
    package init(on eventLoop: any EventLoop, patience: TimeAmount = .milliseconds(20)) {
        self.eventLoop = eventLoop
        self.patience = patience
    }

    /// Takes a turn; nil where there is one, else when it has come.
    package func take() -> EventLoopFuture<Void>? {
        let promise = state.withLock { state -> EventLoopPromise<Void>? in
            if state.taken == 0 {
                state.taken = 1
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

    /// Gives a turn back, to who has waited longest.
    package func giveBack() {
        let next = state.withLock { state -> EventLoopPromise<Void>? in
            state.taken -= 1
            return self.next(&state, if: state.taken == 0)
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
                return self.next(&state, if: self.eventLoop.now - state.progress >= self.patience)
            }
            next?.succeed()
            self.watch()
        }
    }

    private func next(_ state: inout State, if isAllowed: Bool) -> EventLoopPromise<Void>? {
        guard isAllowed, !state.waiting.isEmpty else { return nil }
        state.taken += 1
        state.progress = eventLoop.now
        return state.waiting.removeFirst()
    }
}
