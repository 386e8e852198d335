import Foundation
import StellarXDR
import Testing

/// Ledgers that stand one after the other, as `LedgerCloseMetaBatch` holds them, whole and cut off.
struct BatchTests {
    /// A batch that says it holds ledgers from `start` on.
    private func batch(_ ledgers: [[UInt8]], from start: Int) -> [UInt8] {
        XDR.words(start, start + ledgers.count - 1) + XDR.list(ledgers)
    }

    private func header(_ bytes: [UInt8]) -> Result<LedgerBatchHeader, XDRError> {
        Result { () throws(XDRError) in try LedgerBatchHeader(bytes.span.bytes) }
    }

    /// What a walk gave: the events in short, and where the ledger ended.
    private struct Found: Equatable {
        var events: [String] = []
        var byteCount = 0

        init(_ ledger: RawSpan, front: Bool) throws(XDRError) {
            var events: [String] = []
            func note(_ event: ContractEvent) {
                let data = event.data.byteRange ?? 0..<0
                events.append("\(event.ledger) \(event.transaction) \(event.operation) \(event.topics.count) \(data)")
            }
            let walk = try front ? LedgerReader.read(front: ledger, onEvent: note) : LedgerReader.read(ledger, onEvent: note)
            #expect(walk.eventCount == events.count)
            self.events = events
            byteCount = walk.byteCount
        }
    }

    /// Reads ledgers until one cannot be read or nothing is left.
    private func readAll(_ bytes: RawSpan) -> (found: [Found], error: XDRError?) {
        var found: [Found] = []
        var at = LedgerBatchHeader.byteCount
        while at < bytes.byteCount {
            do throws(XDRError) {
                let ledger = try Found(bytes.extracting(at..<bytes.byteCount), front: true)
                found.append(ledger)
                at += ledger.byteCount
            } catch {
                return (found, error)
            }
        }
        return (found, nil)
    }

    /// Cuts a batch at some places inside each ledger: those before it are read, it itself ends early.
    private func expectCuts(of ledgers: [[UInt8]], step: (Int) -> Int) throws {
        let bytes = batch(ledgers, from: 7)
        let alone = try ledgers.map { try Found($0.span.bytes, front: false) }
        var start = LedgerBatchHeader.byteCount
        for (index, ledger) in ledgers.enumerated() {
            for length in stride(from: 1, to: ledger.count, by: step(ledger.count)) {
                let (found, error) = readAll(bytes.span.bytes.extracting(0..<start + length))
                try #require(error?.endsEarly == true, "\(length) of \(ledger.count) bytes: \(String(describing: error))")
                try #require(found == Array(alone[..<index]))
            }
            start += ledger.count
        }
        #expect(readAll(bytes.span.bytes).found == alone)
        #expect(readAll(bytes.span.bytes).error == nil)
    }

    @Test("The ledgers of a batch are those that were put into it")
    func whole() throws {
        let ledgers = try Fixtures.all.map(\.bytes)
        let bytes = batch(ledgers, from: 1000)
        #expect(try LedgerBatchHeader(bytes.span.bytes).ledgers == 1000...UInt32(1000 + ledgers.count - 1))
        let (found, error) = readAll(bytes.span.bytes)
        #expect(error == nil)
        #expect(found == (try ledgers.map { try Found($0.span.bytes, front: false) }))
        #expect(found.map(\.byteCount) == ledgers.map(\.count))
        #expect(found.reduce(0) { $0 + $1.events.count } > 600)
    }

    @Test("A batch that is cut off ends early, at every byte")
    func everyCut() throws {
        let success = XDR.Outcome.success([XDR.Result.invoked])
        let built = (0...2).map { XDR.ledger([XDR.transaction(success, XDR.Meta.v3([XDR.event()]), version: $0)], version: $0) }
        let smallest = try required(try Fixtures.synthetic.min { $0.bytes.count < $1.bytes.count })
        try expectCuts(of: built + [smallest.bytes]) { _ in 1 }
    }

    @Test("Ledgers with every kind of entry that are cut off end early, at many places")
    func manyCuts() throws {
        for file in try Fixtures.all {
            // An odd step: whole words and parts of words.
            try expectCuts(of: [file.bytes]) { $0 / 300 | 1 }
        }
    }

