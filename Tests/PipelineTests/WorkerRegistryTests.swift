import Pipeline
import Testing

@Suite struct WorkerRegistryTests {
    private func hello(_ role: WorkerRole, _ instance: String, token: String? = nil) -> Hello {
        Hello(role: role, instance: instance, token: token, pid: 1, host: "h", rowsEndpoint: nil)
    }

    @Test func aWorkerIsFoundByEverythingThatNamesIt() {
        var registry = WorkerRegistry<String>()
        let fetcher = registry.register(hello(.fetcher, "f"), at: "a")
        let writer = registry.register(hello(.writer, "w", token: "t"), at: "b")
        #expect(registry.all.map(\.id) == [fetcher.id, writer.id])
        #expect(registry.fetchers == [fetcher])
        #expect(registry.fetcherCount == 1)
        #expect(registry.writer == writer)
        #expect(registry.worker(at: "a") == fetcher)
        #expect(registry[writer.id] == writer)
        #expect(registry.worker(instance: "f") == fetcher)
        #expect(registry.worker(token: "t") == writer)
        #expect(registry.worker(at: "c") == nil && registry.worker(instance: "x") == nil && registry.worker(token: "x") == nil)
    }

    @Test func aWorkerThatRegistersAgainIsAnotherOne() {
        var registry = WorkerRegistry<String>()
        let first = registry.register(hello(.fetcher, "f"), at: "a")
        registry.remove(first.id)
        let second = registry.register(hello(.fetcher, "f"), at: "a")
        #expect(first.id != second.id)
        #expect(registry.all.map(\.id) == [second.id])
        registry.remove(first.id)
        #expect(registry.worker(at: "a") == second, "the first one's end is not the second one's")
    }

    @Test func silenceIsDeathAndAnyMessageIsLife() {
        var registry = WorkerRegistry<String>(deadAfter: 3)
        let quiet = registry.register(hello(.fetcher, "quiet"), at: "quiet")
        let busy = registry.register(hello(.writer, "busy"), at: "busy")
        for _ in 1...3 {
            #expect(registry.tick().isEmpty)
            registry.heard(busy.id)
        }
        #expect(registry.tick().map(\.id) == [quiet.id])
        registry.remove(quiet.id)
        #expect(registry.tick().isEmpty)
        #expect(registry.worker(at: "quiet") == nil)
        #expect(registry.writer?.id == busy.id)
        #expect(registry.fetchers.isEmpty)
    }

    @Test func aWorkerIsKnownByTheContractsThatWereSentToItLast() {
        var registry = WorkerRegistry<String>()
        let fetcher = registry.register(hello(.fetcher, "f"), at: "a")
        #expect(fetcher.contracts == nil)
        registry.sent(contracts: "c1", to: fetcher.id)
        #expect(registry[fetcher.id]?.contracts == "c1")
        registry.sent(contracts: "c1", to: 77)
        #expect(registry.count == 1)
    }

    @Test func whoIsNotThereIsNotHeard() {
        var registry = WorkerRegistry<Int>()
        registry.heard(.max)
        registry.remove(.min)
        #expect(registry.count == 0 && registry.tick().isEmpty)
    }
}
