import StellarXDR
import Testing

/// What is not a ledger gives an error that says what is wrong where, at once.
struct MalformedLedgerTests {
    private func error(_ ledger: [UInt8]) -> XDRError? {
        do throws(XDRError) {
            _ = try LedgerReader.read(ledger.span.bytes) { _ in }
            return nil
        } catch {
            return error
        }
    }

    /// The error in a ledger whose only event has this data.
    private func error(data: [UInt8]) -> XDRError? { error(XDR.ledger(event: XDR.event(data: data))) }

    @Test("The ledgers that the others are made of are right")
    func wellFormed() {
        for version in 0...2 {
            #expect(error(XDR.ledger([], version: version)) == nil)
        }
        #expect(error(data: XDR.Value.void) == nil)
    }

    @Test("Every beginning of a ledger ends too early")
    func prefixes() throws {
        let success = XDR.Outcome.success([XDR.Result.invoked])
        let built = (0...2).map { XDR.ledger([XDR.transaction(success, XDR.Meta.v3([XDR.event()]), version: $0)], version: $0) }
        let smallest = try required(try Fixtures.synthetic.min { $0.bytes.count < $1.bytes.count })
        let random = try required(try Fixtures.random.min { $0.bytes.count < $1.bytes.count })
        for ledger in built + [smallest.bytes, random.bytes] {
            for length in 0..<ledger.count {
                let bytes = ledger.span.bytes.extracting(0..<length)
                var reason: XDRError.Reason?
                do throws(XDRError) {
                    _ = try LedgerReader.read(bytes) { _ in }
                } catch {
                    reason = error.reason
                    #expect(error.offset <= length)
                }
                switch reason {
                case .unexpectedEnd, .lengthExceedsInput: break
                default: Issue.record("the first \(length) of \(ledger.count) bytes: \(String(describing: reason))")
                }
            }
        }
    }

    @Test("Only what the header needs has to be there to read it")
    func headerOnly() throws {
        for version in 0...2 {
            let ledger = XDR.ledger([], version: version)
            let header = try LedgerReader.readHeader(ledger.span.bytes)
            let entryEnd = header.headerRange.upperBound + 4
            #expect(try LedgerReader.readHeader(ledger.span.bytes.extracting(0..<entryEnd)).sequence == 1234)
            #expect(throws: XDRError.self) { try LedgerReader.readHeader(ledger.span.bytes.extracting(0..<(entryEnd - 1))) }
        }
    }

    @Test("Bytes left over", arguments: [1, 3, 4, 100])
    func trailing(count: Int) {
        let ledger = XDR.ledger([])
        let found = error(ledger + [UInt8](repeating: 0, count: count))
        #expect(found?.reason == .trailingBytes(count))
        #expect(found?.offset == ledger.count)
        #expect(found?.description == "ledger 1234, LedgerCloseMeta at byte \(ledger.count): \(count) bytes left over")
    }

    @Test("Padding that is not zero")
    func padding() {
        #expect(error(data: XDR.words(15, 3) + [97, 98, 99, 0]) == nil)
        let found = error(data: XDR.words(15, 3) + [97, 98, 99, 1])
        #expect(found?.reason == .nonZeroPadding)
        #expect(found?.field == "SCVal.sym")
        #expect(error(data: XDR.words(13, 1) + [97, 0, 128, 0])?.reason == .nonZeroPadding)
        #expect(error(data: XDR.words(14, 2) + [97, 97, 1, 0])?.reason == .nonZeroPadding)
        #expect(error(data: XDR.words(13, 0)) == nil)
        #expect(error(data: XDR.words(13, 4) + [255, 255, 255, 255]) == nil)
    }

    @Test("A bool, an optional flag that is neither 0 nor 1")
    func flags() {
        #expect(error(data: XDR.words(0, 1)) == nil)
        #expect(error(data: XDR.words(0, 2))?.reason == .badBool(2))
        #expect(error(data: XDR.words(0, -1))?.reason == .badBool(.max))
        #expect(error(data: XDR.words(16, 2))?.reason == .badOptionalFlag(2))
        #expect(error(data: XDR.words(16, 0)) == nil)
    }

