/// A clock on which a sleep ends by cancellation only, and which tells that somebody sleeps.
struct EndlessClock: Clock {
    let sleepers: AsyncStream<Void>
    private let fellAsleep: AsyncStream<Void>.Continuation

    init() {
        (sleepers, fellAsleep) = AsyncStream.makeStream(of: Void.self)
    }

    var now: ManualClock.Instant { ManualClock.Instant(offset: .zero) }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: ManualClock.Instant, tolerance: Duration?) async throws {
        fellAsleep.yield()
        try await Task.sleep(for: .seconds(86_400))
    }
}
