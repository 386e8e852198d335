package import NIOCore
internal import Synchronization

/// Lets a few responses at a time be read on one thread, each until it has ended; others stay in the kernel's buffers meanwhile.
///
/// With all of them read in turns, each would need a ledger's memory, and none of it would be in the cache when it is wanted. A response that stalls holds
/// the others up for a moment only.
package final class ReadingTurns: Sendable {
    private struct State {
        var taken = 0
        var lastWaiter = 0
        var waiting: [(number: Int, promise: EventLoopPromise<Void>)] = []
    }

    private let state = Mutex(State())
    private static let atOnce = 2
    private static let patience = TimeAmount.milliseconds(50)

    package init() {}

    /// Takes a turn; nil where there is one, else when it has come.
    package func take(on eventLoop: any EventLoop) -> EventLoopFuture<Void>? {
        let promise = eventLoop.makePromise(of: Void.self)
        let number: Int? = state.withLock { state in
            if state.taken < Self.atOnce {
                state.taken += 1
                return nil
            }
            state.lastWaiter += 1
            state.waiting.append((state.lastWaiter, promise))
            return state.lastWaiter
        }
        guard let number else {
            promise.succeed()
            return nil
        }
        eventLoop.scheduleTask(in: Self.patience) { self.giveUpWaiting(number) }
        return promise.futureResult
    }

    /// Gives a turn back, to who has waited longest.
    package func giveBack() {
        let next: EventLoopPromise<Void>? = state.withLock { state in
            if state.waiting.isEmpty {
                state.taken -= 1
                return nil
            }
            return state.waiting.removeFirst().promise
        }
        next?.succeed()
    }

    private func giveUpWaiting(_ number: Int) {
        let promise: EventLoopPromise<Void>? = state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0.number == number }) else { return nil }
            state.taken += 1
            return state.waiting.remove(at: index).promise
        }
        promise?.succeed()
    }
}
