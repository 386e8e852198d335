/// Writes XDR by hand: the smallest ledgers that can show what a test is about.
enum XDR {
    static func word(_ value: Int) -> [UInt8] {
        let bits = UInt32(truncatingIfNeeded: value)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bits >> $0) }
    }

    static func words(_ values: Int...) -> [UInt8] { values.flatMap(word) }

    static func list(_ elements: [[UInt8]]) -> [UInt8] { word(elements.count) + elements.joined() }

    static let hash = [UInt8](repeating: 7, count: 32)

    /// SCVal
    enum Value {
        static let void = word(1)
        static let transfer = words(15, 8) + Array("transfer".utf8)

        /// A vector in a vector in a vector ..., `depth` values in all, the innermost one void.
        static func nested(_ depth: Int) -> [UInt8] {
            (1..<depth).flatMap { _ in words(16, 1, 1) } + void
        }
    }

    /// ContractEvent of a contract.
    static func event(topics: [[UInt8]] = [Value.transfer], data: [UInt8] = Value.void, type: Int = 1, bodyVersion: Int = 0) -> [UInt8] {
        words(0, 1) + hash + words(type, bodyVersion) + list(topics) + data
    }

    /// OperationResult
    enum Result {
        static let invoked = words(0, 24, 0) + hash
        static let trapped = words(0, 24, -2)
        static let paid = words(0, 1, 0)
        static let badAuth = word(-1)
    }

    /// TransactionResult
    enum Outcome {
        static func success(_ operations: [[UInt8]]) -> [UInt8] { words(0, 100, 0) + list(operations) + word(0) }
        static func failed(_ operations: [[UInt8]]) -> [UInt8] { words(0, 100, -1) + list(operations) + word(0) }
        static func feeBump(_ code: Int, inner: Int, _ operations: [[UInt8]]) -> [UInt8] {
            words(0, 100, code) + hash + words(0, 0, inner) + list(operations) + words(0, 0)
        }
        static let tooLate = words(0, 100, -3, 0)
    }

    /// TransactionMeta
    enum Meta {
        static let v0 = words(0, 0)
        static let v1 = words(1, 0, 0)
        static let v2 = words(2, 0, 0, 0)

        static func v3(_ events: [[UInt8]]) -> [UInt8] {
            words(3, 0, 0, 0, 0, 1, 0) + list(events) + Value.void + word(0)
        }

        /// A meta with the events of each operation, and events of the transaction itself.
        static func v4(_ operations: [[[UInt8]]], transactionEvents: [[UInt8]] = []) -> [UInt8] {
            words(4, 0, 0) + list(operations.map { words(0, 0) + list($0) }) + words(0, 0)
                + list(transactionEvents.map { word(0) + $0 }) + word(0)
        }
    }

    /// TransactionResultMetaV1, as LedgerCloseMeta V2 has it; in V0 and V1 without the first and the last word.
    static func transaction(_ outcome: [UInt8], _ meta: [UInt8], feeChanges: [UInt8] = word(0), version: Int = 2) -> [UInt8] {
        let body = hash + outcome + feeChanges + meta
        return version == 2 ? word(0) + body + word(0) : body
    }

    /// LedgerCloseMeta with ledger number 1234, closed at 1700000000.
    static func ledger(_ transactions: [[UInt8]], version: Int = 2, scpInfo: [[UInt8]] = []) -> [UInt8] {
        let zeros = { [UInt8](repeating: 0, count: $0) }
        let header =
            word(23) + hash + hash + words(0, 1_700_000_000, 0, 0) + hash + hash + word(1234)
            + zeros(8 + 8 + 4 + 8 + 4 + 4 + 4 + 4 * 32 + 4)
        let entry = hash + header + word(0)
        let transactionSet = version == 0 ? hash + word(0) : word(1) + hash + word(0)
        let end = version == 0 ? [] : version == 1 ? words(0, 0, 0, 0) : words(0, 0, 0)
        return word(version) + (version == 0 ? [] : word(0)) + entry + transactionSet + list(transactions) + word(0) + list(scpInfo) + end
    }

    /// A ledger with one event that counts.
    static func ledger(event: [UInt8]) -> [UInt8] {
        ledger([transaction(Outcome.success([Result.invoked]), Meta.v4([[event]]))])
    }
}
