/// Why bytes are not the XDR value that they should be.
public struct XDRError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong at the offset.
    public enum Reason: Equatable, Sendable {
        /// The bytes end inside the field.
        case unexpectedEnd(needed: Int, remaining: Int)
        /// A union has no arm of this number.
        case badDiscriminant(Int32)
        /// An enum has no such value.
        case badEnumValue(Int32)
        /// A bool that is neither 0 nor 1.
        case badBool(UInt32)
        /// The word before an optional value is neither 0 nor 1.
        case badOptionalFlag(UInt32)
        /// A string or array is longer than its type allows.
        case lengthExceedsMax(length: UInt32, max: UInt32)
        /// A string or array is longer than all that is left.
        case lengthExceedsInput(length: UInt32, remaining: Int)
        /// A string or opaque value is not filled up with zeros.
        case nonZeroPadding
        /// Values of a recursive type are nested too deeply.
        case depthLimitExceeded(limit: Int)
        /// The value ends before the bytes do.
        case trailingBytes(Int)
        /// A version of LedgerCloseMeta or TransactionMeta that this build does not know.
        case unsupportedVersion(Int32)
        /// First and last ledger and number of ledgers of a batch do not agree.
        case badBatchRange(start: UInt32, end: UInt32, count: UInt32)
    }

    // One reference: an error costs the walk, which returns through hundreds of throwing calls per ledger, one register.
    private final class Details: Sendable {
        let offset: Int
        let field: StaticString
        let reason: Reason
        let ledger: UInt32?
        let transaction: Int?

        init(offset: Int, field: StaticString, reason: Reason, ledger: UInt32?, transaction: Int?) {
            self.offset = offset
            self.field = field
            self.reason = reason
            self.ledger = ledger
            self.transaction = transaction
        }
    }

    private let details: Details

    @inline(never)
    init(_ reason: Reason, _ offset: Int, _ field: StaticString, ledger: UInt32? = nil, transaction: Int? = nil) {
        details = Details(offset: offset, field: field, reason: reason, ledger: ledger, transaction: transaction)
    }

    /// Where the wrong field, or the run of fields of fixed size that it is part of, begins: bytes from the start of the value.
    public var offset: Int { details.offset }

    /// The field, after its XDR type: `LedgerEntry.data.type`. Of a run of fields of fixed size that is cut off, the first.
    public var field: String { details.field.description }

    /// What is wrong there.
    public var reason: Reason { details.reason }

    /// The ledger, once its header has been read.
    public var ledger: UInt32? { details.ledger }

    /// The transaction, from 1 in apply order, if the offset lies in its result or meta.
    public var transaction: Int? { details.transaction }

    /// Whether the bytes end before the value does. More bytes behind them may help: a value that was cut off, wherever, always ends early. If
    /// there are no more, they are damaged, for a length that was forged looks the same.
    public var endsEarly: Bool {
        switch reason {
        case .unexpectedEnd, .lengthExceedsInput: true
        default: false
        }
    }

    /// The same error, said of a ledger. A ledger that is already known stays.
    public func inLedger(_ ledger: UInt32) -> XDRError {
        XDRError(reason, offset, details.field, ledger: self.ledger ?? ledger, transaction: transaction)
    }

    func inTransaction(_ transaction: Int) -> XDRError {
        XDRError(reason, offset, details.field, ledger: ledger, transaction: transaction)
    }

    /// Whether two errors say the same of the same place.
    public static func == (a: XDRError, b: XDRError) -> Bool {
        a.offset == b.offset && a.field == b.field && a.reason == b.reason && a.ledger == b.ledger && a.transaction == b.transaction
    }

    /// One line: ledger and transaction where known, field, offset, and what is wrong.
    public var description: String {
        var place = ""
        if let ledger { place += "ledger \(ledger), " }
        if let transaction { place += "transaction \(transaction), " }
        return "\(place)\(field) at byte \(offset): \(reason.text)"
    }
}

extension XDRError.Reason {
    fileprivate var text: String {
        switch self {
        case .unexpectedEnd(let needed, let remaining): "\(needed) bytes expected, \(remaining) left"
        case .badDiscriminant(let value): "no such case: \(value)"
        case .badEnumValue(let value): "no such value: \(value)"
        case .badBool(let value): "a bool is 0 or 1, not \(value)"
        case .badOptionalFlag(let value): "the flag of an optional value is 0 or 1, not \(value)"
        case .lengthExceedsMax(let length, let max): "length \(length) exceeds the greatest of the type, \(max)"
        case .lengthExceedsInput(let length, let remaining): "length \(length) exceeds what the \(remaining) bytes left can hold"
        case .nonZeroPadding: "padding is not zero"
        case .depthLimitExceeded(let limit): "nested more than \(limit) deep"
        case .trailingBytes(let count): "\(count) bytes left over"
        case .unsupportedVersion(let version): "version \(version) is not supported"
        case .badBatchRange(let start, let end, let count): "a batch from ledger \(start) to ledger \(end) does not hold \(count) ledgers"
        }
    }
}

// Each is a function of its own that is never inlined: building an error then takes the hot path no more than a call that it does not make.
extension XDRError {
    @inline(never)
    static func unexpectedEnd(_ at: Int, needed: Int, remaining: Int, _ field: StaticString) -> XDRError {
        XDRError(.unexpectedEnd(needed: needed, remaining: remaining), at, field)
    }

    @inline(never)
    static func badDiscriminant(_ value: Int32, _ at: Int, _ field: StaticString) -> XDRError {
        XDRError(.badDiscriminant(value), at, field)
    }

    @inline(never)
    static func badEnumValue(_ value: Int32, _ at: Int, _ field: StaticString) -> XDRError {
        XDRError(.badEnumValue(value), at, field)
    }

    @inline(never)
    static func badOptionalFlag(_ value: UInt32, _ at: Int, _ field: StaticString) -> XDRError {
        XDRError(.badOptionalFlag(value), at, field)
    }

    @inline(never)
    static func lengthExceedsMax(_ length: UInt32, max: UInt32, _ at: Int, _ field: StaticString) -> XDRError {
        XDRError(.lengthExceedsMax(length: length, max: max), at, field)
    }

    @inline(never)
    static func lengthExceedsInput(_ length: UInt32, remaining: Int, _ at: Int, _ field: StaticString) -> XDRError {
        XDRError(.lengthExceedsInput(length: length, remaining: remaining), at, field)
    }
}
