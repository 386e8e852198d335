import LedgerSources
import Logging

/// The network's tip as the RPC knows it: told to the operator while the migration waits, decides nothing.
struct NetworkTip: Sendable {
    let rpc: StellarRPC
    let logger: Logger

    /// The RPC's latest ledger; nil where it does not answer now.
    func latest() async -> UInt32? {
        do {
            return try await rpc.health(within: .seconds(1)).latestLedger
        } catch {
            logger.debug("the RPC does not tell its tip", metadata: ["cause": "\(error)"])
            return nil
        }
    }
}
