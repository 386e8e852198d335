import LedgerSources
import Testing

struct PageSizerTests {
    enum Event: Sendable {
        case received(Int, bytes: Int)
        case timedOut(Int)
        case learned(Int)
    }

    /// Ten million bytes a page, at most 200 ledgers; each row: events, and the length after each.
    @Test(
        arguments: [
            // Nothing seen: pubnet's size is guessed.
            ([], [7]),
            // Pubnet ledgers: stays.
            ([.received(7, bytes: 9_870_000)], [7]),
            // Tiny ledgers: doubles, up to the server's limit.
            (
                [
                    .received(7, bytes: 7_000), .received(14, bytes: 14_000), .received(28, bytes: 28_000), .received(56, bytes: 56_000),
                    .received(112, bytes: 112_000),
                ],
                [14, 28, 56, 112, 200]
            ),
            // Huge ledgers: one at a time, and never none.
            ([.received(2, bytes: 60_000_000)], [1]),
            // Ledgers that grow are believed at once: 1 MB, then 10 MB.
            ([.received(10, bytes: 10_000_000), .received(10, bytes: 100_000_000)], [10, 1]),
            // Ledgers that shrink are believed when no page of the last eight says otherwise.
            (
                [.received(7, bytes: 70_000_000)] + [Event](repeating: .received(1, bytes: 1_000_000), count: 9),
                [1, 1, 1, 1, 1, 1, 1, 1, 2, 2]
            ),
            // Pages of one length that were in flight together double it once.
            ([.received(7, bytes: 7_000), .received(7, bytes: 7_000), .received(7, bytes: 7_000)], [14, 14, 14]),
            // A page that could not be longer says nothing against longer ones.
            ([.received(7, bytes: 7_000), .received(1, bytes: 1_000)], [14, 14]),
            // A time-out halves what was asked for; another request of the same length that was under way does not halve it again.
            ([.timedOut(7), .timedOut(7), .timedOut(3), .timedOut(1), .timedOut(1)], [3, 3, 1, 1, 1]),
            // Eight pages in a row at the ceiling raise it by one here.
            (
                [.timedOut(6)] + [Event](repeating: .received(3, bytes: 3_000_000), count: 9),
                [3, 3, 3, 3, 3, 3, 3, 3, 4, 4]
            ),
            // Shorter pages than the ceiling prove nothing.
            ([.timedOut(6)] + [Event](repeating: .received(2, bytes: 2_000_000), count: 9), [Int](repeating: 3, count: 10)),
            // A time-out begins the count again.
            (
                [.timedOut(6)] + [Event](repeating: .received(3, bytes: 3_000_000), count: 7) + [
                    .timedOut(6), .received(3, bytes: 3_000_000),
                ],
                [Int](repeating: 3, count: 10)
            ),
            // The server's limit is final, however small the ledgers.
            ([.learned(5), .received(5, bytes: 5), .received(5, bytes: 5), .learned(50), .received(5, bytes: 5)], [5, 5, 5, 5, 5]),
            // Nonsense from a server.
            ([.learned(0), .received(0, bytes: 0), .received(1, bytes: -1)], [1, 1, 1]),
        ] as [([Event], [Int])])
    func `chooses lengths by table`(_ events: [Event], _ lengths: [Int]) {
        var sizer = PageSizer(targetBytes: 10_000_000, maximum: 200)
        var seen = events.isEmpty ? [sizer.length] : []
        for event in events {
            switch event {
            case .received(let ledgers, let bytes): sizer.received(ledgers: ledgers, bytes: bytes)
            case .timedOut(let asked): sizer.timedOut(asked: asked)
            case .learned(let limit): sizer.learned(maximum: limit)
            }
            seen.append(sizer.length)
        }
        #expect(seen == lengths)
    }

    @Test func `grows back to the limit in the end`() {
        var sizer = PageSizer(targetBytes: 1_000_000, maximum: 200)
        for _ in 0..<10 { sizer.timedOut(asked: sizer.length) }
        #expect(sizer.length == 1)
        for _ in 0..<400 { sizer.received(ledgers: sizer.length, bytes: sizer.length * 100) }
        #expect(sizer.length == 200)
    }

    @Test func `a range is shared evenly among requests, and no few ledgers are left over`() {
        var sizer = PageSizer(targetBytes: 14_000_000, maximum: 200)
        sizer.received(ledgers: 10, bytes: 10_000_000)
        #expect(sizer.length == 14)
        func lengths(_ available: Int) -> [Int] {
            var left = available
            var lengths: [Int] = []
            while left > 0 {
                lengths.append(sizer.share(of: left))
                left -= lengths[lengths.count - 1]
            }
            return lengths
        }
        #expect(lengths(100) == [15, 15, 14, 14, 14, 14, 14])
        #expect(lengths(20) == [20])
        #expect(lengths(21) == [11, 10])
        for available in 1...300 {
            let lengths = lengths(available)
            #expect(lengths.reduce(0, +) == available)
            #expect((lengths.max() ?? 0) - (lengths.min() ?? 0) <= 1 && (lengths.max() ?? 0) <= 20)
        }
        // What the server does not manage is not asked for, whatever is left.
        sizer.timedOut(asked: 14)
        #expect(lengths(10) == [5, 5] && lengths(8) == [4, 4])
    }
}
