import Protocols
import StateChanges
import StellarXDR
import TestSupport
import Testing

private let from = Value.address(.account(1))
private let to = Value.address(.contract(2))
private let admin = Value.address(.account(3))

@Suite struct SEP41Tests {
    private let account1 = [0x30] + Address.key(1)
    private let contract2 = [0x10] + Address.key(2)

    private func rows(_ events: Event...) throws -> [Row] {
        let (rows, ignored) = try LedgerBuilder(transactions: [[events]]).process("SEP41")
        #expect(ignored.isEmpty)
        return rows
    }

    @Test func transferGivesTwoRowsInOrder() throws {
        let rows = try rows(Event("transfer", [from, to], .i128(-12_345)))
        let debit = Row(
            toID: 0x7_0000_1000, operationID: 0x7_0000_1001, stateChangeID: 0x100_0000_0001, category: "BALANCE", reason: "DEBIT",
            ledger: 7, account: account1, token: [0x10] + Address.key(0xC0), amount: "-12345", createdAt: 753_315_200_000_000)
        var credit = debit
        credit.stateChangeID += 1
        credit.reason = "CREDIT"
        credit.account = contract2
        #expect(rows == [debit, credit])
    }

    static let muxedIDs: [(Value, String?)] = [
        (.u64(.max), "18446744073709551615"), (.u64(0), "0"), (.text("7"), nil), (.u32(7), nil), (.bytes([1]), nil), (.void, nil),
    ]

    @Test(arguments: muxedIDs)
    func muxedIDIsTextWhereItIsU64(id: Value, text: String?) throws {
        let rows = try rows(
            Event("transfer", [from, to], .fields(("amount", .i128(1)), ("to_muxed_id", id))),
            Event("mint", [to], .fields(("amount", .i128(1)), ("to_muxed_id", id))))
        #expect(rows.map(\.reason) == ["DEBIT", "CREDIT", "MINT"])
        #expect(rows.map(\.toMuxedID) == [nil, text, text])
    }

    @Test func ofAKeyThatOccursTwiceTheLastCounts() throws {
        let rows = try rows(
            Event(
                "transfer", [from, to],
                .map([
                    (.symbol("amount"), .i128(1)), (.symbol("to_muxed_id"), .u64(1)), (.text("amount"), .i128(2)),
                    (.symbol("amount"), .i128(3)), (.symbol("to_muxed_id"), .text("x")), (.u32(1), .vec([.void])),
                ])))
        #expect(rows.map(\.amount) == ["3", "3"])
        #expect(rows.map(\.toMuxedID) == [nil, nil])
    }

    @Test func lastOfTwoAmountsOfAWrongTypeIsMalformed() throws {
        let event = Event("transfer", [from, to], .fields(("amount", .i128(1)), ("amount", .u64(1))))
        let (rows, ignored) = try LedgerBuilder(event).process("SEP41")
        #expect(rows.isEmpty)
        #expect(ignored.map(\.reason) == [.dataShape])
    }

    @Test func mintBurnAndClawbackWithAndWithoutAdmin() throws {
        let rows = try rows(
            Event("mint", [to], .i128(1)), Event("mint", [admin, to], .i128(2)), Event("burn", [from], .i128(3)),
            Event("clawback", [from], .i128(4)), Event("clawback", [admin, from], .i128(5)))
        #expect(rows.map(\.reason) == ["MINT", "MINT", "BURN", "BURN", "BURN"])
        #expect(rows.map(\.account) == [contract2, contract2, account1, account1, account1])
        #expect(rows.map(\.amount) == ["1", "2", "3", "4", "5"])
        #expect(rows.map(\.stateChangeID) == (1...5).map { 0x100_0000_0000 + Int64($0) })
    }

