/// How a protocol left the migration.
enum Outcome: Sendable, Equatable {
    /// Live ingestion took the cursor over.
    case handoff(at: UInt32)
    /// Caught up, and nobody else moves the cursor.
    case converged(at: UInt32)
    /// It cannot go on; the text says why.
    case failed(String)

    /// The ledger up to which its history is complete; nil where it failed.
    var reached: UInt32? {
        switch self {
        case .handoff(let ledger), .converged(let ledger): ledger
        case .failed: nil
        }
    }

    /// The word for logs, metrics and the summary.
    var word: String {
        switch self {
        case .handoff: "HANDOFF"
        case .converged: "CONVERGED"
        case .failed: "FAILED"
        }
    }
}

/// What stops the whole run.
enum RunStopped: Error, Sendable, CustomStringConvertible {
    /// A cause that lies in the work: the run fails.
    case failure(String)
    /// SIGINT or SIGTERM.
    case signal(name: String, exitCode: Int32)

    var description: String {
        switch self {
        case .failure(let cause): cause
        case .signal(let name, _): "received \(name)"
        }
    }
}
