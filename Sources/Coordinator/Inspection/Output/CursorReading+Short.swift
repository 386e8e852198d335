import Store

extension CursorReading {
    /// The ledger; nil where there is none.
    var number: UInt32? { if case .ledger(let number) = self { number } else { nil } }

    /// For the cell of a table.
    var shortText: String {
        switch self {
        case .missing: "-"
        case .ledger(let number): "\(number)"
        case .malformed: "malformed"
        }
    }
}
