/// How many requests to a source should be in flight: enough that there is always a response to work on, and no more.
///
/// While fewer responses have work for a thread than there are threads, the threads wait for the network. Where that is more than a tenth of the time, half as
/// many requests again are in flight from then on. But not where responses take longer to begin than they need: then the source has a queue, and more
/// requests would only make that longer. Where the queue is long, or many responses wait for a thread, there is one request fewer; after a refusal (too many
/// requests, a time-out) half of them at once. It is judged after as many responses as are in flight.
package struct InFlight: Sendable {
    /// How many there should be.
    package private(set) var target: Int

    private let range: ClosedRange<Int>
    /// Threads that take responses.
    private let lanes: Int
    private var seen: ContinuousClock.Instant?
    private var time = Duration.zero
    private var starved = Duration.zero
    private var crowded = Duration.zero
    private var responses = 0
    private var waited = Duration.zero
    /// The shortest wait for a response; it grows slowly, so that one lucky response is not the measure for ever.
    private var shortest: Duration?
    /// Windows in which it is not raised.
    private var rest = 0
    /// When half of them were given up.
    private var refusal: ContinuousClock.Instant?

    private static let windowsOfRest = 10
    private static let sameRefusal = Duration.seconds(1)
    /// What a wait varies by without a queue.
    private static let noise = Duration.milliseconds(20)

    package init(_ range: ClosedRange<Int>, lanes: Int, first: Int) {
        self.range = range
        self.lanes = lanes
        target = min(range.upperBound, max(range.lowerBound, first))
    }

    /// A response begins to arrive, so long after it was asked for.
    /// - Parameter ready: responses that had work for a thread up to now.
    package mutating func began(at now: ContinuousClock.Instant, after wait: Duration, ready: Int) {
        advance(to: now, ready)
        responses += 1
        waited += wait
        shortest = shortest.map { min(wait, $0 * 1.0002) } ?? wait
        if responses >= target { judge() }
    }

    /// A response has ended, however.
    /// - Parameter ready: responses that had work for a thread up to now, this one among them.
    package mutating func ended(at now: ContinuousClock.Instant, ready: Int) { advance(to: now, ready) }

    /// The source refused, or did not manage in time. Requests that were under way together are refused together: that counts once.
    package mutating func refused(at now: ContinuousClock.Instant = .now) {
        if let refusal, now - refusal < Self.sameRefusal { return }
        refusal = now
        target = max(range.lowerBound, target / 2)
        rest = Self.windowsOfRest
        forget()
    }

    private mutating func advance(to now: ContinuousClock.Instant, _ ready: Int) {
        if let seen, now > seen {
            let passed = now - seen
            time += passed
            if ready < lanes { starved += passed }
            if ready >= 4 * lanes { crowded += passed }
        }
        seen = now
    }

    private mutating func judge() {
        let mean = waited / responses
        let least = shortest ?? .zero
        if mean > least * 3 + Self.noise * 2 || crowded * 2 > time {
            target = max(range.lowerBound, target - 1)
        } else if starved * 10 > time, mean <= least * 1.5 + Self.noise, rest == 0 {
            target = min(range.upperBound, target + max(1, target / 2))
        }
        rest = max(0, rest - 1)
        forget()
    }

    private mutating func forget() {
        (responses, time, starved, crowded, waited) = (0, .zero, .zero, .zero, .zero)
    }
}
