import Testing

/// Every interleaving of the steps of live ingestion, migrations, their writers and the server, with every process, connection and session, and the server
/// itself, ending at any moment. The coordinator is the real one.
@Suite(.serialized) struct ConvergenceModelTests {
    /// A world in which everything must hold.
    struct World: Sendable, CustomTestStringConvertible {
        let name: String
        let rules: ModelRules
        /// What must have come about at least once.
        let sees: [@Sendable (Occurrences) -> Int]

        var testDescription: String { name }

        init(_ name: String, sees: [@Sendable (Occurrences) -> Int], _ change: (inout ModelRules) -> Void) {
            var rules = ModelRules()
            change(&rules)
            #if DEBUG
                if rules.hands == 0 { rules.newest = min(rules.newest, 3) }
                rules.faults = 1
            #endif
            self.name = name
            self.rules = rules
            self.sees = sees
        }
    }

    static let worlds = [
        World(
            "any number of ends and broken connections",
            sees: [{ $0.handoffs }, { $0.convergences }, { $0.commitsOfOldWriters }, { $0.looks }]
        ) {
            $0.newest = 3
            $0.connectionsBreak = true
        },
        World("more ledgers, but only two faults", sees: [{ $0.handoffs }, { $0.convergences }, { $0.commitsOfOldWriters }, { $0.looks }]) {
            $0.connectionsBreak = true
            $0.faults = 2
        },
        World("live ingestion tries every cursor", sees: [{ $0.handoffs }, { $0.convergences }, { $0.commitsOfOldWriters }]) {
            $0.newest = 3
            $0.liveIngestion = .triesEveryCursor
            $0.connectionsBreak = true
        },
        World("late commits", sees: [{ $0.handoffs }, { $0.convergences }, { $0.lateCommits }]) {
            $0.newest = 3
            $0.lateCommits = true
        },
        World(
            "two of any faults, the server's and those of sessions among them",
            sees: [{ $0.handoffs }, { $0.convergences }, { $0.lossyCrashes }, { $0.lateCommits }]
        ) {
            $0.newest = 3
            $0.lateCommits = true
            $0.serverCrashes = true
            $0.sessionsBreak = true
            $0.connectionsBreak = true
            $0.faults = 2
        },
        World("two protocols, together or apart", sees: [{ $0.handoffs }, { $0.convergences }, { $0.commitsOfOldWriters }]) {
            $0.protocolCount = 2
            $0.startsWithAny = true
            $0.newest = 3
            $0.connectionsBreak = true
            $0.faults = 1
        },
        World("two protocols and a server that crashes", sees: [{ $0.handoffs }, { $0.convergences }, { $0.lossyCrashes }]) {
            $0.protocolCount = 2
            $0.newest = 3
            $0.serverCrashes = true
            $0.processesEnd = false
            $0.faults = 1
        },
        World(
            "retention moves past cursors",
            sees: [{ $0.handoffs }, { $0.convergences }, { $0.forwards }, { $0.commitsBelowOldest }, { $0.commitsOfOldWriters }]
        ) {
            $0.newest = 3
            $0.retentions = 2
            $0.connectionsBreak = true
            $0.faults = 1
        },
        World(
            "retention moves past cursors, and sessions or the server end",
            sees: [{ $0.handoffs }, { $0.convergences }, { $0.forwards }, { $0.unheardForwards }, { $0.lossyCrashes }]
        ) {
            $0.newest = 3
            $0.retentions = 1
            $0.serverCrashes = true
            $0.sessionsBreak = true
            $0.faults = 1
        },
        World("retention moves past one of two protocols", sees: [{ $0.convergences }, { $0.forwards }, { $0.commitsBelowOldest }]) {
            $0.protocolCount = 2
            $0.startsWithAny = true
            $0.newest = 3
            $0.retentions = 1
            $0.faults = 0
        },
        World("fetchers die", sees: [{ $0.handoffs }, { $0.convergences }, { $0.commitsOfOldWriters }]) {
            $0.newest = 3
            $0.fetchersDie = true
            $0.faults = 2
        },
    ]

