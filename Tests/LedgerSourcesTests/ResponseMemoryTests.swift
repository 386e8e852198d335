import LedgerSources
import Logging
import Synchronization
import Testing

/// Who may hold how much, by table: each step and what comes of it.
struct ByteBudgetTests {
    enum Step: Sendable {
        case request(Int, first: UInt32, bytes: Int, Bool)
        case grow(Int, Int, single: Bool, Bool)
        case release(Int, to: Int = 0, [Int])
        case cancel(Int, [Int])
    }

    @Test(
        arguments: [
            // Within the limit nobody waits.
            ([.request(1, first: 10, bytes: 60, true), .request(2, first: 20, bytes: 40, true)], 100),
            // What does not fit waits, and gets its room when somebody is done.
            ([.request(1, first: 10, bytes: 60, true), .request(2, first: 20, bytes: 41, false), .release(1, [2])], 41),
            // The lowest ledger is next, whenever it asked, and nobody overtakes it who would fit.
            (
                [
                    .request(1, first: 10, bytes: 60, true), .request(2, first: 30, bytes: 30, true),
                    .request(3, first: 20, bytes: 50, false),
                    .request(4, first: 15, bytes: 90, false), .request(5, first: 40, bytes: 5, false), .release(1, []), .release(2, [4]),
                    .release(4, [3, 5]),
                ], 55
            ),
            // One that is given up no longer stands in the way of those behind it.
            (
                [
                    .request(1, first: 10, bytes: 60, true), .request(2, first: 20, bytes: 90, false),
                    .request(3, first: 30, bytes: 40, false),
                    .cancel(2, [3]), .cancel(2, []),
                ], 100
            ),
            // A response that is larger than expected may grow where there is room.
            (
                [
                    .request(1, first: 10, bytes: 50, true), .grow(1, 70, single: false, true), .request(2, first: 20, bytes: 30, true),
                    .grow(1, 71, single: false, false), .grow(2, 20, single: false, true),
                ], 100
            ),
            // One that is smaller gives room to others at once.
            (
                [
                    .request(1, first: 10, bytes: 90, true), .request(2, first: 20, bytes: 50, false), .release(1, to: 50, [2]),
                    .release(1, to: 60, []),
                ], 100
            ),
            // A single ledger may go beyond the limit, but one at a time.
            (
                [
                    .request(1, first: 10, bytes: 50, true), .request(2, first: 20, bytes: 50, true), .grow(1, 80, single: true, true),
                    .grow(2, 80, single: true, false), .grow(1, 90, single: true, true),
                    .grow(1, 95, single: false, false), .release(1, []), .grow(2, 120, single: true, true),
                ], 120
            ),
            // One that can never fit need not wait for others, only for one of its kind.
            (
                [
                    .request(1, first: 10, bytes: 100, true), .request(2, first: 20, bytes: 500, true),
                    .request(3, first: 30, bytes: 600, false),
                    .release(1, []), .request(4, first: 15, bytes: 10, false), .release(2, [4, 3]),
                ], 610
            ),
        ] as [([Step], Int)])
    func `gives room by table`(_ steps: [Step], _ held: Int) {
        var budget = ByteBudget(limit: 100)
        for step in steps {
            switch step {
            case .request(let id, let first, let bytes, let admitted):
                #expect(budget.request(id, first: first, bytes: bytes) == admitted, "\(step)")
            case .grow(let id, let bytes, let single, let fits): #expect(budget.grow(id, to: bytes, single: single) == fits, "\(step)")
            case .release(let id, let bytes, let admitted): #expect(budget.release(id, to: bytes) == admitted, "\(step)")
            case .cancel(let id, let admitted): #expect(budget.cancel(id) == admitted, "\(step)")
            }
        }
        #expect(budget.held == held)
    }
}

