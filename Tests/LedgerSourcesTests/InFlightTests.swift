import LedgerSources
import Testing

/// How many requests are in flight.
struct InFlightTests {
    /// Two threads that need some time for each response, and a source that responds after a latency, one after the other where it needs time itself:
    /// the number that comes of it.
    private func settle(latency: Double, seconds: Double, sourceSeconds: Double = 0, responses: Int = 4_000) -> Int {
        enum What { case begins(sent: Double), ends }
        let start = ContinuousClock.now
        var flow = InFlight(4...64, lanes: 2, first: 8)
        var events: [(at: Double, what: What)] = []
        var free = [0.0, 0.0]
        var sourceIsFree = 0.0
        var inFlight = 0
        var arriving = 0
        var now = 0.0
        for _ in 0..<(2 * responses) {
            while inFlight < flow.target {
                inFlight += 1
                sourceIsFree = max(sourceIsFree, now) + sourceSeconds
                events.append((sourceIsFree + latency, .begins(sent: now)))
            }
            guard let next = events.indices.min(by: { events[$0].at < events[$1].at }) else { return -1 }
            let event = events.remove(at: next)
            now = event.at
            switch event.what {
            case .begins(let sent):
                flow.began(at: start + .seconds(now), after: .seconds(now - sent), ready: arriving)
                arriving += 1
                let lane = free[0] <= free[1] ? 0 : 1
                free[lane] = max(free[lane], now) + seconds
                events.append((free[lane], .ends))
            case .ends:
                flow.ended(at: start + .seconds(now), ready: arriving)
                arriving -= 1
                inFlight -= 1
            }
        }
        return flow.target
    }

    @Test func `there are more of them the longer the network takes`() {
        let targets = [0.0, 0.02, 0.05, 0.1].map { settle(latency: $0, seconds: 0.0084) }
        #expect(targets == targets.sorted(), "\(targets)")
        #expect(targets[0] <= 12, "\(targets)")
        // A tenth of a second is two threads' work on 24 responses.
        #expect((22...48).contains(targets[3]), "\(targets)")
    }

    @Test func `a source that is slow itself is not pressed`() {
        let target = settle(latency: 0.001, seconds: 0.001, sourceSeconds: 0.05)
        #expect(target <= 12, "\(target)")
    }

    @Test func `a refusal halves them, and they stay within their limits`() {
        var flow = InFlight(4...64, lanes: 2, first: 100)
        #expect(flow.target == 64)
        let start = ContinuousClock.now
        flow.refused(at: start - .seconds(20))
        #expect(flow.target == 32)
        for count in 0..<10 { flow.refused(at: start - .seconds(20) + .milliseconds(50 * count)) }
        #expect(flow.target == 32, "those were under way together")
        for count in 1...10 { flow.refused(at: start - .seconds(20 - count)) }
        #expect(flow.target == 4)
        // A network that is slow, and threads that wait for it.
        func respond(_ range: Range<Int>) {
            for count in range {
                flow.began(at: start + .milliseconds(50 * count), after: .milliseconds(50), ready: 0)
                flow.ended(at: start + .milliseconds(50 * count + 1), ready: 1)
            }
        }
        respond(0..<39)
        #expect(flow.target == 4, "it is left at that for a while")
        respond(39..<300)
        #expect(flow.target == 64)
    }

    /// Many responses are on their way, but little comes of each: the network gives to a connection less than a thread takes.
    @Test func `responses that come slowly are no work`() {
        for (ready, expected) in [(0, true), (2, false)] {
            var flow = InFlight(4...64, lanes: 2, first: 8)
            let start = ContinuousClock.now
            for count in 0..<8 { flow.began(at: start + .milliseconds(count), after: .milliseconds(20), ready: 0) }
            for count in 0..<20 {
                flow.ended(at: start + .milliseconds(500 * count + 400), ready: ready)
                flow.began(at: start + .milliseconds(500 * count + 420), after: .milliseconds(20), ready: ready)
            }
            #expect((flow.target > 12) == expected)
        }
    }
}