    @Test(arguments: worlds)
    func noWorldHasAGapADoubleAMissedContractAFalseEndOrNoEnd(world: World) async {
        let exploration = await Self.explore(world.name, world.rules)
        if let counterexample = exploration.counterexample { Issue.record("\(counterexample)") }
        if let trap = exploration.trap { Issue.record("\(trap)") }
        #expect(!exploration.isCutShort)
        for count in world.sees { #expect(count(exploration.occurrences) > 0, "\(exploration.occurrences)") }
        #expect(exploration.occurrences.failures == 0 && exploration.occurrences.warnings == 0)
    }

    /// A coordinator loses the session with its locks, and a second migration starts before it has noticed. Never may the writers of both commit, and whoever
    /// does not get the locks back ends. (That one of them fails is right.)
    @Test(arguments: [true, false]) func ofTwoCoordinatorsOnlyTheOneWithTheLocksGoesOn(processesEnd: Bool) async {
        var rules = ModelRules()
        rules.newest = 3
        rules.twoCoordinators = true
        rules.sessionsBreak = true
        rules.connectionsBreak = true
        rules.processesEnd = processesEnd
        rules.mindsFailures = false
        rules.faults = processesEnd ? 1 : 2
        let exploration = await Self.explore("two coordinators", rules)
        if let counterexample = exploration.counterexample { Issue.record("\(counterexample)") }
        if let trap = exploration.trap { Issue.record("\(trap)") }
        #expect(exploration.occurrences.locksLostForGood > 0)
    }

    /// A hand moves a cursor, at any moment, anywhere, or removes it. The protocol ends as FAILED, or with a warning that names the ledgers, or nothing is
    /// missing: unless the hand does just what live ingestion would do, which nobody can tell.
    @Test func whateverAHandDoesToACursorIsNoticed() async {
        var rules = ModelRules()
        rules.hands = 1
        rules.processesEnd = false
        let exploration = await Self.explore("a hand", rules)
        if let counterexample = exploration.counterexample { Issue.record("\(counterexample)") }
        if let trap = exploration.trap { Issue.record("\(trap)") }
        #expect(exploration.occurrences.failures > 0 && exploration.occurrences.warnings > 0)
    }

    /// A promise to the coordinator that is broken, the first thing that comes of it, and what it takes to see it.
    struct Broken: Sendable, CustomTestStringConvertible {
        let flaw: ModelRules.Flaw
        let consequence: String
        var rules = ModelRules()

        var testDescription: String { flaw.rawValue }

        init(_ flaw: ModelRules.Flaw, _ consequence: String, _ change: (inout ModelRules) -> Void = { _ in }) {
            self.flaw = flaw
            self.consequence = consequence
            rules.newest = 3
            change(&rules)
            rules.flaw = flaw
        }
    }

    @Test(arguments: [
        Broken(.contractsReadBeforeTheTarget, "contractMissed"),
        Broken(.contractsOfTheFirstRound, "contractMissed"),
        Broken(.rowsAfterTheCursor, "stored from 2: nothing"),
        Broken(.reportBeforeTheCommit, "judged failed"),
        Broken(.noFence, "handoff of SEP41 is doubted"),
        Broken(.fenceOfTheFirstProtocolOnly, "handoff of SEP50 is doubted") {
            $0.protocolCount = 2
            $0.startsWithAny = true
        },
        Broken(.stopsInNameOnly, "handoff of SEP41 is doubted") { $0.sessionsBreak = true },
        Broken(.targetPastTheLatestLedger, "contractMissed"),
        Broken(.liveIngestionSwapsUnconditionally, "stored from 2: nothing"),
        Broken(.cursorsNotedBeforeTheLock, "false success"),
        Broken(.convergenceBesideLiveIngestion, "false success"),
        Broken(.noWait, "false success") { $0.lateCommits = true },
        Broken(.rowsBelowTheOldest, "rows are written of ledgers that had dropped below the oldest one") { $0.retentions = 1 },
        Broken(.sessionReplacedInSilence, "judged failed") { $0.serverCrashes = true },
    ])
    func aBrokenPromiseIsFound(broken: Broken) async throws {
        let exploration = await Self.explore("with \(broken.flaw.rawValue)", broken.rules)
        let counterexample = try #require(exploration.counterexample)
        print("model: \(counterexample)")
        #expect(counterexample.violation.contains(broken.consequence))
    }

    /// Commits do not wait for the disk, and a migration that has converged may find its last ones lost before it could say so.
    @Test func withoutAWaitACrashOfTheServerMakesAFalseSuccessUnlessTheCursorIsLookedAtOnceMore() async throws {
        var rules = ModelRules().with(.noWait)
        rules.newest = 3
        rules.serverCrashes = true
        rules.processesEnd = false
        rules.faults = 2
        let seen = await Self.explore("with noWait and crashes", rules)
        #expect(seen.counterexample == nil)
        #expect(seen.occurrences.refusedRecords > 0)
        rules.recordsUnseen = true
        let exploration = await Self.explore("with noWait, crashes and unseen records", rules)
        let counterexample = try #require(exploration.counterexample)
        #expect(counterexample.violation.contains("false success"))
    }

    /// What makes protocols fail for no reason would also let others succeed for none.
    @Test(arguments: [ModelRules.Flaw.noFence, .stopsInNameOnly])
    func whatBelievesTooLittleAlsoBelievesTooMuch(flaw: ModelRules.Flaw) async throws {
        var rules = ModelRules().with(flaw)
        rules.newest = 3
        rules.mindsFailures = false
        rules.sessionsBreak = flaw == .stopsInNameOnly
        let exploration = await Self.explore("with \(flaw.rawValue), and nobody minds failures", rules)
        let counterexample = try #require(exploration.counterexample)
        #expect(counterexample.violation.contains("false success"))
    }

    private static func explore(_ name: String, _ rules: ModelRules) async -> Explorer.Exploration {
        let clock = ContinuousClock()
        let began = clock.now
        let exploration = await Explorer.explore(rules)
        let seconds = ((clock.now - began) / .milliseconds(10)).rounded() / 100
        print("model: \(name): \(exploration.states) states, \(exploration.transitions) transitions, \(seconds) s")
        return exploration
    }
}
