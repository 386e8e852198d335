import Testing

/// Every interleaving of the database steps of live ingestion, writers and coordinator, with every process, and the server, ending at any moment and
/// any number of times: nothing bounds it but the number of ledgers.
@Suite(.serialized) struct ConvergenceModelTests {
    /// A world in which the real rules must hold.
    struct World: Sendable, CustomTestStringConvertible {
        let name: String
        let rules: ModelRules

        var testDescription: String { name }

        init(_ name: String, _ change: (inout ModelRules) -> Void) {
            var rules = ModelRules()
            change(&rules)
            self.name = name
            self.rules = rules
        }
    }

    #if DEBUG
        private static let fewer: UInt8 = 1
    #else
        private static let fewer: UInt8 = 0
    #endif

    static let worlds = [
        World("no wait at all, protocols together or apart") {
            $0.newest = 5 - fewer
            $0.startsWithAny = true
        },
        World("no wait at all, live ingestion tries every cursor") {
            $0.newest = 5 - fewer
            $0.startsWithAny = true
            $0.liveIngestion = .triesEveryCursor
        },
        World("late commits, protocols together or apart") {
            $0.newest = 4 - fewer
            $0.startsWithAny = true
            $0.lateCommits = true
        },
        World("late commits and crashes of the server, protocols together or apart") {
            $0.newest = 4 - fewer
            $0.startsWithAny = true
            $0.lateCommits = true
            $0.serverCrashes = true
        },
        World("late commits and crashes of the server") {
            $0.newest = 5 - fewer
            $0.lateCommits = true
            $0.serverCrashes = true
        },
        World("crashes of the server, live ingestion tries every cursor") {
            $0.newest = 5 - fewer
            $0.liveIngestion = .triesEveryCursor
            $0.serverCrashes = true
        },
    ]

    @Test(arguments: worlds)
    func noReachableStateHasAGapADoubleAMissedContractOrAFalseSuccess(world: World) async {
        let clock = ContinuousClock()
        let began = clock.now
        let exploration = await Explorer.explore(world.rules)
        let seconds = ((clock.now - began) / .milliseconds(10)).rounded() / 100
        print("model: \(world.name): \(exploration.states) states, \(exploration.transitions) transitions, \(seconds) s")
        if let counterexample = exploration.counterexample { Issue.record("\(counterexample)") }
        if let trap = exploration.trap { Issue.record("\(trap)") }

        let seen = exploration.occurrences
        #expect(seen.refusedSwaps == 0, "a batch never passes a ledger that was the latest once, so nobody has moved the cursor before it")
        #expect(seen.handoffsInSnapshots > 0 && seen.handoffsInLooks > 0 && seen.convergences > 0, "\(seen)")
        #expect(seen.commitsOfOldWriters > 0, "\(seen)")
        #expect((seen.lateCommits > 0) == world.rules.lateCommits, "\(seen)")
        #expect((seen.lossyCrashes > 0) == world.rules.serverCrashes, "\(seen)")
    }

    /// States are hashed as bytes, and none of these may be padding.
    @Test func aStateIsMadeOfBytes() {
        #expect(MemoryLayout<ModelState>.alignment == 1)
    }

    /// Each rule that is broken on purpose, and the first thing that comes of it.
    @Test(arguments: [
        (ModelRules.Flaw.tipLookInTheWrongOrder, "false success"),
        (.contractsReadBeforeTheTarget, "contractMissed"),
        (.contractsOfTheFirstRound, "contractMissed"),
        (.rowsAfterTheCursor, "stored from 2: nothing"),
        (.convergenceBesideLiveIngestion, "false success"),
        (.noFence, "judged failed"),
        (.attemptsForgotten, "judged failed"),
        (.startBelieved, "judged failed"),
        (.reportsBelievedOverCursors, "judged failed"),
        (.targetPastTheLatestLedger, "contractMissed"),
        (.liveIngestionSwapsUnconditionally, "stored from 2: nothing"),
        (.cursorsNotedBeforeTheLock, "false success"),
        (.noWait, "false success"),
        (.roundOutlivesItsSession, "judged failed"),
        (.lostCommitsForgotten, "judged failed"),
    ])
    func aBrokenRuleIsFound(flaw: ModelRules.Flaw, consequence: String) async throws {
        var rules = ModelRules().with(flaw)
        rules.lateCommits = flaw == .noWait
        rules.serverCrashes = flaw == .roundOutlivesItsSession || flaw == .lostCommitsForgotten
        let exploration = await Explorer.explore(rules)
        let counterexample = try #require(exploration.counterexample)
        print("model: with \(flaw.rawValue) \(counterexample)")
        #expect(counterexample.violation.contains(consequence))
    }

    /// Commits do not wait for the disk, and a migration that has converged may find its last ones lost before it could say so.
    @Test func withoutAWaitACrashOfTheServerMakesAFalseSuccessUnlessTheCursorIsLookedAtOnceMore() async throws {
        var rules = ModelRules().with(.noWait)
        rules.serverCrashes = true
        let seen = await Explorer.explore(rules)
        #expect(seen.counterexample == nil)
        rules.recordsUnseen = true
        let exploration = await Explorer.explore(rules)
        let counterexample = try #require(exploration.counterexample)
        print("model: with noWait, a crash of the server and an unseen record \(counterexample)")
        #expect(counterexample.violation.contains("false success"))
    }

    /// What makes protocols fail for no reason would also let others succeed for none.
    @Test(arguments: [ModelRules.Flaw.noFence, .attemptsForgotten, .startBelieved, .reportsBelievedOverCursors])
    func whatBelievesTooLittleAlsoBelievesTooMuch(flaw: ModelRules.Flaw) async throws {
        var rules = ModelRules().with(flaw)
        rules.mindsFailures = false
        let exploration = await Explorer.explore(rules)
        let counterexample = try #require(exploration.counterexample)
        print("model: with \(flaw.rawValue) \(counterexample)")
        #expect(counterexample.violation.contains("false success"))
    }
}
