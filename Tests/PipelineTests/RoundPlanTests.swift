import Pipeline
import StateChanges
import Testing

@Suite struct RoundPlanTests {
    @Test func oneProtocolIsOneSegment() {
        let plan = RoundPlan(cursors: ["SEP41": 99], target: 200)
        #expect(plan.segments.map(\.ledgers) == [100...200])
        #expect(plan.segments.map(\.protocols) == [["SEP41"]])
        #expect(plan.ledgerCount == 101)
    }

    @Test func cutsWhereACursorStandsSoThatEachLedgerIsFetchedOnce() {
        let plan = RoundPlan(cursors: ["SEP50": 500, "SEP41": 100, "BLEND": 500], target: 1000)
        #expect(plan.segments.map(\.ledgers) == [101...500, 501...1000])
        #expect(plan.segments.map(\.protocols) == [["SEP41"], ["BLEND", "SEP41", "SEP50"]])
        #expect(plan.ledgerCount == 900)
    }

    @Test func aProtocolAtOrPastTheTargetTakesNoPart() {
        #expect(RoundPlan(cursors: ["SEP41": 200, "SEP50": 201], target: 200).segments.isEmpty)
        let plan = RoundPlan(cursors: ["SEP41": 200, "SEP50": 150], target: 200)
        #expect(plan.segments.map(\.protocols) == [["SEP50"]])
    }

    @Test func reachesTheLastLedgerNumber() {
        let plan = RoundPlan(cursors: ["SEP41": UInt32.max - 1], target: UInt32.max)
        #expect(plan.segments.map(\.ledgers) == [UInt32.max...UInt32.max])
    }
}