    @Test("Lengths beyond the type, beyond what is left, beyond everything")
    func lengths() {
        #expect(error(data: XDR.words(15, 33) + [UInt8](repeating: 97, count: 36))?.reason == .lengthExceedsMax(length: 33, max: 32))
        // Behind the data: three lists and an option of the meta, one list of the transaction, and 20 bytes of the ledger.
        let rest = 3 * 4 + 4 + 4 + 20
        #expect(error(data: XDR.words(13, -1))?.reason == .lengthExceedsInput(length: .max, remaining: rest))
        #expect(error(data: XDR.words(16, 1, -1))?.reason == .lengthExceedsInput(length: .max, remaining: rest))
        #expect(error(data: XDR.words(17, 1, 0x7fff_ffff))?.reason == .lengthExceedsInput(length: 0x7fff_ffff, remaining: rest))
        // As many transactions, upgrades, ... as a length word can say.
        let ledger = XDR.ledger([])
        for offset in stride(from: ledger.count - 24, to: ledger.count - 12, by: 4) {
            var forged = ledger
            forged.replaceSubrange(offset..<(offset + 4), with: [255, 255, 255, 255])
            #expect(error(forged)?.offset == offset)
        }
    }

    @Test("Unknown cases of unions and enums")
    func discriminants() {
        #expect(error(data: XDR.word(99))?.reason == .badDiscriminant(99))
        #expect(error(data: XDR.word(99))?.field == "SCVal.type")
        #expect(error(data: XDR.word(-1))?.reason == .badDiscriminant(-1))
        #expect(error(XDR.ledger(event: XDR.event(type: 3)))?.reason == .badEnumValue(3))
        #expect(error(XDR.ledger(event: XDR.event(bodyVersion: 1)))?.reason == .badDiscriminant(1))
        #expect(error(XDR.ledger(event: XDR.event(bodyVersion: 1)))?.field == "ContractEvent.body.v")
        let outcome = XDR.words(0, 100, 2, 0)
        #expect(error(XDR.ledger([XDR.transaction(outcome, XDR.Meta.v0)]))?.field == "TransactionResult.result.code")
    }

    @Test("An unknown version of TransactionMeta names ledger, transaction and version")
    func transactionMetaVersion() {
        let success = XDR.Outcome.success([XDR.Result.invoked])
        let known = XDR.transaction(success, XDR.Meta.v4([[XDR.event()]]))
        let found = error(XDR.ledger([known, XDR.transaction(success, XDR.words(5, 0))]))
        #expect(found?.reason == .unsupportedVersion(5))
        #expect(found?.ledger == 1234)
        #expect(found?.transaction == 2)
        let offset = found?.offset ?? 0
        #expect(found?.description == "ledger 1234, transaction 2, TransactionMeta.v at byte \(offset): version 5 is not supported")
    }

    @Test("An unknown version of LedgerCloseMeta names what is known: the version, and the ledger if the caller knows it")
    func ledgerVersion() {
        let ledger = XDR.word(3) + XDR.ledger([]).dropFirst(4)
        let found = error(ledger)
        #expect(found?.description == "LedgerCloseMeta.v at byte 0: version 3 is not supported")
        #expect(found?.inLedger(77).description == "ledger 77, LedgerCloseMeta.v at byte 0: version 3 is not supported")
        #expect(throws: XDRError.self) { try LedgerReader.readHeader(ledger.span.bytes) }
    }

    @Test("Nothing at all")
    func empty() {
        #expect(error([])?.description == "LedgerCloseMeta.v at byte 0: 4 bytes expected, 0 left")
        #expect(error([0, 0])?.description == "LedgerCloseMeta.v at byte 0: 4 bytes expected, 2 left")
    }
}
