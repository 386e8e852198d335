import Pipeline
import Testing

@Suite struct RosterTests {
    private func hello(_ role: WorkerRole) -> Hello { Hello(role: role, pid: 1, host: "h", rowsEndpoint: nil) }

    @Test func aWorkerThatRegistersAgainIsAnotherOne() {
        var roster = Roster<String>()
        let first = roster.register(hello(.fetcher), at: "a")
        let second = roster.register(hello(.fetcher), at: "a")
        #expect(first.id != second.id)
        #expect(roster.workers.map(\.id) == [second.id])
    }

    @Test func silenceIsDeathAndAnyMessageIsLife() {
        var roster = Roster<String>(deadAfter: 3)
        let quiet = roster.register(hello(.fetcher), at: "quiet")
        _ = roster.register(hello(.writer), at: "busy")
        for _ in 1...3 {
            #expect(roster.tick().isEmpty)
            roster.heard("busy")
        }
        #expect(roster.tick().map(\.id) == [quiet.id])
        #expect(roster.worker(at: "quiet") == nil)
        #expect(roster.writer != nil)
        #expect(roster.fetchers.isEmpty)
    }
}
