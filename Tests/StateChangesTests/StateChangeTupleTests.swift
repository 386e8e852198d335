import StateChanges
import StellarXDR
import TestSupport
import Testing

@Suite struct StateChangeTupleTests {
    /// Three rows of ledger 7, with and without optional fields.
    private let tuples: [UInt8]
    private let rowStarts: [Int]

    init() {
        var encoder = StateChangeEncoder()
        var starts: [Int] = []
        for row in Samples.rows {
            starts.append(encoder.tuples.count)
            row(&encoder)
        }
        tuples = encoder.tuples
        rowStarts = starts
    }

    private func failure(_ bytes: [UInt8], rows: Int = 3, ledgers: ClosedRange<UInt32> = 7...7) -> TupleError? {
        do throws(TupleError) {
            try StateChangeTuple.check(bytes.span.bytes, expectedRows: rows, ledgers: ledgers)
            return nil
        } catch {
            return error
        }
    }

    /// Where the length of a field is, found by stepping.
    private func offset(ofColumn name: String, row: Int) throws -> Int {
        var at = rowStarts[row] + 2
        for _ in 0..<(try #require(StateChangeTuple.columns.firstIndex(of: name))) {
            let length = tuples[at..<at + 4].reduce(0 as UInt32) { ($0 << 8) | UInt32($1) }
            at += 4 + max(0, Int(Int32(bitPattern: length)))
        }
        return at
    }

