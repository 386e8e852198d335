import StateChanges
import StellarXDR
import TestSupport
import Testing

/// Rows of ledger 7.
enum Samples {
    static let position = StateChangeEncoder.Position(
        ledger: 7, createdAt: 753_315_200_000_000, toID: 0x7_0000_1000, operationID: 0x7_0000_1001)
    static let account = SCAddressView(kind: .account, key: hash(1))
    static let spender = SCAddressView(kind: .contract, key: hash(2))
    static let token = hash(0xC0)

    static func hash(_ byte: UInt64) -> Hash32 {
        let word = byte &* 0x0101_0101_0101_0101
        return Hash32(words: (word, word, word, word))
    }

    /// With and without optional fields.
    static let rows: [@Sendable (inout StateChangeEncoder) -> Void] = [
        {
            $0.append(
                .balance, .burn, at: position, id: 1, account: account, token: token, amount: DecimalText(1 as UInt64), spender: nil,
                keyValue: KeyValueText(), toMuxedID: nil)
        },
        {
            $0.append(
                .balance, .mint, at: position, id: 2, account: account, token: token, amount: DecimalText(-77 as Int128), spender: nil,
                keyValue: KeyValueText(), toMuxedID: 9)
        },
        {
            var keyValue = KeyValueText()
            keyValue.write { $0.add("live_until_ledger", number: 5) }
            $0.append(
                .allowance, .update, at: position, id: 3, account: account, token: token, amount: DecimalText(1_000_000_000 as UInt64),
                spender: spender, keyValue: keyValue, toMuxedID: nil)
        },
    ]
}

@Suite struct StateChangeEncoderTests {
    private func bytes(_ address: SCAddressView) -> [UInt8] { [address.kind.rawValue] + address.key.bytes }

    @Test func everyFieldComesBack() throws {
        var encoder = StateChangeEncoder()
        for row in Samples.rows { row(&encoder) }
        let rows = try TupleDecoder.rows(encoder.tuples)
        let burn = Row(
            toID: 0x7_0000_1000, operationID: 0x7_0000_1001, stateChangeID: 1, category: "BALANCE", reason: "BURN", ledger: 7,
            account: bytes(Samples.account), token: [0x10] + Samples.token.bytes, amount: "1", createdAt: 753_315_200_000_000)
        var mint = burn
        mint.stateChangeID = 2
        mint.reason = "MINT"
        mint.amount = "-77"
        mint.toMuxedID = "9"
        var approval = burn
        approval.stateChangeID = 3
        approval.category = "ALLOWANCE"
        approval.reason = "UPDATE"
        approval.amount = "1000000000"
        approval.spender = bytes(Samples.spender)
        approval.keyValue = ["live_until_ledger": .number(5)]
        #expect(rows == [burn, mint, approval])
        #expect(encoder.rowCount == 3)
    }

    /// Kinds that are yet to come, short and long, in turn: each row has its own.
    @Test func textsOfKindsMayHaveAnyLength() throws {
        var encoder = StateChangeEncoder()
        let texts = ["X", "BLEND_BACKSTOP_EMISSIONS", "FLASH_LOAN", "ABCDEFGH", String(repeating: "LONG_", count: 1000), "DEBIT"]
        var expected: [[String]] = []
        for category in texts {
            for reason in texts {
                let kind = encoder.makeTemplate(category: category, reason: reason)
                encoder.append(
                    kind, at: Samples.position, id: 1, account: Samples.account, token: Samples.token, amount: nil, spender: nil,
                    keyValue: KeyValueText(), toMuxedID: nil)
                Samples.rows[0](&encoder)
                expected += [[category, reason], ["BALANCE", "BURN"]]
            }
        }
        let rows = try TupleDecoder.rows(encoder.tuples)
        #expect(rows.map { [$0.category, $0.reason] } == expected)
        try StateChangeTuple.check(encoder.tuples.span.bytes, expectedRows: 72, ledgers: 7...7)
    }

    @Test func everyKindIsWrittenAsTheDatabaseHasIt() throws {
        var encoder = StateChangeEncoder()
        for category in StateChangeCategory.allCases {
            for reason in StateChangeReason.allCases {
                encoder.append(
                    category, reason, at: Samples.position, id: 1, account: Samples.account, token: Samples.token, amount: nil,
                    spender: nil, keyValue: KeyValueText(), toMuxedID: nil)
            }
        }
        let kinds = StateChangeCategory.allCases.flatMap { category in
            StateChangeReason.allCases.map { [category.rawValue, $0.rawValue] }
        }
        #expect(try TupleDecoder.rows(encoder.tuples).map { [$0.category, $0.reason] } == kinds)
    }

    @Test func rowsBehindAMarkAreDropped() throws {
        var encoder = StateChangeEncoder()
        Samples.rows[0](&encoder)
        let kept = encoder.tuples
        let mark = encoder.mark
        Samples.rows[1](&encoder)
        Samples.rows[2](&encoder)
        encoder.rollback(to: mark)
        #expect(encoder.rowCount == 1)
        #expect(encoder.tuples == kept)
        #expect(encoder.take() == kept)
        #expect(encoder.rowCount == 0)
        #expect(encoder.tuples.isEmpty)
        encoder.rollback(to: mark)
        #expect(encoder.tuples.isEmpty)
    }

    @Test func keyValueIsNullUntilItIsWritten() throws {
        func column(_ keyValue: KeyValueText) throws -> [String: JSONScalar]? {
            var encoder = StateChangeEncoder()
            encoder.append(
                .balance, .mint, at: Samples.position, id: 1, account: Samples.account, token: Samples.token, amount: nil, spender: nil,
                keyValue: keyValue, toMuxedID: nil)
            return try TupleDecoder.rows(encoder.tuples)[0].keyValue
        }
        var keyValue = KeyValueText()
        #expect(try column(keyValue) == nil)
        keyValue.write { _ in }
        #expect(try column(keyValue) == [:])
        keyValue.write {
            $0.add("token_id", text: DecimalText(-7 as Int128))
            $0.add("live_until_ledger", number: .max)
        }
        #expect(try column(keyValue) == ["token_id": .text("-7"), "live_until_ledger": .number(4_294_967_295)])
        keyValue.clear()
        #expect(try column(keyValue) == nil)
    }

    @Test func operationIDs() {
        #expect(OperationID.toID(ledger: 1, transaction: 1) == 0x1_0000_1000)
        #expect(OperationID.operationID(ledger: 1, transaction: 1, operation: 1) == 0x1_0000_1001)
        #expect(OperationID.operationID(ledger: 0x7FFF_FFFF, transaction: 0xFFFFF, operation: 0xFFF) == Int64.max)
        #expect(OperationID.toID(ledger: 0x8000_0000, transaction: 1) == nil)
        #expect(OperationID.toID(ledger: 1, transaction: 0x10_0000) == nil)
        #expect(OperationID.toID(ledger: 1, transaction: -1) == nil)
        #expect(OperationID.operationID(ledger: 1, transaction: 1, operation: 0x1000) == nil)
        #expect(OperationID.operationID(ledger: 1, transaction: 1, operation: -1) == nil)
        #expect(OperationID.operationID(ledger: 1, transaction: 0x10_0000, operation: 1) == nil)
    }
}
