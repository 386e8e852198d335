import StateChanges
import Store

/// COPY BINARY tuples of state changes, made without the code under test.
enum Tuples {
    /// Some DEBITs per ledger.
    static func debits(ledgers: ClosedRange<UInt32>, perLedger: Int = 1, base: Int64 = 1 << 40, category: String = "BALANCE") -> [UInt8] {
        var bytes: [UInt8] = []
        for ledger in ledgers {
            for ordinal in 0..<perLedger { append(ledger: ledger, ordinal: ordinal, base: base, category: category, to: &bytes) }
        }
        return bytes
    }

    /// Those of a protocol in one chunk.
    static func rows(
        _ id: ProtocolID, ledgers: ClosedRange<UInt32>, perLedger: Int = 1, base: Int64 = 1 << 40
    ) -> StateChangeRows {
        .init(id, rowCount: ledgers.count * perLedger, chunks: [debits(ledgers: ledgers, perLedger: perLedger, base: base)])
    }

    private static func append(ledger: UInt32, ordinal: Int, base: Int64, category: String, to bytes: inout [UInt8]) {
        let transaction = Int64(ledger) << 32 | 1 << 12
        // Spread over accounts as those of real ledgers are.
        var account = [UInt8](repeating: 0, count: 33)
        account[0] = 0x30
        let number = (UInt64(ledger) &* 2_654_435_761 &+ UInt64(ordinal)) &* 0x9e37_79b9_7f4a_7c15
        for index in 0..<8 { account[1 + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index)) }
        put(Int16(13), to: &bytes)
        field(transaction, to: &bytes)
        field(transaction | 1, to: &bytes)
        field(base + Int64(ordinal) + 1, to: &bytes)
        field(Array(category.utf8), to: &bytes)
        field(Array("DEBIT".utf8), to: &bytes)
        field(Int32(truncatingIfNeeded: ledger), to: &bytes)
        field(account, to: &bytes)
        field([0x10] + [UInt8](repeating: 7, count: 32), to: &bytes)
        field(Array("1234567".utf8), to: &bytes)
        field(nil, to: &bytes)
        field([1] + Array("{\"token_id\": \"7\"}".utf8), to: &bytes)
        field(nil, to: &bytes)
        field(Int64(ledger) * 5_000_000, to: &bytes)
    }

    private static func put(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    private static func field(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        put(Int32(value.bitWidth / 8), to: &bytes)
        put(value, to: &bytes)
    }

    private static func field(_ value: [UInt8]?, to bytes: inout [UInt8]) {
        put(Int32(value?.count ?? -1), to: &bytes)
        bytes += value ?? []
    }
}
