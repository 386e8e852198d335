import Logging
import Protocols
import Store

/// Tells the operator what live ingestion does: every ledger at the tip, a line now and then while it catches up, and what becomes of each
/// protocol's history cursor, once.
struct IngestLog: Sendable {
    private enum Place: Equatable {
        /// The cursor goes along with the latest ledger.
        case following
        /// It stands elsewhere.
        case elsewhere
        /// It stands ready, but this build has no processor for its protocol.
        case unknown
        /// Nothing is known yet.
        case unheardOf
    }

    private let logger: Logger
    private var places: [ProtocolID: Place] = [:]
    private var told = ContinuousClock.now
    private var sinceTold = (ledgers: 0, rows: 0)
    private static let interval = Duration.seconds(5)

    init(logger: Logger) { self.logger = logger }

    /// A ledger is committed.
    /// - Parameters:
    ///   - result: nil where the commit's answer was lost.
    ///   - tip: the network's latest ledger, as far as is known.
    mutating func committed(_ ledger: UInt32, _ result: LiveCommit.Result?, tip: UInt32) {
        if let result { tellPlaces(ledger, result) }
        let rows = result?.advanced.values.reduce(0, +) ?? 0
        sinceTold.ledgers += 1
        sinceTold.rows += rows
        let now = ContinuousClock.now
        if ledger >= tip {
            let context: Logger.Metadata = ["ledger": "\(ledger)", "rows": "\(sinceTold.rows)", "ledgers": "\(sinceTold.ledgers)"]
            logger.info("at the tip", metadata: context)
        } else if now - told >= Self.interval {
            let rate = Double(sinceTold.ledgers) / ((now - told) / .seconds(1))
            logger.info(
                "catching up",
                metadata: [
                    "ledger": "\(ledger)", "network_tip": "\(tip)", "behind": "\(tip - ledger)", "rate": "\(rate.rounded()) ledgers/s",
                    "rows": "\(sinceTold.rows)",
                ])
        } else {
            return
        }
        told = now
        sinceTold = (0, 0)
    }

    private mutating func tellPlaces(_ ledger: UInt32, _ result: LiveCommit.Result) {
        for id in result.advanced.keys.sorted() where move(id, to: .following) != nil {
            logger.notice(
                "history cursor taken over: state changes are written from here on",
                metadata: ["protocol": "\(id.rawValue)", "ledger": "\(ledger)"])
        }
        // One that this build has no processor for is told once, as such.
        for (id, cursor) in result.passedBy.sorted(by: { $0.key < $1.key }) where places[id] != .unknown {
            guard let before = move(id, to: .elsewhere) else { continue }
            let context: Logger.Metadata = ["protocol": "\(id.rawValue)", "ledger": "\(ledger)", "cursor": "\(cursor)"]
            if before == .following {
                logger.error(
                    "history cursor was moved away by something else: its state changes are not written any more", metadata: context)
            } else if case .ledger(let cursor) = cursor, cursor < ledger {
                logger.notice("history cursor lags: its ledgers are left to a migration until it has caught up", metadata: context)
            } else {
                logger.error("history cursor is not where any ledger of the past could have put it: left alone", metadata: context)
            }
        }
        for id in result.unknown.sorted() where move(id, to: .unknown) != nil {
            logger.error(
                "history cursor stands ready, but this build has no processor for its protocol: it is left where it is",
                metadata: ["protocol": "\(id.rawValue)", "ledger": "\(ledger)"])
        }
    }

    /// Gives the place before, `.unheardOf` where there was none; nil where it is the same.
    private mutating func move(_ id: ProtocolID, to place: Place) -> Place? {
        guard places[id] != place else { return nil }
        defer { places[id] = place }
        return places[id] ?? .unheardOf
    }
}