    private func with(_ number: Int32, at offset: Int) -> [UInt8] {
        var bytes = tuples
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: number >> Int32(24 - 8 * index)) }
        return bytes
    }

    @Test func whatTheEncoderMakesIsRight() {
        #expect(failure(tuples) == nil)
        #expect(failure(tuples, ledgers: 0 ... .max) == nil)
        #expect(failure([], rows: 0) == nil)
    }

    @Test func theTimesOfRowsAreFound() throws {
        #expect(try StateChangeTuple.check([UInt8]().span.bytes, expectedRows: 0, ledgers: 7...7) == nil)
        let time = Samples.position.createdAt
        #expect(try StateChangeTuple.check(tuples.span.bytes, expectedRows: 3, ledgers: 7...7) == time...time)
        var bytes = tuples
        // Days apart: the highest of the eight bytes that differ.
        bytes[try offset(ofColumn: "ledger_created_at", row: 0) + 4 + 2] += 1
        bytes[try offset(ofColumn: "ledger_created_at", row: 2) + 4 + 2] -= 1
        let day = Int64(1) << 40
        #expect(try StateChangeTuple.check(bytes.span.bytes, expectedRows: 3, ledgers: 7...7) == (time - day)...(time + day))
    }

    @Test func ledgersAreFoundInTuples() throws {
        var encoder = StateChangeEncoder()
        for (ledger, count) in [(7, 2), (9, 1), (10, 3)] as [(UInt32, Int)] {
            let toID = Int64(ledger) << 32 | 4096
            let position = StateChangeEncoder.Position(
                ledger: ledger, createdAt: Int64(ledger) * 5_000_000, toID: toID, operationID: toID | 1)
            for id in 0..<count {
                encoder.append(
                    .balance, .burn, at: position, id: Int64(id), account: Samples.account, token: Samples.token,
                    amount: DecimalText(UInt64(ledger)), spender: nil, keyValue: KeyValueText(), toMuxedID: nil)
            }
        }
        let runs = try StateChangeTuple.runs(in: encoder.tuples.span.bytes, ledgers: 1...20)
        #expect(runs.map(\.ledger) == [7, 9, 10])
        #expect(runs.map(\.rows) == [2, 1, 3])
        #expect(runs.map(\.times) == [7, 9, 10].map { $0 * 5_000_000...$0 * 5_000_000 })
        #expect(runs.reduce(0) { $0 + $1.byteCount } == encoder.tuples.count)
        #expect(runs[0].byteCount == 2 * runs[1].byteCount, "a row of ledger 7 is as long as one of ledger 9")
        #expect(throws: TupleError.self) { try StateChangeTuple.runs(in: encoder.tuples.span.bytes, ledgers: 1...9) }
        #expect(try StateChangeTuple.runs(in: [UInt8]().span.bytes, ledgers: 1...9).isEmpty)
    }

    @Test func everyCutIsFound() {
        for count in 0..<tuples.count {
            let error = failure(Array(tuples[..<count]))
            if rowStarts.contains(count) {
                #expect(error?.reason == .rowCount(expected: 3))
            } else {
                #expect(error?.reason == .cutOff)
            }
        }
    }

    @Test func rowCountMustBeExact() {
        #expect(failure(tuples, rows: 2)?.reason == .rowCount(expected: 2))
        #expect(failure(tuples, rows: 4)?.reason == .rowCount(expected: 4))
        #expect(failure(tuples, rows: 0)?.reason == .rowCount(expected: 0))
        #expect(failure(tuples, rows: -1)?.reason == .rowCount(expected: -1))
        #expect(failure([], rows: 1)?.reason == .rowCount(expected: 1))
    }

    @Test func leftoversAreRefused() {
        #expect(failure(tuples + [0])?.reason == .rowCount(expected: 3))
        #expect(failure(tuples + [0], rows: 4)?.reason == .cutOff)
        // A trailer of COPY would end it before the rows of others that follow.
        #expect(failure(tuples + [0xFF, 0xFF] + [UInt8](repeating: 0, count: 200), rows: 4)?.reason == .fieldCount(0xFFFF))
    }

    @Test func fieldCountMustBeThirteen() {
        for (high, low) in [(0, 12), (0, 14), (0, 0), (1, 13), (0xFF, 0xFF)] as [(UInt8, UInt8)] {
            var bytes = tuples
            bytes[rowStarts[1]] = high
            bytes[rowStarts[1] + 1] = low
            let error = failure(bytes)
            #expect(error?.reason == .fieldCount(Int(high) * 256 + Int(low)))
            #expect(error?.row == 1)
            #expect(error?.offset == rowStarts[1])
        }
    }

    @Test(arguments: StateChangeTuple.columns)
    func lengthsMustBeThoseOfTheColumn(column: String) throws {
        let at = try offset(ofColumn: column, row: 1)
        let index = try #require(StateChangeTuple.columns.firstIndex(of: column))
        for length in [-2, Int32.min, Int32.max, 0, 5000] as [Int32] {
            let reason = failure(with(length, at: at))?.reason
            let wrongLength = TupleError.Reason.length(length, column: index)
            #expect(reason == wrongLength || reason == .cutOff)
            if length <= 0 { #expect(reason == wrongLength) }
        }
        // Null where it must not be.
        if !["token_id", "amount", "spender_account_id", "key_value", "to_muxed_id"].contains(column) {
            #expect(failure(with(-1, at: at))?.reason == .length(-1, column: index))
        }
    }

    @Test func ledgersMustBeThoseOfTheRange() throws {
        #expect(failure(tuples, ledgers: 8...9)?.reason == .ledger(7, allowed: 8...9))
        #expect(failure(tuples, ledgers: 0...6)?.reason == .ledger(7, allowed: 0...6))
        for column in ["to_id", "operation_id", "ledger_number"] {
            let at = try offset(ofColumn: column, row: 2) + 4
            let error = failure(with(8, at: at), ledgers: 7...8)
            #expect(error?.row == 2)
            guard case .ledger = error?.reason else { Issue.record("\(column): \(String(describing: error))"); continue }
        }
    }

    @Test func jsonbMustBeOfVersionOne() throws {
        var bytes = tuples
        bytes[try offset(ofColumn: "key_value", row: 2) + 4] = 2
        #expect(failure(bytes)?.reason == .jsonVersion)
    }

    @Test func messagesNameRowOffsetAndColumn() throws {
        let at = try offset(ofColumn: "account_id", row: 1)
        #expect(
            failure(with(32, at: at))?.description
                == "malformed rows of state changes: row 1 at byte \(at): length 32 of account_id")
    }

    /// Random damage: never a crash, and what is accepted still decodes to so many rows of such ledgers.
    @Test func randomDamage() throws {
        var generator = SeededRandom(seed: 1)
        var accepted = 0
        for _ in 0..<100_000 {
            var bytes = tuples
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[Int.random(in: bytes.indices, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
                case 1: bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
                case 2: bytes.remove(at: Int.random(in: bytes.indices, using: &generator))
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: Int.random(in: bytes.indices, using: &generator))
                }
            }
            guard failure(bytes) == nil else { continue }
            accepted += 1
            var decoder = RowCounter(rest: bytes[...])
            #expect(decoder.count() == 3)
        }
        // Damage inside of texts and keys is not for the checker to see.
        #expect(accepted > 1000)
        #expect(accepted < 99_000)
    }
}

/// Counts rows by their framing alone.
private struct RowCounter {
    var rest: ArraySlice<UInt8>

    mutating func count() -> Int? {
        var rows = 0
        while !rest.isEmpty {
            guard number(2) == 13 else { return nil }
            for _ in 0..<13 {
                guard let length = number(4), length == 0xFFFF_FFFF || length <= rest.count else { return nil }
                if length != 0xFFFF_FFFF { rest = rest.dropFirst(length) }
            }
            rows += 1
        }
        return rows
    }

    private mutating func number(_ size: Int) -> Int? {
        guard rest.count >= size else { return nil }
        defer { rest = rest.dropFirst(size) }
        return rest.prefix(size).reduce(0 as Int) { ($0 << 8) | Int($1) }
    }
}
