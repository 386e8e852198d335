import Pipeline
import StateChanges
import Testing

@Suite struct MessagesTests {
    private let run = RunID(rawValue: "r1")

    private func survives<Content: Codable & Sendable & Hashable>(_ content: Content) throws -> Bool {
        let envelope = Envelope(run: run, worker: 4, content: content)
        return try Wire.decode(Envelope<Content>.self, from: Wire.encode(envelope)) == envelope
    }

    @Test func aMessageOfTheCoordinatorSurvivesTheWire() throws {
        let batch = Batch(id: 3, ledgers: 5...9, protocols: ["SEP41", "SEP50"])
        let contents: [CoordinatorContent] = [
            .welcome(Welcome(worker: 4, protocols: ["SEP41"], networkPassphrase: "p")), .standBy, .registerAgain, .heartbeat, .end,
            .fetcher(.begin(round: 2, writer: "ipc:///x", contracts: ContractsReference(digest: "d", attachment: .additions(base: "b")))),
            .fetcher(.assign(round: 2, batches: [batch])), .fetcher(.revoke(round: 2, batches: [3])), .fetcher(.halt(round: 2)),
            .writer(.begin(round: 2, cursors: ["SEP41": .max], oldestName: "oldest_ingest_ledger")), .writer(.giveUp(worker: 1)),
            .writer(.drop(protocolID: "SEP41")), .writer(.halt(round: 2)),
        ]
        for content in contents { #expect(try survives(content)) }
    }

    @Test func aMessageOfAWorkerSurvivesTheWire() throws {
        let report = CommitReport(
            ledgers: 1...2, swaps: ["SEP41": .swapped, "SEP50": .found(nil), "BLEND": .belowOldest(3)], rows: ["SEP41": 3], bytes: 9,
            seconds: 0.5)
        let contents: [WorkerContent] = [
            .hello(Hello(role: .writer, instance: "i", token: "t", pid: 7, host: "h", rowsEndpoint: "ipc:///x")), .goodbye,
            .fetcher(.heartbeat(holding: [1, 2], counters: FetcherCounters())), .fetcher(.contractsMissing(round: 1)),
            .fetcher(.failed(round: 1, batch: 2, reason: "r", permanent: true)), .fetcher(.unfit(reason: "r")),
            .writer(.ready), .writer(.committed(round: 1, report: report)),
            .writer(.refused(round: 1, ledgers: 1...2, worker: 3, reason: "r", isFault: true)),
        ]
        for content in contents { #expect(try survives(content)) }
    }

    @Test(arguments: ["", "{", "null", "[]", "{\"run\":1}", "{\"run\":\"r\",\"worker\":1,\"content\":{\"fly\":{}}}"])
    func whatIsNoMessageIsAnError(text: String) {
        #expect(throws: Wire.Malformed.self) { try Wire.decode(Envelope<WorkerContent>.self, from: Array(text.utf8)) }
    }

    @Test func aRangeTurnedRoundIsAnErrorAndNoCrash() {
        let text =
            "{\"run\":\"r\",\"worker\":1,\"content\":{\"fetcher\":{\"_0\":{\"assign\":{\"round\":1,"
            + "\"batches\":[{\"id\":1,\"ledgers\":[9,5],\"protocols\":[\"A\"]}]}}}}}"
        #expect(throws: Wire.Malformed.self) { try Wire.decode(Envelope<CoordinatorContent>.self, from: Array(text.utf8)) }
        let turned = text.replacing("[9,5]", with: "[5,9]")
        #expect(throws: Never.self) { try Wire.decode(Envelope<CoordinatorContent>.self, from: Array(turned.utf8)) }
    }
}
