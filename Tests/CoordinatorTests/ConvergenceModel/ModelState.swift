/// The whole world at one moment.
struct ModelState: Sendable {
    var database: ModelDatabase
    var live = ModelLiveIngestion()
    var migration = ModelMigration()
    /// The writer of the coordinator that runs.
    var writer = ModelWriter()
    /// A writer that was given up, or whose coordinator has gone. There is never more than one, because the next writer waits for its end; here it
    /// does so even where they have no protocol in common, and then neither could tell.
    var orphan = ModelWriter()

    init(rules: ModelRules) { database = ModelDatabase(latest: rules.oldest - 1) }

    /// Where the row of a history cursor is locked by a transaction that has moved it, or is about to.
    func lockedByLiveIngestion(_ set: ProtocolSet) -> Bool { !live.swapped.isDisjoint(with: set) }
    func lockedByWriters(_ set: ProtocolSet) -> Bool {
        !writer.transaction.protocols.isDisjoint(with: set) || !orphan.transaction.protocols.isDisjoint(with: set)
    }
}

extension ModelState: Hashable {
    static func == (left: ModelState, right: ModelState) -> Bool {
        left.database == right.database && left.live == right.live && left.migration == right.migration && left.writer == right.writer
            && left.orphan == right.orphan
    }

    /// All members are bytes, so there is no padding, and one pass over the memory is much faster than one call per member.
    func hash(into hasher: inout Hasher) { withUnsafeBytes(of: self) { hasher.combine(bytes: $0) } }
}

extension ModelState: CustomStringConvertible {
    var description: String {
        let cursors = (0..<2).map { index in
            let cursor = database.cursors[index]
            return "\(ModelStep.name(index))=\(cursor == 0 ? "-" : "\(cursor)")/\(database.statuses[index])"
        }
        let lock = live.phase == .off ? "off" : "\(live.phase)"
        return "latest \(database.latest), \(cursors.joined(separator: " ")), live \(lock), migration \(migration.phase)"
    }
}
