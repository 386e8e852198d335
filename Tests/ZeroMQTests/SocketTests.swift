import Testing
import ZeroMQ

@Suite struct SocketTests {
    /// One loop that listens and one that connects, as in two processes.
    private func withPair(
        _ endpoint: String, _ body: (RouterSocket, DealerSocket) async throws -> Void
    ) async throws {
        let server = try SocketLoop(name: "server")
        let client = try SocketLoop(name: "client")
        let router = try await server.bindRouter(endpoint)
        let dealer = try await client.connectDealer(router.endpoint)
        try await body(router, dealer)
        await client.shutdown()
        await server.shutdown()
    }

    @Test(arguments: ["ipc", "tcp://127.0.0.1:*", "tcp://[::1]:*", "tcp://localhost:*"])
    func talksBothWays(transport: String) async throws {
        let folder = try PrivateFolder()
        try await withPair(transport == "ipc" ? folder.endpoint() : transport) { router, dealer in
            #expect(!router.endpoint.isWildcard)
            dealer.send(Message(Frame("hello"), Frame(""), Frame("world")))
            let received = try #require(try await first(of: router.messages))
            #expect(received.message.frames.map { $0.copyBytes() } == [Array("hello".utf8), [], Array("world".utf8)])
            router.send(Message(Frame("welcome")), to: received.peer)
            let answer = try #require(try await first(of: dealer.messages))
            #expect(answer.frames.map { $0.copyBytes() } == [Array("welcome".utf8)])
            #expect(router.statistics == SocketStatistics.nothing)
        }
    }

    @Test(arguments: [64 << 10, 1 << 20, 20 << 20])
    func carriesLargeFrames(size: Int) async throws {
        let folder = try PrivateFolder()
        try await withPair(folder.endpoint()) { router, dealer in
            let frame = Frame(pattern(size))
            dealer.send(Message(Frame("a"), frame))
            // The same frame again: what was sent is shared, not consumed.
            dealer.send(Message(Frame("b"), frame))
            var iterator = router.messages.makeAsyncIterator()
            for tag in ["a", "b"] {
                let received = try #require(try await iterator.next())
                #expect(received.message.frames.count == 2)
                #expect(received.message.frames.first?.copyBytes() == Array(tag.utf8))
                #expect(received.message.frames.last?.copyBytes() == pattern(size))
                // A received frame goes back as it is.
                router.send(received.message, to: received.peer)
            }
            var answers = dealer.messages.makeAsyncIterator()
            for _ in 0..<2 { #expect(try await answers.next()?.frames.last?.copyBytes() == pattern(size)) }
        }
    }

    @Test func keepsTheOrderOfEachPeer() async throws {
        let folder = try PrivateFolder()
        let server = try SocketLoop(name: "server")
        let client = try SocketLoop(name: "client")
        let router = try await server.bindRouter(folder.endpoint())
        let (peers, each) = (12, 2000)
        var dealers: [DealerSocket] = []
        for _ in 0..<peers { dealers.append(try await client.connectDealer(router.endpoint)) }
        await withTaskGroup(of: Void.self) { group in
            for (name, dealer) in dealers.enumerated() {
                group.addTask { for number in 0..<each { dealer.send(Message(Frame("\(name) \(number)"))) } }
            }
        }
        var next: [PeerID: (name: Substring, number: Int)] = [:]
        var total = 0
        for try await (peer, message) in router.messages {
            let words = try #require(message.frames.first).text.split(separator: " ")
            let expected = next[peer] ?? (words[0], 0)
            try #require(words[0] == expected.name && words[1] == "\(expected.number)")
            next[peer] = (expected.name, expected.number + 1)
            total += 1
            if total == peers * each { break }
        }
        #expect(next.count == peers)
        // And each peer gets its own answers only.
        for (peer, state) in next { router.send(Message(Frame(String(state.name))), to: peer) }
        for (name, dealer) in dealers.enumerated() {
            #expect(try await first(of: dealer.messages)?.frames.first?.text == "\(name)")
        }
        await client.shutdown()
        await server.shutdown()
    }

    @Test func dropsAndCountsWhatHasNoPeer() async throws {
        let folder = try PrivateFolder()
        try await withPair(folder.endpoint()) { router, dealer in
            let nobody = PeerID(bytes: [0, 1, 2, 3, 4])
            router.send(Message(Frame("x"), Frame("y")), to: nobody)
            router.send(Message(Frame("x")), to: nobody)
            router.send(Message(Frame("x")), to: PeerID(bytes: []))
            // The failed messages left nothing behind: the next one is whole.
            dealer.send(Message(Frame("hello")))
            let peer = try #require(try await first(of: router.messages)).peer
            router.send(Message(Frame("1"), Frame("2")), to: peer)
            #expect(try await first(of: dealer.messages)?.frames.map(\.text) == ["1", "2"])
            #expect(router.statistics.unroutable == 3)
        }
    }

    @Test func sendsBeforeTheRouterIsThere() async throws {
        let folder = try PrivateFolder()
        let client = try SocketLoop(name: "client")
        let dealer = try await client.connectDealer(folder.endpoint())
        for number in 0..<100 { dealer.send(Message(Frame("\(number)"), Frame("part"))) }
        let server = try SocketLoop(name: "server")
        let router = try await server.bindRouter(folder.endpoint())
        var numbers: [String] = []
        for try await (_, message) in router.messages {
            #expect(message.frames.count == 2)
            numbers.append(try #require(message.frames.first).text)
            if numbers.count == 100 { break }
        }
        #expect(numbers == (0..<100).map(String.init))
        await client.shutdown()
        await server.shutdown()
    }

    @Test func peerThatComesBackIsANewPeer() async throws {
        let folder = try PrivateFolder()
        let server = try SocketLoop(name: "server")
        let router = try await server.bindRouter(folder.endpoint())
        var iterator = router.messages.makeAsyncIterator()
        var peers: Set<PeerID> = []
        for _ in 0..<3 {
            let client = try SocketLoop(name: "client")
            let dealer = try await client.connectDealer(folder.endpoint())
            dealer.send(Message(Frame("hello")))
            let peer = try #require(try await iterator.next()).peer
            peers.insert(peer)
            await client.shutdown()
            // Until the router has seen the connection go, messages to it are queued; then they are unroutable. Neither is an error.
            try await untilGone(peer, from: router)
        }
        #expect(peers.count == 3)
        await server.shutdown()
    }

    @Test func frameOutlivesItsSocketAndLoop() async throws {
        let folder = try PrivateFolder()
        var kept: [Frame] = []
        try await withPair(folder.endpoint()) { router, dealer in
            for size in [5, 40, 9000, 3 << 20] { dealer.send(Message(Frame(pattern(size)))) }
            for try await (_, message) in router.messages {
                kept += message.frames
                if kept.count == 4 { break }
            }
        }
        #expect(kept.map { $0.copyBytes() } == [5, 40, 9000, 3 << 20].map(pattern))
    }
}
