package import Pipeline
package import Protocols
import StateChanges

/// Lets a fetcher take part in a round only when its source is found to be on the network of the run and the round's contracts are here. A pure state machine;
/// contracts are decoded elsewhere, for a million of them takes a while.
package struct RoundGate: Sendable {
    /// The contracts that the fetcher has, and what they are looked up in.
    package struct Contracts: Sendable {
        package let set: ContractSet
        package let tracked: TrackedContracts

        package init(_ set: ContractSet) {
            self.set = set
            tracked = TrackedContracts(set)
        }
    }

    /// A round that may begin.
    package struct Opening: Sendable {
        package let round: RoundNumber
        package let writer: String
        package let contracts: Contracts
    }

    /// What has to be done with the contracts that a round refers to.
    package enum Task: Sendable, Hashable {
        /// Nothing: they are here.
        case none
        /// Decode what came along, followed by `decoded`.
        case decodeWhole
        /// Add what came along to the set at hand, followed by `decoded`.
        case decodeAdditions
        /// Ask for the whole set: what the reference builds on is not here.
        case askForWhole
    }

    private struct Waiting: Sendable {
        let round: RoundNumber
        let writer: String
        let digest: String
    }

    private var isSourceFit = false
    private var waiting: Waiting?

    /// The last set that was decoded; it outlives rounds and registrations.
    package private(set) var contracts: Contracts?

    package init() {}

    /// Registered, for the first time or again: the source has to be checked (again).
    package mutating func register() {
        isSourceFit = false
        waiting = nil
    }

    /// The source is on the right network.
    package mutating func sourceFits() { isSourceFit = true }

    /// A round is to begin.
    package mutating func begin(_ round: RoundNumber, writer: String, _ reference: ContractsReference) -> Task {
        waiting = Waiting(round: round, writer: writer, digest: reference.digest)
        if contracts?.set.digest == reference.digest { return .none }
        return switch reference.attachment {
        case .none: .askForWhole
        case .additions(let base): contracts?.set.digest == base ? .decodeAdditions : .askForWhole
        case .whole: .decodeWhole
        }
    }

    /// The contracts that came for a round are decoded; nil where they could not be.
    /// - Returns: why they are of no use, so that the whole set has to be asked for.
    package mutating func decoded(_ decoded: Contracts?, for round: RoundNumber) -> String? {
        guard let waiting, waiting.round == round else { return nil }
        guard let decoded else { return "they are malformed" }
        contracts = decoded
        return decoded.set.digest == waiting.digest ? nil : "they are set \(decoded.set.digest), not \(waiting.digest)"
    }

    /// No round is under way or to begin.
    package mutating func halt() { waiting = nil }

    /// The round that may begin now; each is given once.
    package mutating func open() -> Opening? {
        guard isSourceFit, let round = waiting, let contracts, contracts.set.digest == round.digest else { return nil }
        waiting = nil
        return Opening(round: round.round, writer: round.writer, contracts: contracts)
    }
}
