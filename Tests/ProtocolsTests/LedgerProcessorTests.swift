import Protocols
import StateChanges
import StellarXDR
import TestSupport
import Testing

private let from = Value.address(.account(1))
private let good = Event("burn", [from], .i128(5))

@Suite struct LedgerProcessorTests {
    private func hash(_ byte: UInt8) throws -> Hash32 { try #require(Hash32(Address.key(byte))) }

    private func events(_ contract: UInt8?, _ type: UInt32 = 1) -> Event {
        var event = good
        event.contract = contract
        event.type = type
        return event
    }

    @Test func onlyContractEventsOfTrackedContractsCount() throws {
        let ledger = LedgerBuilder(events(0xC0), events(0xC1), events(nil), events(0xC0, 0), events(0xC0, 2), events(0xC0))
        let ignored = Ignored()
        var processor = try LedgerProcessor(protocols: ["SEP41"], tracked: TrackedContracts(["SEP41": [hash(0xC0)]])) { ignored.note($0) }
        let header = try processor.process(ledger.xdr.span.bytes)
        #expect(header.sequence == 7)
        #expect(processor.rows[0].rowCount == 2)
        #expect(processor.counts[0].tracked == 4)
        #expect(processor.counts[0].ignored == 2)
        #expect(processor.counts[0][.notContractType] == 2)
        let expected = IgnoredEvent(
            protocolID: "SEP41", ledger: 7, transaction: 1, operation: 1, contract: try hash(0xC0), reason: .notContractType)
        #expect(ignored.events == [expected, expected])
    }

    @Test func ordinalsCountWithinAnOperationOfAProtocol() throws {
        let transactions = [[[good, good], [good]], [[good], [], [good, good]]]
        let (rows, _) = try LedgerBuilder(transactions: transactions).process("SEP41")
        #expect(rows.map(\.toID) == [0x7_0000_1000, 0x7_0000_1000, 0x7_0000_1000, 0x7_0000_2000, 0x7_0000_2000, 0x7_0000_2000])
        #expect(rows.map { $0.operationID - $0.toID } == [1, 1, 2, 1, 3, 3])
        #expect(rows.map { $0.stateChangeID - 0x100_0000_0000 } == [1, 2, 1, 1, 1, 2])
    }

    @Test func protocolsCountOnTheirOwn() throws {
        let nft = events(0xC5)
        var token = nft
        token.data = .u32(4)
        let ledger = LedgerBuilder(good, token, good, token)
        let tracked = TrackedContracts(["SEP41": [try hash(0xC0)], "SEP50": [try hash(0xC5)], "BLEND": [try hash(0xC0)]])
        var processor = try LedgerProcessor(protocols: ["SEP50", "SEP41"], tracked: tracked)
        _ = try processor.process(ledger.xdr.span.bytes)
        #expect(processor.rows.map(\.id) == ["SEP50", "SEP41"])
        #expect(try TupleDecoder.rows(processor.rows[0].tuples).map(\.stateChangeID) == [0x300_0000_0001, 0x300_0000_0002])
        #expect(try TupleDecoder.rows(processor.rows[1].tuples).map(\.stateChangeID) == [0x100_0000_0001, 0x100_0000_0002])
    }

    @Test func contractOfTwoProtocolsIsProcessedForBoth() throws {
        let contract = try hash(0xC0)
        let tracked = TrackedContracts(["SEP41": [contract, contract], "SEP50": [contract]])
        #expect(tracked.count == 2)
        #expect(tracked[contract] == ["SEP41", "SEP50"])
        var processor = try LedgerProcessor(protocols: ["SEP41", "SEP50"], tracked: tracked)
        _ = try processor.process(LedgerBuilder(good).xdr.span.bytes)
        #expect(processor.rows.map(\.rowCount) == [1, 1])
        #expect(processor.counts.map(\.tracked) == [1, 1])
    }

    @Test func manyTrackedContractsAreAllFoundAndNoOthers() throws {
        var generator = SystemRandomNumberGenerator()
        func random() throws -> Hash32 {
            try #require(Hash32((0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }))
        }
        // Same first words on purpose: the rest of the id must be compared.
        let first = try (0..<3000).map { _ in try random() }
        let second = first.map { Hash32(words: ($0.words.0, $0.words.1, $0.words.2, $0.words.3 ^ 1)) }
        let others = first.map { Hash32(words: ($0.words.0, $0.words.1 ^ 1, $0.words.2, $0.words.3)) }
        let tracked = TrackedContracts(["SEP41": first, "SEP50": second])
        #expect(tracked.count == 6000)
        #expect(first.allSatisfy { tracked[$0] == ["SEP41"] })
        #expect(second.allSatisfy { tracked[$0] == ["SEP50"] })
        #expect(others.allSatisfy { tracked[$0].isEmpty })
        #expect(TrackedContracts([:])[first[0]].isEmpty)
    }

    @Test func closeTimeBecomesMicrosecondsSince2000() throws {
        let times: [(UInt64, Int64)] = [(0, -946_684_800_000_000), (946_684_800, 0), (9_224_318_015_999, 9_223_371_331_199_000_000)]
        for (seconds, microseconds) in times {
            var ledger = LedgerBuilder(good)
            ledger.closeTime = seconds
            #expect(try ledger.process("SEP41").rows.map(\.createdAt) == [microseconds])
        }
    }

    @Test func whatTheColumnsCannotHoldIsAnError() throws {
        var late = LedgerBuilder(good)
        late.closeTime = 9_224_318_016_000
        var high = LedgerBuilder(good)
        high.sequence = 0x8000_0000
        var highest = LedgerBuilder(good)
        highest.sequence = 0x7FFF_FFFF
        let operations = LedgerBuilder(transactions: [[[Event]](repeating: [], count: 4095) + [[good]]])
        let lastOperation = LedgerBuilder(transactions: [[[Event]](repeating: [], count: 4094) + [[good]]])
        for (ledger, words) in [(late, "close time"), (high, "2147483648"), (operations, "operation 4096")] {
            var processor = try LedgerProcessor(protocols: ["SEP41"], tracked: TrackedContracts(["SEP41": [hash(0xC0)]]))
            _ = try processor.process(LedgerBuilder(good).xdr.span.bytes)
            let before = processor.rows
            let error = try #require(throws: LedgerProcessingError.self) { _ = try processor.process(ledger.xdr.span.bytes) }
            #expect(error.ledger == ledger.sequence)
            #expect(error.description.contains(words))
            #expect(processor.rows == before)
        }
        #expect(try highest.process("SEP41").rows.map(\.ledger) == [.max])
        #expect(try lastOperation.process("SEP41").rows.map { $0.operationID & 0xFFF } == [4095])
    }

    @Test func numbersThatNoRowNeedsDoNoHarm() throws {
        var far = LedgerBuilder(events(0xC1))
        far.sequence = .max
        far.closeTime = .max
        #expect(try far.process("SEP41").rows.isEmpty)
    }

    @Test func failedLedgerLeavesNoRows() throws {
        var processor = try LedgerProcessor(protocols: ["SEP41"], tracked: TrackedContracts(["SEP41": [hash(0xC0)]]))
        let ledger = LedgerBuilder(good, good).xdr
        _ = try processor.process(ledger.span.bytes)
        let before = processor.rows
        for cut in 0..<ledger.count {
            let error = try #require(throws: LedgerProcessingError.self) { _ = try processor.process(Array(ledger[..<cut]).span.bytes) }
            guard case .xdr = error.cause else { Issue.record("\(error)"); return }
        }
        #expect(throws: LedgerProcessingError.self) { _ = try processor.process((ledger + [0, 0, 0, 0]).span.bytes) }
        #expect(processor.rows == before)
        _ = try processor.process(ledger.span.bytes)
        #expect(processor.rows[0].tuples == before[0].tuples + before[0].tuples)
        #expect(processor.pending == (4, processor.rows[0].tuples.count))
    }

    @Test func unknownProtocolIsRefused() throws {
        let error = try #require(throws: LedgerProcessingError.self) {
            _ = try LedgerProcessor(protocols: ["SEP41", "BLEND"], tracked: TrackedContracts([:]))
        }
        #expect(error.description == "no processor for protocol BLEND in this build, which knows SEP41, SEP50")
    }

