public import StateChanges
public import StellarXDR

/// Why a ledger could not be turned into rows. Nothing of the ledger is kept then.
public struct LedgerProcessingError: Error, Sendable, CustomStringConvertible {
    /// What went wrong.
    public enum Cause: Sendable {
        /// The bytes are no ledger, or one of a version that is not known.
        case xdr(XDRError)
        /// A ledger, transaction or operation number that does not fit its bits in `operation_id` (see ``OperationID``).
        case numberTooBig(transaction: Int, operation: Int)
        /// A close time (Unix seconds) that PostgreSQL's timestamps do not reach.
        case closeTime(UInt64)
        /// A protocol was asked for that this build has no processor for.
        case unknownProtocol(ProtocolID)
    }

    /// The ledger, as far as it is known.
    public let ledger: UInt32?
    /// What went wrong.
    public let cause: Cause

    init(ledger: UInt32?, _ cause: Cause) {
        self.ledger = ledger
        self.cause = cause
    }

    /// Whether the same ledger will fail again wherever it comes from, so that no further attempt is worth making: this build does not know
    /// a version in it, or its rows have no place in the database. Other XDR errors may be a response damaged on its way.
    public var isPermanent: Bool {
        switch cause {
        case .xdr(let error):
            if case .unsupportedVersion = error.reason { true } else { false }
        case .numberTooBig, .closeTime, .unknownProtocol: true
        }
    }

    /// The same error, said of the ledger that was asked for. A number that was read from the ledger itself stays: bytes whose beginning is
    /// not understood, as of an unknown version, do not tell their number.
    public func inLedger(_ asked: UInt32) -> LedgerProcessingError {
        LedgerProcessingError(ledger: ledger ?? asked, cause)
    }

    /// Ledger and cause in words.
    public var description: String {
        switch cause {
        case .xdr(let error):
            "cannot read \(name): \(error)"
        case .numberTooBig(let transaction, let operation):
            "\(name), transaction \(transaction), operation \(operation): a number does not fit operation_id, whose limits are ledger "
                + "\(OperationID.maxLedger), transaction \(OperationID.maxTransaction), operation \(OperationID.maxOperation)"
        case .closeTime(let seconds):
            "\(name): close time \(seconds) (Unix seconds) is beyond what PostgreSQL's timestamps hold"
        case .unknownProtocol(let id):
            "no processor for protocol \(id) in this build, which knows \(ProtocolRegistry.ids.map(\.rawValue).joined(separator: ", "))"
        }
    }

    private var name: String { ledger.map { "ledger \($0)" } ?? "a ledger of unknown number" }
}