/// However large ledgers are or become, the responses of one client stay within its budget.
struct ResponseMemoryTests {
    /// A response with ledgers of the sizes given, which need not be ledgers as long as nobody decodes them.
    private static func page(_ ledgers: ClosedRange<UInt32>, bytes: (UInt32) -> Int) -> String {
        let hash = String(repeating: "00", count: 32)
        return SampleLedgers.response(
            ledgers.map { #"{"hash":"\#(hash)","sequence":\#($0),"metadataXdr":"\#(String(repeating: "A", count: bytes($0)))"}"# },
            latest: ledgers.upperBound)
    }

    private static func pages(
        bytes: @escaping @Sendable (UInt32) -> Int, chunk: Int? = nil
    ) -> @Sendable (SeenRequest) -> Reply {
        { request in
            guard let asked = request.asked else { return .close }
            let text = page(asked.start...(asked.start + UInt32(asked.limit) - 1), bytes: bytes)
            return chunk.map { .chunked(body: Array(text.utf8), chunk: $0) } ?? .json(text)
        }
    }

    /// The ledgers that nobody has asked for yet, and what several workers hold at once, as they see it.
    private final class Holdings: Sendable {
        private let state = Mutex((now: 0, peak: 0, ledgers: [UInt32: Int]()))
        private let open: Mutex<ClosedRange<UInt32>?>

        init(_ ledgers: ClosedRange<UInt32>) { open = Mutex(ledgers) }

        /// The next ledgers, at most so many.
        func next(_ limit: Int) -> ClosedRange<UInt32>? {
            open.withLock { open in
                guard let ledgers = open else { return nil }
                let last = min(ledgers.upperBound, ledgers.lowerBound + UInt32(limit) - 1)
                open = last < ledgers.upperBound ? (last + 1)...ledgers.upperBound : nil
                return ledgers.lowerBound...last
            }
        }

        var peak: Int { state.withLock { $0.peak } }
        var ledgers: [UInt32: Int] { state.withLock { $0.ledgers } }

        func take(_ page: LedgerPage) {
            state.withLock { state in
                state.now += page.byteCount
                state.peak = max(state.peak, state.now)
                for ledger in page.ledgers { state.ledgers[ledger, default: 0] += 1 }
            }
        }

        func letGo(_ bytes: Int) { state.withLock { $0.now -= bytes } }
    }

    /// Fetches ledgers as a fetcher does: eight requests in flight, each taking the next ledgers that nobody has asked for.
    private static func fetch(_ ledgers: ClosedRange<UInt32>, _ rpc: StellarRPC) async throws -> Holdings {
        let holdings = Holdings(ledgers)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    while let mine = holdings.next(rpc.pageLength) {
                        var first = mine.lowerBound
                        while first <= mine.upperBound {
                            let page = try await rpc.page(from: first, limit: Int(mine.upperBound - first) + 1)
                            holdings.take(page)
                            // Long enough for others to come in between.
                            for _ in 0..<20 { await Task.yield() }
                            holdings.letGo(page.byteCount)
                            first = page.ledgers.upperBound + 1
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        return holdings
    }

    @Test(arguments: [nil, 50_000], [200_000, 2_500_000])
    func `ledgers that grow in the midst stay within the budget`(_ chunk: Int?, _ grown: Int) async throws {
        let log = LogRecorder()
        var options = RPCOptions()
        options.responseBudget = 2_000_000
        options.pageSizer = PageSizer(targetBytes: 100_000, maximum: 16)
        let range: ClosedRange<UInt32> = 1000...1312
        let bytes: @Sendable (UInt32) -> Int = { $0 < 1300 ? 500 : grown }
        try await ScriptedServer.run(then: Self.pages(bytes: bytes, chunk: chunk)) { [options] server, port in
            try await withClient(port, options: options, logger: Logger(label: "test", factory: { _ in log })) { rpc in
                let holdings = try await Self.fetch(range, rpc)
                #expect(holdings.ledgers == Dictionary(uniqueKeysWithValues: range.map { ($0, 1) }))
                let overhead = 1000
                #expect(holdings.peak <= 2_000_000 + grown + overhead)
                #expect(rpc.memory.peak <= 2_000_000 + grown * 9 / 8 + overhead, "peak \(rpc.memory.peak)")
                #expect(rpc.memory.held == 0)
                #expect(rpc.memory.kept <= 2_000_000)
                #expect(rpc.counters.retries == 0)
                #expect(rpc.counters.brokenOff <= 40, "\(rpc.counters.brokenOff)")
                #expect(server.seen.count == rpc.counters.requests)
            }
        }
        #expect(log.lines.allSatisfy { $0.level <= .debug })
    }

    @Test(arguments: [nil, 50_000])
    func `a response that has no room is broken off and asked for in smaller pieces`(_ chunk: Int?) async throws {
        var options = RPCOptions()
        options.responseBudget = 2_000_000
        options.pageSizer = PageSizer(targetBytes: 500_000, maximum: 16)
        let log = LogRecorder()
        try await ScriptedServer.run(then: Self.pages(bytes: { $0 < 1015 ? 500 : 200_000 }, chunk: chunk)) { [options] server, port in
            try await withClient(port, options: options, logger: Logger(label: "test", factory: { _ in log })) { rpc in
                var first: UInt32 = 1000
                for _ in 0..<5 { first = try await rpc.page(from: first, limit: 1000).ledgers.upperBound + 1 }
                // 1, 2, 4, 8; then sixteen of them would take 3.2 MB, of which two fit the target.
                #expect(server.seen.compactMap { $0.asked?.limit } == [1, 2, 4, 8, 16, 2])
                #expect(rpc.counters.brokenOff == 1)
                #expect(rpc.counters.retries == 0)
                #expect(rpc.memory.held == 0)
                #expect(rpc.memory.peak <= 2_000_000)
            }
        }
        #expect(log.lines.map(\.level) == [.debug])
    }

    @Test func `where ledgers stay as they are, none is fetched twice`() async throws {
        var options = RPCOptions()
        options.responseBudget = 2_000_000
        options.pageSizer = PageSizer(targetBytes: 200_000, maximum: 200)
        // A tenth larger or smaller.
        let bytes: @Sendable (UInt32) -> Int = { 18_000 + Int($0 * 7919 % 4001) }
        try await ScriptedServer.run(then: Self.pages(bytes: bytes)) { [options] server, port in
            try await withClient(port, options: options) { rpc in
                let holdings = try await Self.fetch(1000...1600, rpc)
                #expect(holdings.ledgers.count == 601)
                #expect(rpc.counters.brokenOff == 0)
                #expect(server.seen.reduce(0) { $0 + ($1.asked?.limit ?? 0) } == 601)
            }
        }
    }

    /// A client whose budget is taken by the first page.
    private static func withOnePageOfMemory(_ body: (ScriptedServer, StellarRPC) async throws -> Void) async throws {
        var options = RPCOptions()
        options.responseBudget = 1_000_000
        options.pageSizer = PageSizer(targetBytes: 1_000_000, maximum: 1)
        try await ScriptedServer.run(then: pages(bytes: { _ in 999_000 })) { [options] server, port in
            try await withClient(port, options: options) { rpc in
                try await body(server, rpc)
            }
        }
    }

    private static func untilWaiting(_ count: Int, _ rpc: StellarRPC) async throws {
        let clock = ContinuousClock()
        let limit = clock.now + .seconds(60)
        while rpc.memory.waiting < count {
            try #require(clock.now < limit, "\(rpc.memory.waiting) instead of \(count) requests wait for room")
            await Task.yield()
        }
    }

    @Test func `a request waits until a page is let go, the lowest first`() async throws {
        try await Self.withOnePageOfMemory { server, rpc in
            var page: LedgerPage? = try await rpc.page(from: 1000, limit: 1)
            let waiters = [1020, 1010, 1030].map { first in
                Task { try await rpc.page(from: first, limit: 1).byteCount }
            }
            try await Self.untilWaiting(3, rpc)
            #expect(server.seen.count == 1)
            #expect(page != nil)
            page = nil
            for waiter in waiters { #expect(try await waiter.value > 999_000) }
            #expect(server.seen.compactMap { $0.asked?.start } == [1000, 1010, 1020, 1030])
        }
    }

    @Test func `cancelling ends the wait for room, and those behind go on waiting`() async throws {
        try await Self.withOnePageOfMemory { server, rpc in
            let page = try await rpc.page(from: 1000, limit: 1)
            let first = Task { await failure { () async throws(LedgerSourceError) in try await rpc.page(from: 1010, limit: 1) } }
            let second = Task { await failure { () async throws(LedgerSourceError) in try await rpc.page(from: 1020, limit: 1) } }
            try await Self.untilWaiting(2, rpc)
            first.cancel()
            #expect(await first.value?.code == .cancelled)
            #expect(rpc.memory.waiting == 1)
            await rpc.shutdown()
            #expect(await second.value?.code == .closed)
            #expect(server.seen.count == 1)
            _ = page.byteCount
        }
    }

    /// The address of a page's bytes.
    private static func address(_ page: LedgerPage) -> Int {
        page.withResponse { $0.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) } }
    }

    @Test(arguments: [nil, 50_000])
    func `each page is received in the memory of the page before`(_ chunk: Int?) async throws {
        // Kept only from 256 KiB on; some a little larger than the one before.
        try await ScriptedServer.run(then: Self.pages(bytes: { 600_000 + Int($0 % 10) * 10_000 }, chunk: chunk)) { _, port in
            try await withClient(port) { rpc in
                var addresses: Set<Int> = []
                for ledger: UInt32 in 1000..<1030 {
                    addresses.insert(Self.address(try await rpc.page(from: ledger, limit: 1)))
                }
                #expect(addresses.count == 1)
                #expect(rpc.memory.allocations == 1)
            }
        }
    }

    @Test func `buffers are used again and never mixed up`() async throws {
        // Padded with white space to more than the smallest kept buffer.
        try await ScriptedServer.run(then: { request in
            guard let asked = request.asked, let page = try? SampleLedgers.response(asked.start...asked.start) else { return .close }
            return .json(page + String(repeating: " ", count: 1 << 19))
        }) { _, port in
            try await withClient(port) { rpc in
                let addresses = try await withThrowingTaskGroup(of: Set<Int>.self) { group in
                    for worker in 0..<4 {
                        group.addTask {
                            var scratch = LedgerScratch()
                            var addresses: Set<Int> = []
                            for round in 0..<10 {
                                let ledger = UInt32(1000 + (worker * 7 + round * 3) % 20)
                                let page = try await rpc.page(from: ledger, limit: 1)
                                try page.forEachLedger(scratch: &scratch) { #expect($0 == ledger && $1.byteCount > 0) }
                                addresses.insert(Self.address(page))
                            }
                            return addresses
                        }
                    }
                    return try await group.reduce(into: Set<Int>()) { $0.formUnion($1) }
                }
                #expect(rpc.memory.allocations <= 4)
                #expect(addresses.count <= 4)
            }
        }
    }

    @Test func `a response that fails gives its memory back`() async throws {
        let body = Array(Self.page(1000...1000, bytes: { _ in 600_000 }).utf8)
        // What is wrong rather than missing comes first: it is tried three times only.
        let replies: [Reply] = [
            .response(headers: ["content-encoding": "gzip"], body: body), .cut(body: body, announced: body.count + 1),
            .response(status: 500, body: body), .response(body: Array(body.dropLast(2))),
            .json(SampleLedgers.response([]) + String(repeating: " ", count: 600_000)),
        ]
        try await ScriptedServer.run(replies, then: Self.pages(bytes: { _ in 600_000 })) { server, port in
            try await withClient(port) { rpc in
                _ = try await rpc.page(from: 1000, limit: 1).byteCount
                #expect(rpc.memory.allocations == 1)
                #expect(rpc.memory.held == 0)
                #expect(server.seen.count == 6)
            }
        }
    }
}