    @Test func approveNamesSpenderAndLastLedger() throws {
        let rows = try rows(Event("approve", [from, to], .vec([.i128(0), .u32(.max)])))
        #expect(rows.count == 1)
        let row = try #require(rows.first)
        #expect(row.category == "ALLOWANCE")
        #expect(row.reason == "UPDATE")
        #expect(row.account == account1)
        #expect(row.spender == contract2)
        #expect(row.amount == "0")
        #expect(row.keyValue == ["live_until_ledger": .number(4_294_967_295)])
        #expect(row.toMuxedID == nil)
    }

    @Test(arguments: [
        Int128.max, .min, 0, -1, 9, 10, 99_999_999, 100_000_000, 9_999_999_999_999_999, 10_000_000_000_000_000, Int128(UInt64.max),
        Int128(UInt64.max) + 1, 100_000_000_000_000_000_000_000_000_000_000, -100_000_000_000_000_000_000_000_000_000_001,
    ])
    func amountsAreExact(amount: Int128) throws {
        let rows = try rows(Event("burn", [from], .i128(amount)), Event("mint", [to], .fields(("amount", .i128(amount)))))
        #expect(rows.map(\.amount) == [String(amount), String(amount)])
    }

    @Test func addressesOfAllKinds() throws {
        let counted = (1...32).map { UInt8($0) }
        let rows = try rows(
            Event("burn", [.address(.account(9))], .i128(1)), Event("burn", [.address(.contract(9))], .i128(1)),
            Event("burn", [.address(.muxed(counted, id: 0x0102_0304_0506_0708))], .i128(1)),
            Event("burn", [.address(.claimableBalance(counted))], .i128(1)), Event("burn", [.address(.pool(9))], .i128(1)))
        #expect(
            rows.map(\.account) == [
                [0x30] + Address.key(9), [0x10] + Address.key(9), [0x30] + counted, [0x08, 0x00] + counted.dropLast(),
                [0x58] + Address.key(9),
            ])
    }

    @Test func burnClawbackAndApproveAsMaps() throws {
        // Every key once, those with no meaning passed over, the empty and the longest among them, in any order.
        let longest = String(repeating: "a", count: 32)
        let amount: [(Value, Value)] = [
            (.symbol("to_muxed_id"), .u64(9)), (.symbol(longest), .void), (.symbol("amount"), .i128(-7)), (.symbol(""), .vec([.void])),
            (.symbol("Amount"), .i128(1)), (.symbol("amounts"), .i128(2)), (.symbol("amoun"), .i128(3)),
        ]
        let rows = try rows(
            Event("burn", [from], .fields(("amount", .i128(.max)))), Event("burn", [from], .map(amount)),
            Event("clawback", [from], .map(amount)), Event("clawback", [admin, from], .map(amount.reversed())),
            Event("approve", [from, to], .map(amount + [(.symbol("live_until_ledger"), .u32(8))])),
            Event("approve", [from, to], .fields(("live_until_ledger", .u32(.max)), ("amount", .i128(.min)))))
        #expect(rows.map(\.reason) == ["BURN", "BURN", "BURN", "BURN", "UPDATE", "UPDATE"])
        #expect(rows.map(\.category) == Array(repeating: "BALANCE", count: 4) + ["ALLOWANCE", "ALLOWANCE"])
        #expect(rows.map(\.amount) == [String(Int128.max), "-7", "-7", "-7", "-7", String(Int128.min)])
        #expect(rows.allSatisfy { $0.account == account1 && $0.toMuxedID == nil })
        #expect(rows.map(\.spender) == [nil, nil, nil, nil, contract2, contract2])
        #expect(
            rows.map(\.keyValue) == [nil, nil, nil, nil, ["live_until_ledger": .number(8)], ["live_until_ledger": .number(4_294_967_295)]])
    }

    /// What a strict map must not be, as changes to the entries of a right one.
    static let notStrict: [[(Value, Value)]] = [
        [(.symbol("amount"), .i128(1)), (.symbol("amount"), .i128(1))],
        [(.symbol("amount"), .u64(1)), (.symbol("amount"), .i128(1))],
        [(.symbol("amount"), .i128(1)), (.symbol("note"), .void), (.symbol("note"), .u32(1))],
        [(.symbol("amount"), .i128(1)), (.symbol(""), .void), (.symbol(""), .void)],
        [(.text("note"), .void), (.symbol("amount"), .i128(1))],
        [(.symbol("amount"), .i128(1)), (.text("amount"), .i128(1))],
        [(.symbol("amount"), .i128(1)), (.u32(0), .void)],
        [(.symbol("amount"), .i128(1)), (.vec([.symbol("x")]), .void)],
        [(.text("amount"), .i128(1))],
        [(.symbol("Amount"), .i128(1))],
        [(.symbol("amount"), .i64(1))],
        [(.symbol("amount"), .vec([.i128(1)]))],
        [],
    ]

    @Test(arguments: notStrict.indices)
    func mapThatIsNotStrictGivesNoRow(index: Int) throws {
        let entries = Self.notStrict[index]
        let approval = entries + [(.symbol("live_until_ledger"), .u32(1))]
        let (rows, ignored) = try LedgerBuilder(
            Event("burn", [from], .map(entries)), Event("clawback", [from], .map(entries)),
            Event("clawback", [admin, from], .map(entries)),
            Event("approve", [from, to], .map(approval)), Event("approve", [from, to], .map(approval.reversed()))
        ).process("SEP41")
        #expect(rows.isEmpty)
        #expect(ignored.map(\.reason) == Array(repeating: .dataShape, count: 5))
    }

    /// A transfer's and a mint's map is not strict: what is no symbol is passed over, of two equals the last counts.
    @Test func mapsOfTransferAndMintNeedNotBeStrict() throws {
        let entries: [(Value, Value)] = [
            (.symbol("amount"), .u64(1)), (.u32(1), .void), (.symbol("amount"), .i128(4)), (.text("amount"), .void),
        ]
        let rows = try rows(Event("transfer", [from, to], .map(entries)), Event("mint", [to], .map(entries)))
        #expect(rows.map(\.amount) == ["4", "4", "4"])
    }

    /// Keys in no order, a hundred thousand of them: time grows with their number, not its square.
    @Test func hugeStrictMapIsWalkedOnce() throws {
        var entries: [(Value, Value)] = (0..<100_000).map { (.symbol(String($0, radix: 36)), .void) }
        entries.append((.symbol("amount"), .i128(6)))
        #expect(try rows(Event("burn", [from], .map(entries))).map(\.amount) == ["6"])
        entries.append((.symbol("0"), .void))
        #expect(try LedgerBuilder(Event("burn", [from], .map(entries))).process("SEP41").rows.isEmpty)
    }

    static let malformed: [(Event, IgnoredReason)] = [
        (Event("transfer", [], .i128(1)), .topicCount),
        (Event("transfer", [from], .i128(1)), .topicCount),
        (Event("transfer", [from, to, .text("USDC:G")], .i128(1)), .topicCount),
        (Event("transfer", [from, .u32(1)], .i128(1)), .topicType),
        (Event("transfer", [.symbol("x"), to], .i128(1)), .topicType),
        (Event("transfer", [from, to], .void), .dataShape),
        (Event("transfer", [from, to], .u64(1)), .dataShape),
        (Event("transfer", [from, to], .u128(1)), .dataShape),
        (Event("transfer", [from, to], .vec([.i128(1)])), .dataShape),
        (Event("transfer", [from, to], .map([])), .dataShape),
        (Event("transfer", [from, to], .absentMap), .dataShape),
        (Event("transfer", [from, to], .absentVec), .dataShape),
        (Event("transfer", [from, to], .fields(("amount", .u64(1)))), .dataShape),
        (Event("transfer", [from, to], .fields(("to_muxed_id", .u64(1)))), .dataShape),
        (Event("transfer", [from, to], .fields(("amoun", .i128(1)), ("amounts", .i128(1)))), .dataShape),
        (Event("transfer", [from, to], .map([(.text("amount"), .i128(1))])), .dataShape),
        (Event("mint", [], .i128(1)), .topicCount),
        (Event("mint", [admin, to, from], .i128(1)), .topicCount),
        (Event("mint", [.u32(1)], .i128(1)), .topicType),
        (Event("mint", [.u32(1), to], .i128(1)), .topicType),
        (Event("mint", [admin, .void], .i128(1)), .topicType),
        (Event("mint", [to], .u64(1)), .dataShape),
        (Event("burn", [], .i128(1)), .topicCount),
        (Event("burn", [admin, from], .i128(1)), .topicCount),
        (Event("burn", [.u32(1)], .i128(1)), .topicType),
        (Event("burn", [from], .u64(1)), .dataShape),
        (Event("burn", [from], .absentMap), .dataShape),
        (Event("burn", [from], .vec([.i128(1)])), .dataShape),
        (Event("burn", [admin, from], .fields(("amount", .i128(1)))), .topicCount),
        (Event("clawback", [.u32(1), from], .fields(("amount", .i128(1)))), .topicType),
        (Event("clawback", [], .i128(1)), .topicCount),
        (Event("clawback", [admin, from, to], .i128(1)), .topicCount),
        (Event("clawback", [.u32(1), from], .i128(1)), .topicType),
        (Event("approve", [from], .vec([.i128(1), .u32(1)])), .topicCount),
        (Event("approve", [from, to, admin], .vec([.i128(1), .u32(1)])), .topicCount),
        (Event("approve", [from, .u32(1)], .vec([.i128(1), .u32(1)])), .topicType),
        (Event("approve", [from, to], .vec([.i128(1)])), .dataShape),
        (Event("approve", [from, to], .vec([.i128(1), .u32(1), .u32(1)])), .dataShape),
        (Event("approve", [from, to], .vec([.i128(1), .u64(1)])), .dataShape),
        (Event("approve", [from, to], .vec([.u32(1), .i128(1)])), .dataShape),
        (Event("approve", [from, to], .absentVec), .dataShape),
        (Event("approve", [from, to], .fields(("amount", .i128(1)), ("live_until_ledger", .u64(1)))), .dataShape),
        (Event("approve", [from, to], .fields(("amount", .u128(1)), ("live_until_ledger", .u32(1)))), .dataShape),
        (Event("approve", [from, to], .fields(("amount", .i128(1)))), .dataShape),
        (Event("approve", [from, to], .fields(("live_until_ledger", .u32(1)))), .dataShape),
        (Event("approve", [from], .fields(("amount", .i128(1)), ("live_until_ledger", .u32(1)))), .topicCount),
        (Event("approve", [from, to], .i128(1)), .dataShape),
        (Event("price_update", [from, to], .i128(1)), .unknownName),
        (Event("Transfer", [from, to], .i128(1)), .unknownName),
        (Event("transfers", [from, to], .i128(1)), .unknownName),
        (Event("", [from, to], .i128(1)), .unknownName),
        (Event(topics: [], .i128(1)), .noName),
        (Event(topics: [.text("transfer"), from, to], .i128(1)), .noName),
    ]

    @Test(arguments: malformed.indices)
    func malformedEventGivesNoRowAndDoesNotStopTheLedger(index: Int) throws {
        let (event, reason) = Self.malformed[index]
        let good = Event("burn", [from], .i128(1))
        let (rows, ignored) = try LedgerBuilder(good, event, good).process("SEP41")
        #expect(rows.map(\.stateChangeID) == [0x100_0000_0001, 0x100_0000_0002])
        #expect(ignored.map(\.reason) == [reason])
        #expect(ignored.map(\.operation) == [1])
    }
}
