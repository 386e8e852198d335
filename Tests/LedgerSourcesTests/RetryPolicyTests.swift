import Foundation
import LedgerSources
import ObjectStores
import Testing

struct RetryPolicyTests {
    @Test func `waits double up to the cap`() {
        let policy = RetryPolicy(random: { 1 })
        let expected: [Duration] = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000].map { .milliseconds($0) }
        #expect((1...9).map { policy.delay(afterTry: $0) } == expected)
        #expect(policy.delay(afterTry: 1_000_000) == .seconds(10))
    }

    @Test func `the jitter takes any part of the wait`() {
        #expect(RetryPolicy(random: { 0 }).delay(afterTry: 5) == .zero)
        #expect(RetryPolicy(random: { 0.5 }).delay(afterTry: 5) == .milliseconds(800))
        // A source of random numbers that is out of bounds does not make the wait so.
        #expect(RetryPolicy(random: { -3 }).delay(afterTry: 5) == .zero)
        #expect(RetryPolicy(random: { 7 }).delay(afterTry: 5) == .milliseconds(1600))
        let policy = RetryPolicy()
        for tries in 1...20 { #expect((.zero ... .seconds(10)).contains(policy.delay(afterTry: tries))) }
    }

    /// 784111777 is Sun, 06 Nov 1994 08:49:37 GMT.
    @Test(
        arguments: [
            ("0", .zero), ("7", .seconds(7)), (" 7 ", .seconds(7)), ("99999999999999999999999", .seconds(1 << 32)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", .seconds(60)), ("Sun, 06 Nov 1994 08:40:00 GMT", .zero),
            ("Mon, 07 Nov 1994 08:48:37 GMT", .seconds(86_400)),
            ("", nil), ("-1", nil), ("1.5", nil), ("soon", nil), ("Sun, 06 Nov 1994 08:49:37 PST", nil),
            ("Sun, 06 Foo 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 8:49 GMT", nil), ("Sun, 99 Nov 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 1994 99:49:37 GMT", nil),
        ] as [(String, Duration?)])
    func `reads Retry-After`(_ header: String, _ wait: Duration?) {
        #expect(RetryAfter.delay(header, now: Date(timeIntervalSince1970: 784_111_777 - 60)) == wait)
    }
}