    @Test(
        "Ledgers of the public network that are cut off end early",
        .enabled(if: Fixtures.pubnetFolder != nil, "WITNESSED_LEDGERS is not set"))
    func pubnetCuts() throws {
        for file in try LedgerFile.all(in: required(Fixtures.pubnetFolder)) {
            try expectCuts(of: [file.bytes]) { $0 / 100 | 1 }
        }
    }

    @Test("What stands behind a ledger does not matter to it, and is refused where nothing may")
    func trailing() throws {
        for version in 0...2 {
            let ledger = XDR.ledger([XDR.transaction(XDR.Outcome.success([]), XDR.Meta.v4([]), version: version)], version: version)
            for behind in [[], [0], [255, 255, 255], XDR.words(-1, -1), ledger] {
                let bytes = ledger + behind
                let walk = try LedgerReader.read(front: bytes.span.bytes) { _ in }
                #expect(walk.byteCount == ledger.count)
                #expect(walk.header.sequence == 1234)
                guard !behind.isEmpty else { continue }
                let error = #expect(throws: XDRError.self) { try LedgerReader.read(bytes.span.bytes) { _ in } }
                #expect(error?.reason == .trailingBytes(behind.count))
                #expect(error?.endsEarly == false)
            }
        }
    }

    @Test("Damage is no early end")
    func damage() throws {
        let ledgers = [
            XDR.ledger(event: XDR.event(data: XDR.word(99))), XDR.ledger(event: XDR.event(data: XDR.words(0, 2))),
            XDR.ledger(event: XDR.event(type: 3)), XDR.ledger(event: XDR.event(data: XDR.words(15, 33) + XDR.hash)),
            XDR.ledger(event: XDR.event(data: XDR.words(15, 3) + [97, 98, 99, 1])), XDR.ledger(event: XDR.event(data: XDR.words(16, 2))),
            XDR.ledger(event: XDR.event(data: XDR.Value.nested(600))), XDR.word(3) + XDR.ledger([]).dropFirst(4),
        ]
        for ledger in ledgers {
            let error = #expect(throws: XDRError.self) { try LedgerReader.read(front: ledger.span.bytes) { _ in } }
            #expect(error?.endsEarly == false, "\(String(describing: error))")
        }
    }

    @Test("First, last and number of a batch's ledgers agree")
    func headers() throws {
        let greatest = Int(UInt32.max)
        for (start, end) in [(2, 2), (0, 63), (63_092_984, 63_092_991), (greatest, greatest), (1, greatest)] {
            let bytes = XDR.words(start, end, end - start + 1)
            #expect(header(bytes) == header(bytes + [1]))
            #expect(try header(bytes).get().ledgers == UInt32(start)...UInt32(end))
        }
        // The last two: 2^32 ledgers, which no count can say.
        let wrong = [
            (5, 4, 0), (5, 4, 1), (5, 5, 0), (5, 5, 2), (0, 63, 62), (0, 63, 63), (9, 0, 4), (0, greatest, 0), (0, greatest, -1),
        ]
        for (start, end, count) in wrong {
            let error = #expect(throws: XDRError.self) { try header(XDR.words(start, end, count)).get() }
            let expected = XDRError.Reason.badBatchRange(start: UInt32(start), end: UInt32(end), count: UInt32(truncatingIfNeeded: count))
            #expect(error?.reason == expected)
            #expect(error?.endsEarly == false)
        }
        let error = #expect(throws: XDRError.self) { try header(XDR.words(0, 63, 62)).get() }
        #expect(
            error?.description
                == "LedgerCloseMetaBatch.startSequence at byte 0: a batch from ledger 0 to ledger 63 does not hold 62 ledgers")
    }

    @Test("A header that is cut off ends early")
    func cutHeaders() {
        for length in 0..<LedgerBatchHeader.byteCount {
            let error = #expect(throws: XDRError.self) { try header(Array(XDR.words(2, 3, 2)[..<length])).get() }
            #expect(error?.endsEarly == true)
            #expect(error?.offset == 0)
        }
    }
}
