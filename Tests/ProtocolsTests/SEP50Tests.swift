import Protocols
import StateChanges
import StellarXDR
import TestSupport
import Testing

private let from = Value.address(.account(1))
private let to = Value.address(.contract(2))
private let u256Max = "115792089237316195423570985008687907853269984665640564039457584007913129639935"

@Suite struct SEP50Tests {
    private let account1 = [0x30] + Address.key(1)
    private let contract2 = [0x10] + Address.key(2)

    private func rows(_ events: Event...) throws -> [Row] {
        let (rows, ignored) = try LedgerBuilder(transactions: [[events]]).process("SEP50")
        #expect(ignored.isEmpty)
        return rows
    }

    @Test func transferGivesTwoRowsInOrder() throws {
        let rows = try rows(Event("transfer", [from, to], .u32(7)))
        let debit = Row(
            toID: 0x7_0000_1000, operationID: 0x7_0000_1001, stateChangeID: 0x300_0000_0001, category: "BALANCE", reason: "DEBIT",
            ledger: 7, account: account1, token: [0x10] + Address.key(0xC0), amount: "1", keyValue: ["token_id": .text("7")],
            createdAt: 753_315_200_000_000)
        var credit = debit
        credit.stateChangeID += 1
        credit.reason = "CREDIT"
        credit.account = contract2
        #expect(rows == [debit, credit])
    }

    static let tokenIDs: [(Value, String)] = [
        (.u32(0), "0"), (.u32(.max), "4294967295"), (.u64(.max), "18446744073709551615"), (.u128(.max), String(UInt128.max)),
        (.i128(0), "0"), (.i128(.max), String(Int128.max)), (.u256([0, 0, 0, 1]), "1"), (.u256([.max, .max, .max, .max]), u256Max),
        (.u256([0, 0, 1, 0]), "18446744073709551616"),
        (.u256([1, 0, 0, 0]), "6277101735386680763835789423207666416102355444464034512896"),
    ]

    @Test(arguments: tokenIDs.indices)
    func tokenIDsOfAllTypesInAllForms(index: Int) throws {
        let (id, text) = Self.tokenIDs[index]
        let rows = try rows(
            Event("transfer", [from, to], id), Event("mint", [to], .vec([id])), Event("burn", [from], .fields(("token_id", id))),
            Event("approve", [from, id], .vec([to, .u32(5)])), Event("consecutive_mint", [to], .vec([id, id])))
        let wanted = JSONScalar.text(text)
        #expect(rows.map { $0.keyValue?["token_id"] } == [wanted, wanted, wanted, wanted, wanted, nil])
        #expect(rows.map(\.amount) == ["1", "1", "1", "1", "1", "1"])
        #expect(rows.last?.keyValue == ["from_token_id": wanted, "to_token_id": wanted])
    }

    @Test func mintAndBurn() throws {
        let rows = try rows(Event("mint", [to], .u32(7)), Event("burn", [from], .u32(8)))
        #expect(rows.map(\.reason) == ["MINT", "BURN"])
        #expect(rows.map(\.account) == [contract2, account1])
        #expect(rows.map(\.keyValue) == [["token_id": .text("7")], ["token_id": .text("8")]])
    }

