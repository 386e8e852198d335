internal import Synchronization

/// A piece of work that many may want and that is done once for all who want it at the time.
///
/// Whoever waits can be cancelled without ending the work: others wait for it, too.
package final class SingleFlight<Value: Sendable>: Sendable {
    /// How the work ended.
    package typealias Outcome = Result<Value, ObjectStoreError>

    private struct State {
        var isRunning = false
        var last = 0
        var waiters: [Int: CheckedContinuation<Outcome, Never>] = [:]
    }

    /// What is to be done.
    package typealias Work = @Sendable () async -> Outcome

    private let state = Mutex(State())

    /// Has the work begun, unless it is under way, and does not wait for it.
    package func begin(_ work: @escaping Work) {
        let isFirst = state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if isFirst { run(work) }
    }

    /// Waits for the work that is under way, or that this call begins.
    /// - Throws: what the work threw, or `cancelled`.
    package func value(_ work: @escaping Work) async throws(ObjectStoreError) -> Value {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: CheckedContinuation<Outcome, Never>) in
                // Whoever was cancelled before this point has no waiter that the handler below could have found.
                let (isCancelled, isFirst) = state.withLock { state in
                    if Task.isCancelled { return (true, false) }
                    state.waiters[number] = waiter
                    defer { state.isRunning = true }
                    return (false, !state.isRunning)
                }
                if isCancelled { waiter.resume(returning: Self.cancelled) }
                if isFirst { run(work) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(returning: Self.cancelled)
        }
        return try outcome.get()
    }

    private static var cancelled: Outcome { .failure(ObjectStoreError(.cancelled, "cancelled")) }

    private func run(_ work: @escaping Work) {
        Task {
            let outcome = await work()
            let waiters = state.withLock { state in
                state.isRunning = false
                defer { state.waiters = [:] }
                return Array(state.waiters.values)
            }
            for waiter in waiters { waiter.resume(returning: outcome) }
        }
    }
}
