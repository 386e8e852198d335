package import Foundation
package import Logging
internal import Synchronization

/// A value that is good until a time.
package struct Expiring<Value: Sendable>: Sendable {
    /// The value.
    package var value: Value
    /// When it is good no longer; nil: never.
    package var expires: Date?
}

/// A value that is fetched when it is first wanted, and again before it expires.
///
/// From five minutes before its end on, one renewal goes on beside the requests, which use the value that there is; past its end they wait.
package final class RenewedValue<Value: Sendable & Equatable>: Sendable {
    private struct State {
        var held: Expiring<Value>?
        var lastAttempt: Date?
    }

    private final class Shelf: Sendable {
        let state = Mutex(State())
    }

    /// How long before its end a value is renewed.
    package static var margin: TimeInterval { 300 }
    /// Shortest time between two renewals that go on beside the requests.
    package static var pause: TimeInterval { 10 }
    /// A value this close to its end may not live through a request.
    package static var remainder: TimeInterval { 15 }

    private let now: @Sendable () -> Date
    private let logger: Logger
    private let fetch: @Sendable () async throws(ObjectStoreError) -> Expiring<Value>
    private let shelf = Shelf()
    private let flight = SingleFlight<Value>()

    package init(
        now: @escaping @Sendable () -> Date, logger: Logger,
        fetch: @escaping @Sendable () async throws(ObjectStoreError) -> Expiring<Value>
    ) {
        self.now = now
        self.logger = logger
        self.fetch = fetch
    }

    /// The value, fetched or renewed where that is due.
    package func current() async throws(ObjectStoreError) -> Value {
        let now = now()
        let (held, lastAttempt) = shelf.state.withLock { ($0.held, $0.lastAttempt) }
        let fetchUnlessFresh = work(unless: { held in held.expires.map { $0.timeIntervalSince(now) > Self.margin } ?? true })
        guard let held else { return try await flight.value(fetchUnlessFresh) }
        guard let expires = held.expires else { return held.value }
        let left = expires.timeIntervalSince(now)
        if left > Self.margin { return held.value }
        if left <= Self.remainder { return try await flight.value(fetchUnlessFresh) }
        if lastAttempt.map({ now.timeIntervalSince($0) >= Self.pause }) ?? true { flight.begin(fetchUnlessFresh) }
        return held.value
    }

    /// The value after one that turned out to be of no use. Whoever comes later with the same one gets what was fetched.
    package func renewed(insteadOf used: Value) async throws(ObjectStoreError) -> Value {
        if let held = shelf.state.withLock({ $0.held }), held.value != used { return held.value }
        let value = try await flight.value(work(unless: { $0.value != used }))
        // What was under way may have been a look at the value that is of no use.
        return value != used ? value : try await flight.value(work(unless: { $0.value != used }))
    }

    /// Lets go of a value that is at least so many seconds old, so that the next call fetches one.
    package func forget(_ used: Value, olderThan age: TimeInterval) {
        let now = now()
        shelf.state.withLock { state in
            guard state.held?.value == used, let last = state.lastAttempt, now.timeIntervalSince(last) >= age else { return }
            state.held = nil
        }
    }

    /// Fetches and keeps a value, unless another has done so since it was found to be due.
    private func work(unless isDone: @escaping @Sendable (Expiring<Value>) -> Bool) -> SingleFlight<Value>.Work {
        { [now, logger, fetch, shelf] in
            if let held = shelf.state.withLock({ $0.held }), isDone(held) { return .success(held.value) }
            shelf.state.withLock { $0.lastAttempt = now() }
            do throws(ObjectStoreError) {
                let fetched = try await fetch()
                shelf.state.withLock { $0.held = fetched }
                return .success(fetched.value)
            } catch {
                if shelf.state.withLock({ $0.held != nil }) {
                    logger.warning("credentials were not renewed", metadata: ["cause": "\(error.code.rawValue): \(error.detail)"])
                }
                return .failure(error)
            }
        }
    }
}
