/// What can keep the simulator from starting or from making ledgers.
public enum SimulatorError: Error, Equatable, CustomStringConvertible {
    /// The folder cannot be read or holds no ledger files; `reason` says which.
    case folder(path: String, reason: String)
    /// A file of the folder is not the ledger that its name promises.
    case ledgerFile(path: String, reason: String)
    /// The ledgers asked for are not among those that there are.
    case range(String)
    /// The address could not be bound.
    case bind(host: String, port: Int, reason: String)
    /// A file could not be written.
    case write(path: String, reason: String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .folder(let path, let reason): "ledger folder \(path): \(reason)"
        case .ledgerFile(let path, let reason): "ledger file \(path): \(reason)"
        case .range(let reason): reason
        case .bind(let host, let port, let reason):
            "cannot listen on \(host):\(port): \(reason); choose another --port (0 takes a free one)"
        case .write(let path, let reason): "cannot write \(path): \(reason)"
        }
    }
}