    @Test func consecutiveMintCounts() throws {
        let rows = try rows(
            Event("consecutive_mint", [to], .vec([.u32(1), .u32(9)])),
            Event("consecutive_mint", [to], .fields(("from_token_id", .u32(5)), ("to_token_id", .u64(5)))),
            Event("consecutive_mint", [to], .fields(("from_token_id", .u32(0)), ("to_token_id", .u128(.max)))),
            Event("consecutive_mint", [to], .vec([.u32(0), .u256([.max, .max, .max, .max])])),
            Event("consecutive_mint", [to], .vec([.u256([0, 0, 1, 5]), .u256([1, 0, 0, 0])])))
        #expect(
            rows.map(\.amount) == [
                "9", "1", "340282366920938463463374607431768211456",
                "115792089237316195423570985008687907853269984665640564039457584007913129639936",
                // 2^192 - (2^64 + 5) + 1
                "6277101735386680763835789423207666416083908700390324961276",
            ])
        #expect(rows.map(\.reason) == ["MINT", "MINT", "MINT", "MINT", "MINT"])
        #expect(rows.first?.keyValue == ["from_token_id": .text("1"), "to_token_id": .text("9")])
        #expect(rows.first?.account == contract2)
    }

    @Test func approvals() throws {
        let rows = try rows(
            Event("approve", [from, .u32(7)], .vec([to, .u32(11)])),
            Event("approve", [from, .u32(7)], .fields(("approved", to), ("live_until_ledger", .u32(0)))),
            Event("approve_for_all", [from], .vec([to, .u32(12)])),
            Event("approve_for_all", [from], .fields(("live_until_ledger", .u32(13)), ("operator", to))))
        #expect(
            rows.allSatisfy { $0.category == "ALLOWANCE" && $0.reason == "UPDATE" && $0.account == account1 && $0.spender == contract2 })
        #expect(rows.map(\.amount) == ["1", "1", nil, nil])
        #expect(
            rows.map(\.keyValue) == [
                ["token_id": .text("7"), "live_until_ledger": .number(11)], ["token_id": .text("7"), "live_until_ledger": .number(0)],
                ["live_until_ledger": .number(12)], ["live_until_ledger": .number(13)],
            ])
    }

    @Test func ofAKeyThatOccursTwiceTheLastCounts() throws {
        let rows = try rows(
            Event("burn", [from], .fields(("token_id", .text("x")), ("token_id", .u32(2)), ("other", .void))),
            Event(
                "approve_for_all", [from],
                .fields(("operator", from), ("live_until_ledger", .u32(1)), ("live_until_ledger", .u32(2)), ("operator", to))))
        #expect(rows.map(\.keyValue) == [["token_id": .text("2")], ["live_until_ledger": .number(2)]])
        #expect(rows.last?.spender == contract2)
    }

    /// What an event leaves behind must not show in the rows of the next.
    @Test func keyValueIsThatOfItsEvent() throws {
        let (rows, _) = try LedgerBuilder(
            Event("burn", [from], .u256([.max, .max, .max, .max])), Event("burn", [from], .void), Event("burn", [from], .u32(1))
        ).process("SEP50")
        #expect(rows.map(\.keyValue) == [["token_id": .text(u256Max)], ["token_id": .text("1")]])
    }

    static let malformed: [(Event, IgnoredReason)] = [
        (Event("transfer", [from], .u32(1)), .topicCount),
        (Event("transfer", [from, to, .u32(1)], .u32(1)), .topicCount),
        (Event("transfer", [from, .u32(1)], .u32(1)), .topicType),
        (Event("transfer", [from, to], .void), .dataShape),
        (Event("transfer", [from, to], .i128(-1)), .dataShape),
        (Event("transfer", [from, to], .i128(.min)), .dataShape),
        (Event("transfer", [from, to], .i32(1)), .dataShape),
        (Event("transfer", [from, to], .i64(1)), .dataShape),
        (Event("transfer", [from, to], .i256([0, 0, 0, 1])), .dataShape),
        (Event("transfer", [from, to], .text("1")), .dataShape),
        (Event("transfer", [from, to], .bytes([1])), .dataShape),
        (Event("transfer", [from, to], .bool(true)), .dataShape),
        (Event("transfer", [from, to], .vec([])), .dataShape),
        (Event("transfer", [from, to], .vec([.u32(1), .u32(2)])), .dataShape),
        (Event("transfer", [from, to], .vec([.vec([.u32(1)])])), .dataShape),
        (Event("transfer", [from, to], .vec([.fields(("token_id", .u32(1)))])), .dataShape),
        (Event("transfer", [from, to], .absentVec), .dataShape),
        (Event("transfer", [from, to], .absentMap), .dataShape),
        (Event("transfer", [from, to], .fields(("tokenid", .u32(1)))), .dataShape),
        (Event("transfer", [from, to], .fields(("token_id", .vec([.u32(1)])))), .dataShape),
        (Event("transfer", [from, to], .fields(("token_id", .u32(1)), ("token_id", .i128(-1)))), .dataShape),
        (Event("transfer", [from, to], .map([(.text("token_id"), .u32(1))])), .dataShape),
        (Event("mint", [], .u32(1)), .topicCount),
        (Event("mint", [from, to], .u32(1)), .topicCount),
        (Event("mint", [.u32(1)], .u32(1)), .topicType),
        (Event("mint", [to], .void), .dataShape),
        (Event("burn", [], .u32(1)), .topicCount),
        (Event("burn", [from, .u32(1)], .u32(1)), .topicCount),
        (Event("burn", [.u32(1)], .u32(1)), .topicType),
        (Event("burn", [from], .text("1")), .dataShape),
        (Event("consecutive_mint", [], .vec([.u32(1), .u32(2)])), .topicCount),
        (Event("consecutive_mint", [.u32(1)], .vec([.u32(1), .u32(2)])), .topicType),
        (Event("consecutive_mint", [to], .u32(1)), .dataShape),
        (Event("consecutive_mint", [to], .vec([.u32(1)])), .dataShape),
        (Event("consecutive_mint", [to], .vec([.u32(1), .u32(2), .u32(3)])), .dataShape),
        (Event("consecutive_mint", [to], .vec([.u32(1), .i128(-2)])), .dataShape),
        (Event("consecutive_mint", [to], .fields(("from_token_id", .u32(1)))), .dataShape),
        (Event("consecutive_mint", [to], .vec([.u32(2), .u32(1)])), .reversedRange),
        (Event("consecutive_mint", [to], .vec([.u256([1, 0, 0, 0]), .u256([0, .max, .max, .max])])), .reversedRange),
        (Event("approve", [from], .vec([to, .u32(1)])), .topicCount),
        (Event("approve", [from, .u32(1), .u32(1)], .vec([to, .u32(1)])), .topicCount),
        (Event("approve", [from, to], .vec([to, .u32(1)])), .topicType),
        (Event("approve", [from, .i128(-1)], .vec([to, .u32(1)])), .topicType),
        (Event("approve", [.u32(1), .u32(1)], .vec([to, .u32(1)])), .topicType),
        (Event("approve", [from, .u32(1)], .vec([to])), .dataShape),
        (Event("approve", [from, .u32(1)], .vec([to, .u64(1)])), .dataShape),
        (Event("approve", [from, .u32(1)], .vec([to, .u32(1), .void])), .dataShape),
        (Event("approve", [from, .u32(1)], .vec([.u32(1), to])), .dataShape),
        (Event("approve", [from, .u32(1)], .vec([.void, .u32(1)])), .dataShape),
        (Event("approve", [from, .u32(1)], .fields(("operator", to), ("live_until_ledger", .u32(1)))), .dataShape),
        (Event("approve_for_all", [], .vec([to, .u32(1)])), .topicCount),
        (Event("approve_for_all", [from, to], .vec([to, .u32(1)])), .topicCount),
        (Event("approve_for_all", [.u32(1)], .vec([to, .u32(1)])), .topicType),
        (Event("approve_for_all", [from], to), .dataShape),
        (Event("approve_for_all", [from], .vec([to])), .dataShape),
        (Event("approve_for_all", [from], .fields(("approved", to), ("live_until_ledger", .u32(1)))), .dataShape),
        (Event("approve_for_all", [from], .fields(("operator", to), ("live_until_ledger", .u64(1)))), .dataShape),
        (Event("clawback", [from], .u32(1)), .unknownName),
        (Event("approve_for_al", [from], .vec([to, .u32(1)])), .unknownName),
        (Event(topics: [], .u32(1)), .noName),
        (Event(topics: [.bytes(Array("transfer".utf8)), from, to], .u32(1)), .noName),
    ]

    @Test(arguments: malformed.indices)
    func malformedEventGivesNoRowAndDoesNotStopTheLedger(index: Int) throws {
        let (event, reason) = Self.malformed[index]
        let good = Event("burn", [from], .u32(1))
        let (rows, ignored) = try LedgerBuilder(good, event, good).process("SEP50")
        #expect(rows.map(\.stateChangeID) == [0x300_0000_0001, 0x300_0000_0002])
        #expect(ignored.map(\.reason) == [reason])
    }
}
