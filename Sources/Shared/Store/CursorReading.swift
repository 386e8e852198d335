/// What stands in `ingest_store` under a cursor's key.
public enum CursorReading: Sendable, Hashable, CustomStringConvertible {
    /// There is no such row.
    case missing
    /// A ledger number, 0 included.
    case ledger(UInt32)
    /// A text that is not the canonical decimal form of a ledger number, from 0 to 2147483647 (`ledger_number` is a PostgreSQL integer).
    case malformed(String)

    /// Reads the text of a cursor; nil for a missing row.
    ///
    /// Only the canonical form counts (no sign, no leading zeros, no spaces): cursors are swapped by comparing text, and a swap would never find any
    /// other form.
    public init(_ text: String?) {
        guard let text else {
            self = .missing
            return
        }
        guard let number = Int32(text), number >= 0, String(number) == text else {
            self = .malformed(text)
            return
        }
        self = .ledger(UInt32(number))
    }

    /// The ledger number; nil for a missing row. Throws `malformedCursor`, naming the key.
    public func ledger(ofKey key: String) throws(StoreError) -> UInt32? {
        switch self {
        case .missing: nil
        case .ledger(let number): number
        case .malformed(let text): throw .malformedCursor(key: key, value: text)
        }
    }

    /// For messages.
    public var description: String {
        switch self {
        case .missing: "missing"
        case .ledger(let number): "\(number)"
        case .malformed(let text): "'\(text)' (not a ledger number)"
        }
    }
}
