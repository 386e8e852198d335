import StellarXDR
import Testing

/// Which events count: those of operations that succeeded as INVOKE_HOST_FUNCTION in a successful transaction.
struct CountedEventsTests {
    /// The (transaction, operation) of every event that the reader gives.
    private func events(_ transactions: [[UInt8]], version: Int = 2) throws -> [[Int]] {
        var found: [[Int]] = []
        let ledger = XDR.ledger(transactions, version: version)
        let walk = try LedgerReader.read(ledger.span.bytes) { found.append([$0.transaction, $0.operation]) }
        #expect(walk.transactionCount == transactions.count)
        #expect(walk.eventCount == found.count)
        return found
    }

    private let two = XDR.Meta.v4([[XDR.event()], [XDR.event(), XDR.event()]])

    @Test("By the outcome of the transaction")
    func outcomes() throws {
        let invoked = [XDR.Result.invoked, XDR.Result.invoked]
        let all = [[1, 1], [1, 2], [1, 2]]
        #expect(try events([XDR.transaction(XDR.Outcome.success(invoked), two)]) == all)
        #expect(try events([XDR.transaction(XDR.Outcome.failed(invoked), two)]) == [])
        #expect(try events([XDR.transaction(XDR.Outcome.tooLate, two)]) == [])
        #expect(try events([XDR.transaction(XDR.Outcome.feeBump(1, inner: 0, invoked), two)]) == all)
        #expect(try events([XDR.transaction(XDR.Outcome.feeBump(-13, inner: -1, invoked), two)]) == [])
        // The network never says these two; the inner result decides as well.
        #expect(try events([XDR.transaction(XDR.Outcome.feeBump(1, inner: -1, invoked), two)]) == [])
        #expect(try events([XDR.transaction(XDR.Outcome.feeBump(-13, inner: 0, invoked), two)]) == [])
    }

    @Test("By the result of the operation, each on its own")
    func operations() throws {
        let (invoked, paid) = (XDR.Result.invoked, XDR.Result.paid)
        #expect(try events([XDR.transaction(XDR.Outcome.success([paid, invoked]), two)]) == [[1, 2], [1, 2]])
        #expect(try events([XDR.transaction(XDR.Outcome.success([invoked, paid]), two)]) == [[1, 1]])
        #expect(try events([XDR.transaction(XDR.Outcome.success([XDR.Result.badAuth, invoked]), two)]) == [[1, 2], [1, 2]])
    }

    @Test("More operations in the meta than results: those without one do not count; more results than operations: no matter")
    func numbersDiffer() throws {
        #expect(try events([XDR.transaction(XDR.Outcome.success([XDR.Result.invoked]), two)]) == [[1, 1]])
        #expect(try events([XDR.transaction(XDR.Outcome.success([]), two)]) == [])
        let results = [[UInt8]](repeating: XDR.Result.invoked, count: 300)
        #expect(try events([XDR.transaction(XDR.Outcome.success(results), two)]) == [[1, 1], [1, 2], [1, 2]])
    }

    @Test("Hundreds of operations, every second one an invocation")
    func manyOperations() throws {
        let results = (0..<300).map { $0.isMultiple(of: 2) ? XDR.Result.invoked : XDR.Result.paid }
        let meta = XDR.Meta.v4((0..<300).map { _ in [XDR.event()] })
        #expect(try events([XDR.transaction(XDR.Outcome.success(results), meta)]) == stride(from: 1, through: 300, by: 2).map { [1, $0] })
    }

    @Test("Transaction-level events of V4 are no operation's", arguments: [XDR.Result.invoked, XDR.Result.paid])
    func transactionEvents(result: [UInt8]) throws {
        let meta = XDR.Meta.v4([[]], transactionEvents: [XDR.event(), XDR.event()])
        #expect(try events([XDR.transaction(XDR.Outcome.success([result]), meta)]) == [])
    }

    @Test("V3 events belong to operation 1; metas before have none; transactions are numbered from 1", arguments: [0, 1, 2])
    func olderMetas(version: Int) throws {
        let success = XDR.Outcome.success([XDR.Result.invoked])
        let metas = [XDR.Meta.v0, XDR.Meta.v1, XDR.Meta.v2, XDR.Meta.v3([XDR.event(), XDR.event()]), XDR.Meta.v4([[XDR.event()]])]
        let transactions = metas.map { XDR.transaction(success, $0, version: version) }
        #expect(try events(transactions, version: version) == [[4, 1], [4, 1], [5, 1]])
    }

    @Test("V3 events of what is no successful invocation do not count")
    func v3NotCounted() throws {
        let meta = XDR.Meta.v3([XDR.event()])
        #expect(try events([XDR.transaction(XDR.Outcome.success([XDR.Result.paid]), meta)]) == [])
        #expect(try events([XDR.transaction(XDR.Outcome.failed([XDR.Result.trapped]), meta)]) == [])
    }

    @Test("The callback sees the event itself")
    func event() throws {
        let ledger = XDR.ledger(event: XDR.event(topics: [XDR.Value.transfer, XDR.Value.void], type: 0))
        var seen = 0
        let walk = try LedgerReader.read(ledger.span.bytes) { event in
            seen += 1
            let (sequence, closeTime, type, contract) = (event.ledger, event.closeTime, event.type, event.contractID)
            #expect(sequence == 1234)
            #expect(closeTime == 1_700_000_000)
            #expect(type == .system)
            #expect(contract?.bytes == XDR.hash)
            // Read apart: the macro cannot hold a view.
            let (count, name, data) = (event.topics.count, event.topics.first?.symbol?.text, event.data.type)
            #expect(count == 2)
            #expect(name == "transfer")
            #expect(data == .void)
        }
        #expect(seen == 1)
        #expect(walk.header.protocolVersion == 23)
    }
}
