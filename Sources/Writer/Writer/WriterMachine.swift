package import Pipeline
package import StateChanges

/// Decides for the writer: which parts it asks for, what it commits next, when it is ready, and what it reports. A pure state machine: connections, clocks
/// and logs carry its actions out. `Peer` is a fetcher's connection, `Payload` the rows of a part.
///
/// Its memory is bounded by asking: the bytes of all parts asked for or received and not yet committed stay below `budget`, except that the part which
/// comes next is always asked for. Nothing that was not asked for is kept. So it can always go on: whatever fills the budget begins above the part that
/// comes next, and that part waits for nothing.
package struct WriterMachine<Peer: Hashable & Sendable, Payload: Hashable & Sendable>: Hashable, Sendable {
    package typealias Group = ReorderBuffer<Payload>.Group

    /// The limits that the machine keeps.
    package struct Limits: Hashable, Sendable {
        /// Bytes of parts asked for, received or under way.
        package var budget = 64 << 20
        /// Rows and bytes up to which consecutive parts are joined into one transaction.
        package var rowsPerTransaction = 10_000
        package var bytesPerTransaction = 8 << 20
        /// Offers that are kept, of the round under way and of rounds that are still to begin together. Fetchers repeat offers that get no reply.
        package var offers = 10_000

        package init() {}
    }

    /// What can happen to the writer.
    package enum Event: Hashable, Sendable {
        /// The coordinator took it in, for the first time or again; whatever was under way for an earlier registration counts no more.
        case registered(run: RunID, protocols: [ProtocolID])
        /// Another writer is at work: it must not hold the locks.
        case standBy
        /// The coordinator is silent or has forgotten this writer.
        case lost
        case command(WriterCommand)
        /// An offer or a withdrawal; a part comes as `part`.
        case rows(RowsMessage, from: Peer)
        /// A part that was asked for: its rows, or why they cannot be used.
        case part(PartHeader, Result<Payload, UnfitPart>)
        /// The connection that was asked for is there and holds the locks.
        case connected
        /// It could not be had in all the time given to it.
        case unreachable(String)
        /// A transaction is committed that has some of the group under way; others follow.
        case committedInPart(CommitReport)
        /// The group under way is committed.
        case committed(CommitReport)
        /// Nothing of it is committed, unless the connection was lost.
        case commitFailed(CommitFailure)
        /// The database works (nil), or does not.
        case checked(CommitFailure?)
        /// The run is over, or a signal came: the transaction under way may end.
        case stop(String)
    }

    /// What has to be done.
    package enum Action: Hashable, Sendable {
        /// Make a connection that holds the writer's locks of all these protocols; followed by `connected` or `unreachable`.
        case connect(locks: [ProtocolID])
        /// Close the connection.
        case disconnect
        /// Wait, then see whether the database takes transactions; followed by `checked`.
        case check(afterSeconds: Int)
        /// Followed by `committed` or `commitFailed`. `oldestName`: the key of the oldest ledger that is kept.
        case commit(Group, oldestName: String)
        /// Of the group under way only a transaction that has begun still counts.
        case hurry
        case send(WriterMessage)
        case reply(RowsReply, to: Peer)
        case notice(Notice)
        /// End the process.
        case end(reason: String, inGoodOrder: Bool)
    }

    /// A line for the log.
    package struct Notice: Hashable, Sendable {
        package enum Level: Hashable, Sendable { case debug, info, warning, error }
        package let level: Level
        package let text: String
        package var round: RoundNumber?
        package var part: PartHeader?
        package var reason: String?
    }

    private enum Database: Hashable {
        case away
        case connecting([ProtocolID])
        case checking
        case idle
        case committing(registration: Int, round: RoundNumber)
    }

    private struct OfferKey: Hashable {
        let worker: WorkerID
        let number: Int
    }

    private struct Offer: Hashable {
        let header: PartHeader
        var peer: Peer

        var key: OfferKey { OfferKey(worker: header.worker, number: header.number) }
    }

    private let limits: Limits
    private var run: RunID?
    /// Tells registrations apart: a transaction's report goes to the registration that it was begun for.
    private var registration = 0
    private var protocols: [ProtocolID] = []
    private var dead: Set<WorkerID> = []

    /// The last round that was begun; 0 before the first.
    private var round: RoundNumber = 0
    private var isRoundUnderWay = false
    /// The key of the oldest ledger that is kept.
    private var oldestName = ""
    private var buffer = ReorderBuffer<Payload>()
    /// Offers of this round that are not asked for, by first ledger.
    private var offers = LedgerMap<[Offer]>()
    private var offerKeys: [OfferKey: UInt32] = [:]
    /// Offers of rounds that are still to begin: a fetcher may hear of a round, and be done with a part of it, before the writer does.
    private var early: [OfferKey: Offer] = [:]
    /// What was asked for and has not come, by its key and by first ledger.
    private var asked: [OfferKey: PartHeader] = [:]
    private var askedByLedger = LedgerMap<[OfferKey]>()
    private var askedBytes = 0

    private var database = Database.away
    /// The protocols whose locks the connection holds.
    private var locked: [ProtocolID] = []
    /// `ready` is due once the database is at hand and nothing is under way.
    private var announce = false
    /// `stopped` is due once the transaction under way has ended.
    private var halted: RoundNumber?
    /// Transactions that failed on end, each for a reason that may pass: the pause before the next `ready` grows with them.
    private var failures = 0
    /// It was said of the group under way that nobody waits for it.
    private var hasHurried = false
    private var ending: Ending?
    private var hasEnded = false

    package init(limits: Limits = Limits()) { self.limits = limits }

    /// Bytes of all parts that are asked for, received or under way.
    package var heldBytes: Int { buffer.bytes + askedBytes }

    /// What has come and is not committed.
    package var load: ReorderLoad { buffer.load }

    /// Takes an event.
    /// - Returns: what has to be done, in this order.
    package mutating func take(_ event: Event) -> [Action] {
        guard !hasEnded else { return [] }
        var actions: [Action] = []
        switch event {
        case .registered(let run, let protocols): register(run, protocols)
        case .standBy, .lost:
            endRound()
            announce = false
            if event == .standBy { protocols = [] }
        case .command(let command): take(command, &actions)
        case .rows(.offer(let header), let peer): offer(Offer(header: header, peer: peer), &actions)
        case .rows(.withdraw(let run, _, let worker, let number), _):
            if run == self.run { forget(OfferKey(worker: worker, number: number)) }
        case .rows(.part(let header), _): drop(header, "it came without its rows", &actions)
        case .part(let header, let payload): part(header, payload, &actions)
        case .connected: connected(&actions)
        case .unreachable(let reason):
            database = .away
            ending = ending ?? Ending(reason: reason, inGoodOrder: false)
            actions.append(.send(.interrupted(round: round, reason: reason, permanent: true)))
        case .committedInPart(let report): committedInPart(report, &actions)
        case .committed(let report): committed(report, &actions)
        case .commitFailed(let failure): commitFailed(failure, &actions)
        case .checked(let failure): checked(failure, &actions)
        case .stop(let reason):
            ending = ending ?? Ending(reason: reason, inGoodOrder: true)
            endRound()
        }
        proceed(&actions)
        return actions
    }

    private var isCommitting: Bool { if case .committing = database { true } else { false } }

    // MARK: The coordinator

    private mutating func register(_ run: RunID, _ protocols: [ProtocolID]) {
        endRound()
        registration += 1
        if run != self.run { early = [:] }
        self.run = run
        self.protocols = protocols.sorted()
        dead = []
        round = 0
        halted = nil
        announce = true
    }

    private mutating func take(_ command: WriterCommand, _ actions: inout [Action]) {
        switch command {
        case .begin(let round, let cursors, let oldestName):
            guard round > self.round else { return notice(.warning, "round not begun: it is not later than the last one", round, &actions) }
            endRound()
            self.round = round
            self.oldestName = oldestName
            isRoundUnderWay = true
            buffer.begin(cursors: cursors)
            let due = early.values.filter { $0.header.round <= round }.sorted {
                $0.header.ledgers.lowerBound < $1.header.ledgers.lowerBound
            }
            for offer in due {
                early[offer.key] = nil
                self.offer(offer, &actions)
            }
        case .giveUp(let worker):
            dead.insert(worker)
            for offer in offers.ledgers.flatMap({ offers[$0] ?? [] }) where offer.key.worker == worker { forget(offer.key) }
            for key in asked.keys where key.worker == worker { forget(key) }
            early = early.filter { $0.key.worker != worker }
        case .drop(let id):
            buffer.drop(id)
        case .halt(let round):
            if round >= self.round { endRound() }
            halted = max(round, halted ?? 0)
        }
    }

    private mutating func endRound() {
        isRoundUnderWay = false
        buffer.end()
        offers.removeAll()
        offerKeys = [:]
        asked = [:]
        askedByLedger.removeAll()
        askedBytes = 0
    }

    // MARK: Offers and parts

    private mutating func offer(_ offer: Offer, _ actions: inout [Action]) {
        let header = offer.header
        if header.run == run, header.round > round, !dead.contains(header.worker) {
            // Of a round that is still to begin, for which the writer was not heard to be ready yet.
            if early.count + offerKeys.count < limits.offers { early[offer.key] = offer }
            return notice(.debug, "part is early, its offer is kept until its round begins", header, &actions)
        }
        if let reason = staleness(header) {
            drop(header, reason, &actions)
            return actions.append(.reply(.drop(round: header.round, number: header.number), to: offer.peer))
        }
        // What is asked for and offered again was not heard to be asked for: the connection is another one, or the two crossed.
        if asked[offer.key] == header {
            return actions.append(.reply(.send(round: header.round, number: header.number), to: offer.peer))
        }
        forget(offer.key)
        // `proceed` asks for the lowest ones first. Where there is no place to keep this one, only the part that comes next is of interest.
        if offerKeys.count < limits.offers {
            offers[header.ledgers.lowerBound, default: []].append(offer)
            offerKeys[offer.key] = header.ledgers.lowerBound
        } else if header.ledgers.lowerBound == buffer.next {
            _ = settle(offer, &actions)
        }
    }

    /// Asks for an offered part or refuses it.
    /// - Returns: false where it has to wait.
    private mutating func settle(_ offer: Offer, _ actions: inout [Action]) -> Bool {
        let header = offer.header
        switch buffer.judge(header) {
        case .fits where mayAsk(for: header):
            asked[offer.key] = header
            askedByLedger[header.ledgers.lowerBound, default: []].append(offer.key)
            askedBytes += header.bytes
            actions.append(.reply(.send(round: round, number: header.number), to: offer.peer))
        case .fits:
            return false
        case .known:
            actions.append(.send(.received(round: round, ledgers: header.ledgers, bytes: header.bytes)))
            actions.append(.reply(.have(round: round, number: header.number), to: offer.peer))
        case .unwanted:
            actions.append(.reply(.drop(round: round, number: header.number), to: offer.peer))
        case .overlapping(let reason):
            refuse(header, reason, isFault: false, &actions)
            actions.append(.reply(.drop(round: round, number: header.number), to: offer.peer))
        case .faulty(let reason):
            refuse(header, reason, isFault: true, &actions)
            actions.append(.reply(.drop(round: round, number: header.number), to: offer.peer))
        }
        return true
    }

    private func mayAsk(for header: PartHeader) -> Bool {
        // Also where a part with these ledgers is asked for already: that one may never come. While a group is under way, what comes after it is not yet
        // waited for, and goes beyond the budget only where nothing else does.
        if header.ledgers.lowerBound == buffer.next, !isCommitting || heldBytes <= limits.budget { return true }
        return header.bytes <= limits.budget - heldBytes && !isAskedFor(header.ledgers)
    }

    private func isAskedFor(_ ledgers: LedgerRange) -> Bool {
        guard let first = askedByLedger.last(notAbove: ledgers.upperBound), let keys = askedByLedger[first] else { return false }
        return keys.contains { asked[$0].map { $0.ledgers.upperBound >= ledgers.lowerBound } ?? false }
    }

    /// Asks for what there is room for, lowest ledgers first.
    private mutating func askForMore(_ actions: inout [Action]) {
        guard isRoundUnderWay else { return }
        var position = offers.first
        while let ledger = position {
            for offer in offers[ledger] ?? [] {
                if settle(offer, &actions) {
                    remove(offer.key)
                } else if !isAskedFor(offer.header.ledgers) {
                    // The lowest one that could be asked for has no room: neither have those behind it.
                    return
                }
            }
            position = ledger == .max ? nil : offers.first(notBelow: ledger + 1)
        }
    }

    private mutating func part(_ header: PartHeader, _ payload: Result<Payload, UnfitPart>, _ actions: inout [Action]) {
        if let reason = staleness(header) { return drop(header, reason, &actions) }
        let key = OfferKey(worker: header.worker, number: header.number)
        guard let wanted = asked[key] else { return drop(header, "nobody asked for it", level: .warning, &actions) }
        forget(key)
        guard wanted == header else { return refuse(wanted, "it is not what was offered", isFault: true, &actions) }
        switch (payload, buffer.judge(header)) {
        case (.failure(let unfit), _):
            refuse(header, unfit.reason, isFault: true, &actions)
        case (.success(let payload), .fits):
            for displaced in buffer.insert(header, payload) {
                refuse(displaced, "another part, which comes next, overlaps with it", isFault: false, &actions)
            }
            actions.append(.send(.received(round: round, ledgers: header.ledgers, bytes: header.bytes)))
        case (_, .known):
            actions.append(.send(.received(round: round, ledgers: header.ledgers, bytes: header.bytes)))
        case (_, .unwanted):
            drop(header, "none of its protocols takes part any more", &actions)
        case (_, .overlapping(let reason)):
            refuse(header, reason, isFault: false, &actions)
        case (_, .faulty(let reason)):
            refuse(header, reason, isFault: true, &actions)
        }
    }

    /// Why a part or an offer of it is of no use here, whatever is in it.
    private func staleness(_ header: PartHeader) -> String? {
        guard let run else { return "this writer belongs to no run yet" }
        if header.run != run { return "it is of run \(header.run), this is run \(run)" }
        if dead.contains(header.worker) { return "fetcher \(header.worker) was given up for dead" }
        if header.round != round { return "it is of round \(header.round), this is round \(round)" }
        return isRoundUnderWay ? nil : "round \(round) is over"
    }

    /// Forgets an offer and what was asked for because of it.
    private mutating func forget(_ key: OfferKey) {
        early[key] = nil
        remove(key)
        guard let header = asked.removeValue(forKey: key) else { return }
        askedBytes -= header.bytes
        let first = header.ledgers.lowerBound
        askedByLedger[first]?.removeAll { $0 == key }
        if askedByLedger[first]?.isEmpty ?? false { askedByLedger[first] = nil }
    }

    /// Takes out an offer that is not asked for.
    private mutating func remove(_ key: OfferKey) {
        guard let first = offerKeys.removeValue(forKey: key) else { return }
        offers[first]?.removeAll { $0.key == key }
        if offers[first]?.isEmpty ?? false { offers[first] = nil }
    }

    private mutating func drop(_ header: PartHeader, _ reason: String, level: Notice.Level = .debug, _ actions: inout [Action]) {
        actions.append(.notice(Notice(level: level, text: "part dropped", round: header.round, part: header, reason: reason)))
    }

    private mutating func refuse(_ header: PartHeader, _ reason: String, isFault: Bool, _ actions: inout [Action]) {
        actions.append(
            .notice(Notice(level: isFault ? .warning : .debug, text: "part refused", round: header.round, part: header, reason: reason)))
        actions.append(
            .send(.refused(round: header.round, ledgers: header.ledgers, worker: header.worker, reason: reason, isFault: isFault)))
    }

    // MARK: The database

    private mutating func connected(_ actions: inout [Action]) {
        guard case .connecting(let locks) = database else { return }
        locked = locks
        database = .idle
        // What failed before may fail again, connection or not.
        if failures > 0 { check(&actions) }
    }

    private mutating func committedInPart(_ report: CommitReport, _ actions: inout [Action]) {
        guard case .committing(let registration, let round) = database, registration == self.registration else { return }
        actions.append(.send(.committed(round: round, report: report)))
    }

    private mutating func committed(_ report: CommitReport, _ actions: inout [Action]) {
        guard case .committing(let registration, let round) = database else { return }
        database = .idle
        failures = 0
        guard registration == self.registration else { return }
        if isRoundUnderWay, round == self.round {
            buffer.committed(Set(report.swaps.filter { $0.value == .swapped }.map(\.key)))
            forgetWhatIsCommitted()
        }
        actions.append(.send(.committed(round: round, report: report)))
    }

    /// Parts that were asked for and never came hold their place no longer than others need to bring the same ledgers.
    private mutating func forgetWhatIsCommitted() {
        while let first = askedByLedger.first, let keys = askedByLedger[first] {
            let overtaken = keys.filter { key in
                guard let header = asked[key] else { return true }
                return buffer.next.map { header.ledgers.upperBound < $0 } ?? true
            }
            for key in overtaken { forget(key) }
            guard overtaken.count == keys.count else { return }
        }
    }

    private mutating func commitFailed(_ failure: CommitFailure, _ actions: inout [Action]) {
        guard case .committing(let registration, let round) = database else { return }
        let isWanted = registration == self.registration && isRoundUnderWay && round == self.round
        // Nobody waits for it: that is why.
        if failure.kind == .abandoned, !isWanted { return database = .idle }
        actions.append(.notice(Notice(level: .error, text: "commit failed", round: round, reason: failure.reason)))
        failures += 1
        switch failure.kind {
        case .connectionLost: database = .away
        case .mayPass: check(&actions)
        case .refused, .abandoned: database = .idle
        }
        guard registration == self.registration else { return }
        endRound()
        if failure.kind != .refused { announce = true }
        actions.append(.send(.interrupted(round: round, reason: failure.reason, permanent: failure.kind == .refused)))
    }

    private mutating func check(_ actions: inout [Action]) {
        database = .checking
        // 1, 2, 4, 8, 16, 30, 30, ...
        actions.append(.check(afterSeconds: min(30, 1 << min(failures - 1, 5))))
    }

    private mutating func checked(_ failure: CommitFailure?, _ actions: inout [Action]) {
        guard database == .checking else { return }
        guard let failure else { return database = .idle }
        actions.append(.notice(Notice(level: .warning, text: "the database does not take transactions yet", reason: failure.reason)))
        failures += 1
        if failure.kind == .connectionLost { database = .away } else { check(&actions) }
    }

    /// Does what the state allows: ends, connects, says that it is ready or has stopped, asks for parts and commits.
    private mutating func proceed(_ actions: inout [Action]) {
        if isCommitting, !isRoundUnderWay, !hasHurried {
            hasHurried = true
            actions.append(.hurry)
        }
        if let halted, !isCommitting {
            self.halted = nil
            actions.append(.send(.stopped(round: halted)))
        }
        if let ending {
            if !isCommitting {
                hasEnded = true
                actions.append(.end(reason: ending.reason, inGoodOrder: ending.inGoodOrder))
            }
            return
        }
        if database == .idle, locked != protocols {
            // The locks of other protocols than those of the run would keep other writers out.
            actions.append(.disconnect)
            locked = []
            database = .away
        }
        if database == .away, !protocols.isEmpty {
            database = .connecting(protocols)
            actions.append(.connect(locks: protocols))
        }
        if database == .idle, announce {
            announce = false
            actions.append(.send(.ready))
        }
        askForMore(&actions)
        while database == .idle, isRoundUnderWay {
            do throws(UnfitPart) {
                guard
                    let group = try buffer.startCommit(maxRows: limits.rowsPerTransaction, maxBytes: limits.bytesPerTransaction)
                else { return }
                database = .committing(registration: registration, round: round)
                hasHurried = false
                actions.append(.commit(group, oldestName: oldestName))
                // Another part comes next now.
                askForMore(&actions)
            } catch {
                refuse(error.header, error.reason, isFault: true, &actions)
            }
        }
    }

    private func notice(_ level: Notice.Level, _ text: String, _ round: RoundNumber, _ actions: inout [Action]) {
        actions.append(.notice(Notice(level: level, text: text, round: round)))
    }

    private func notice(_ level: Notice.Level, _ text: String, _ part: PartHeader, _ actions: inout [Action]) {
        actions.append(.notice(Notice(level: level, text: text, round: part.round, part: part)))
    }
}

/// Why the database did not take a commit.
package struct CommitFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What follows from it.
    package enum Kind: Hashable, Sendable {
        /// The connection is gone: after the next one the cursor in the database tells what was committed.
        case connectionLost
        /// Nothing is committed; the same may succeed later without anybody's doing here.
        case mayPass
        /// Nothing is committed, and it would not be another time.
        case refused
        /// Nothing is committed; it was given up, as is done where nobody waits for it any more.
        case abandoned
    }

    package let reason: String
    package let kind: Kind
    package var description: String { reason }

    package init(reason: String, kind: Kind) {
        self.reason = reason
        self.kind = kind
    }
}

/// Why the process ends when the transaction under way has ended.
private struct Ending: Hashable {
    let reason: String
    let inGoodOrder: Bool
}
