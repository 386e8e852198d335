import LedgerSources
import Logging

/// The network's tip as the RPC knows it: told to the operator while the migration waits, decides nothing, and so must hold nothing up.
struct NetworkTip: Sendable {
    let rpc: StellarRPC
    let logger: Logger
    private static let patience = Duration.seconds(1)

    init(rpc: StellarRPC, logger: Logger) {
        self.rpc = rpc
        self.logger = logger
    }

    /// The RPC's latest ledger; nil where it does not answer within a second.
    func latest() async -> UInt32? {
        await withTaskGroup(of: UInt32?.self) { group in
            group.addTask {
                do {
                    return try await rpc.health(within: .zero).latestLedger
                } catch {
                    logger.debug("the RPC does not tell its tip", metadata: ["cause": "\(error)"])
                    return nil
                }
            }
            group.addTask {
                try? await Task.sleep(for: Self.patience)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}