    @Test func protocolsDoNotShareIDs() {
        let bases = ProtocolRegistry.processors.map(\.stateChangeIDBase)
        #expect(Set(bases).count == bases.count)
        #expect(bases == [0x100_0000_0000, 0x300_0000_0000])
        #expect(ProtocolRegistry.ids == ["SEP41", "SEP50"])
        #expect(ProtocolRegistry.processor(for: "SEP50")?.stateChangeIDBase == 0x300_0000_0000)
        #expect(ProtocolRegistry.processor(for: "sep50") == nil)
        #expect(ProtocolID("SEP41").historyCursorKey == "protocol_SEP41_history_cursor")
    }
}

@Suite struct LedgerProcessingErrorTests {
    private func failure(_ ledger: [UInt8]) throws -> LedgerProcessingError {
        var processor = try LedgerProcessor(
            protocols: ["SEP41"], tracked: TrackedContracts(["SEP41": [try #require(Hash32(Address.key(0xC0)))]]))
        let error = try #require(throws: LedgerProcessingError.self) { _ = try processor.process(ledger.span.bytes) }
        if case .xdr = error.cause {
            let other = try #require(throws: LedgerProcessingError.self) {
                _ = try LedgerProcessor.contractsWithEvents(in: ledger.span.bytes)
            }
            #expect(other.description == error.description)
        }
        return error
    }

    @Test func unknownVersionsArePermanent() throws {
        var meta = LedgerBuilder(good).xdr
        meta[3] = 9
        let first = try failure(meta)
        #expect(first.isPermanent)
        // The beginning of the bytes is not understood: whoever asked for the ledger knows which it is.
        #expect(first.ledger == nil)
        #expect(first.inLedger(7).ledger == 7)
        #expect(first.inLedger(7).description == "cannot read ledger 7: LedgerCloseMeta.v at byte 0: version 9 is not supported")

        var transaction = LedgerBuilder(good)
        transaction.metaVersion = 5
        let second = try failure(transaction.xdr)
        #expect(second.isPermanent)
        #expect(second.ledger == 7)
        #expect(second.inLedger(8).ledger == 7)
        #expect(second.description.contains("ledger 7, transaction 1, TransactionMeta.v"))
        #expect(second.description.hasSuffix("version 5 is not supported"))
    }

    @Test func whatHasNoPlaceInTheDatabaseIsPermanent() throws {
        var late = LedgerBuilder(good)
        late.closeTime = .max
        #expect(try failure(late.xdr).isPermanent)
        var high = LedgerBuilder(good)
        high.sequence = .max
        #expect(try failure(high.xdr).isPermanent)
        let unknown = #expect(throws: LedgerProcessingError.self) {
            _ = try LedgerProcessor(protocols: ["BLEND"], tracked: TrackedContracts(.empty))
        }
        #expect(unknown?.isPermanent == true)
    }

    @Test func damageIsNotPermanent() throws {
        let whole = LedgerBuilder(good).xdr
        let cut = try failure(whole.dropLast(4))
        #expect(!cut.isPermanent)
        #expect(cut.ledger == 7)
        #expect(try !failure(whole + [0, 0, 0, 0]).isPermanent)
        #expect(try !failure([]).isPermanent)
    }

    @Test func contractsWithEventsAreThoseThatProcessingAsksFor() throws {
        func event(_ contract: UInt8?, _ type: UInt32 = 1) -> Event {
            var event = good
            event.contract = contract
            event.type = type
            return event
        }
        let events = [event(0xC0), event(0xC1), event(nil), event(0xC0), event(0xC2, 0)]
        let ledger = LedgerBuilder(transactions: [[events], [[], [event(0xC3)]], []]).xdr
        let contracts = try LedgerProcessor.contractsWithEvents(in: ledger.span.bytes)
        #expect(contracts == Set(try [0xC0, 0xC1, 0xC2, 0xC3].map { try #require(Hash32(Address.key($0))) }))
    }
}
