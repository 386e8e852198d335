import Fetcher
import Pipeline
import Protocols
import StateChanges
import StellarXDR
import Testing

@Suite struct RoundGateTests {
    private let small = ContractSet(["A": [Hash32(words: (1, 0, 0, 0))]])
    private let large = ContractSet(["A": [Hash32(words: (1, 0, 0, 0)), Hash32(words: (2, 0, 0, 0))]])

    private func whole(_ set: ContractSet) -> ContractsReference { ContractsReference(digest: set.digest, attachment: .whole) }

    @Test func opensOnlyWhenSourceAndContractsAreThere() {
        var gate = RoundGate()
        gate.register()
        let task = gate.begin(1, writer: "w", whole(small))
        #expect(task == .decodeWhole)
        let empty = gate.open()
        #expect(empty == nil)
        let fault = gate.decoded(RoundGate.Contracts(small), for: 1)
        #expect(fault == nil)
        let unchecked = gate.open()
        #expect(unchecked == nil, "the source's network is not known")
        gate.sourceFits()
        let opening = gate.open()
        #expect(opening?.round == 1)
        let again = gate.open()
        #expect(again == nil, "once")
    }

    @Test func eachRegistrationChecksTheSourceAgain() {
        var gate = RoundGate()
        gate.register()
        gate.sourceFits()
        _ = gate.begin(1, writer: "w", whole(small))
        _ = gate.decoded(RoundGate.Contracts(small), for: 1)
        _ = gate.open()
        gate.register()
        let task = gate.begin(2, writer: "w", ContractsReference(digest: small.digest, attachment: .none))
        #expect(task == .none, "the set outlives the registration")
        let unchecked = gate.open()
        #expect(unchecked == nil)
        gate.sourceFits()
        let opening = gate.open()
        #expect(opening?.round == 2)
    }

    @Test func asksForTheWholeSetWhereItCannotUseWhatCame() {
        var gate = RoundGate()
        gate.register()
        gate.sourceFits()
        let additions = ContractsReference(digest: large.digest, attachment: .additions(base: small.digest))
        let bare = ContractsReference(digest: small.digest, attachment: .none)
        var tasks = [gate.begin(1, writer: "w", additions), gate.begin(1, writer: "w", bare), gate.begin(1, writer: "w", whole(small))]
        #expect(tasks == [.askForWhole, .askForWhole, .decodeWhole])
        let malformed = gate.decoded(nil, for: 1)
        #expect(malformed != nil, "malformed contracts do not vanish")
        tasks = [gate.begin(1, writer: "w", whole(large))]
        let another = gate.decoded(RoundGate.Contracts(small), for: 1)
        #expect(another != nil, "another set than was announced")
        let closed = gate.open()
        #expect(closed == nil)
        tasks = [gate.begin(1, writer: "w", additions)]
        #expect(tasks == [.decodeAdditions], "it has the base now")
        let fault = gate.decoded(RoundGate.Contracts(large), for: 1)
        #expect(fault == nil)
        let opening = gate.open()
        #expect(opening?.contracts.set == large)
    }

    @Test func whatCameForAnEarlierRoundIsIgnored() {
        var gate = RoundGate()
        gate.register()
        gate.sourceFits()
        _ = gate.begin(1, writer: "w", whole(small))
        gate.halt()
        _ = gate.begin(2, writer: "w", whole(large))
        let fault = gate.decoded(RoundGate.Contracts(small), for: 1)
        #expect(fault == nil)
        let closed = gate.open()
        #expect(closed == nil)
    }
}
