import Pipeline
import Protocols
import Testing

@Suite struct MessagesTests {
    private let run = RunID(rawValue: "r1")

    @Test func aMessageSurvivesTheWire() throws {
        let batch = Batch(id: 3, ledgers: 5...9, protocols: ["SEP41", "SEP50"])
        let messages: [CoordinatorMessage] = [
            .welcome(worker: 4, protocols: ["SEP41"]), .fetch(epoch: 2, writer: "ipc:///x", contracts: ["SEP41": ["ab"]]),
            .assign(epoch: 2, batch: batch), .commit(epoch: 2, cursors: ["SEP41": .max]), .halt, .end,
        ]
        for message in messages {
            let bytes = try Wire.encode(Envelope(run: run, worker: 4, body: message))
            let back = try Wire.decode(Envelope<CoordinatorMessage>.self, from: bytes)
            #expect(back.body == message)
            #expect(back.run == run)
            #expect(back.worker == 4)
        }
        let report = CommitReport(
            ledgers: 1...2, batches: [1], swaps: ["SEP41": .swapped, "SEP50": .found(nil)], rows: ["SEP41": 3], bytes: 9, seconds: 0.5)
        let bytes = try Wire.encode(Envelope(run: run, worker: 1, body: WorkerMessage.committed(epoch: 1, report: report)))
        #expect(try Wire.decode(Envelope<WorkerMessage>.self, from: bytes).body == .committed(epoch: 1, report: report))
    }

    @Test(arguments: ["", "{", "null", "[]", "{\"run\":1}", "{\"run\":\"r\",\"worker\":1,\"body\":{\"fly\":{}}}"])
    func whatIsNoMessageIsAnError(text: String) {
        #expect(throws: Wire.Malformed.self) { try Wire.decode(Envelope<WorkerMessage>.self, from: Array(text.utf8)) }
    }

    @Test func aRangeTurnedRoundIsAnErrorAndNoCrash() {
        let text =
            "{\"run\":\"r\",\"worker\":1,\"body\":{\"assign\":{\"epoch\":1,\"batch\":{\"id\":1,\"ledgers\":[9,5],\"protocols\":[\"A\"]}}}}"
        #expect(throws: Wire.Malformed.self) { try Wire.decode(Envelope<CoordinatorMessage>.self, from: Array(text.utf8)) }
    }
}
