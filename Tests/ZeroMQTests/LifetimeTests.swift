import Foundation
import Testing
import ZeroMQ

@Suite struct LifetimeTests {
    @Test func shutdownLetsTheLastMessagesOut() async throws {
        let folder = try PrivateFolder()
        let server = try SocketLoop(name: "server")
        let router = try await server.bindRouter(folder.endpoint())
        let client = try SocketLoop(name: "client")
        let dealer = try await client.connectDealer(folder.endpoint())
        let (count, size) = (500, 100_000)
        for _ in 0..<count { dealer.send(Message(Frame(pattern(size)))) }
        // Long, as the machine may be slow; it returns as soon as everything is out.
        await client.shutdown(linger: .seconds(60))
        var received = 0
        for try await (_, message) in router.messages {
            #expect(message.byteCount == size)
            received += 1
            if received == count { break }
        }
        // Too late: dropped.
        dealer.send(Message(Frame("too late")))
        await server.shutdown()
    }

    @Test func shutdownEndsTheSequencesAndIsIdempotent() async throws {
        let folder = try PrivateFolder()
        let loop = try SocketLoop(name: "server")
        let router = try await loop.bindRouter(folder.endpoint())
        let dealer = try await loop.connectDealer(folder.endpoint())
        async let routerEnd: Int = count(router.messages)
        async let dealerEnd: Int = count(dealer.messages)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<5 { group.addTask { await loop.shutdown() } }
        }
        await loop.shutdown()
        #expect(try await routerEnd == 0)
        #expect(try await dealerEnd == 0)
        router.send(Message(Frame("x")), to: PeerID(bytes: [1]))
        router.close()
        await #expect {
            try await loop.bindRouter(folder.endpoint())
        } throws: {
            ($0 as? ZeroMQError)?.code == .closed
        }
    }

    @Test func shutdownWithoutAPeerEndsWithTheLinger() async throws {
        let folder = try PrivateFolder()
        let loop = try SocketLoop(name: "client")
        let dealer = try await loop.connectDealer(folder.endpoint())
        for _ in 0..<100 { dealer.send(Message(Frame(pattern(100_000)))) }
        await loop.shutdown(linger: .milliseconds(50))
    }

    @Test func socketOfNobodyIsClosed() async throws {
        let folder = try PrivateFolder()
        let loop = try SocketLoop(name: "server")
        let stream = try await loop.bindRouter(folder.endpoint()).messages
        // The sequence alone keeps the socket open.
        let dealer = try await loop.connectDealer(folder.endpoint())
        dealer.send(Message(Frame("hello")))
        #expect(try await first(of: stream) != nil)
        weak let gone = try await loop.connectDealer(folder.endpoint())
        #expect(gone == nil)
        await loop.shutdown()
    }

    @Test func loopOfNobodyEnds() async throws {
        let folder = try PrivateFolder()
        let server = try SocketLoop(name: "server")
        let router = try await server.bindRouter(folder.endpoint())
        do {
            let dealer = try await SocketLoop(name: "client").connectDealer(folder.endpoint())
            dealer.send(Message(Frame("last words")))
        }
        var iterator = router.messages.makeAsyncIterator()
        let (peer, message) = try #require(try await iterator.next())
        #expect(message.frames.first?.text == "last words")
        // The connection goes, so the loop has ended.
        try await untilGone(peer, from: router)
        await server.shutdown()
    }

    @Test func closingWhileOthersSendAndReceive() async throws {
        let folder = try PrivateFolder()
        for _ in 0..<20 {
            let server = try SocketLoop(name: "server")
            let router = try await server.bindRouter(folder.endpoint())
            let client = try SocketLoop(name: "client")
            let dealer = try await client.connectDealer(folder.endpoint())
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    group.addTask { for number in 0..<200 { dealer.send(Message(Frame(pattern(number * 50)))) } }
                }
                group.addTask { for try await (peer, message) in router.messages { router.send(message, to: peer) } }
                group.addTask { for try await _ in dealer.messages {} }
                group.addTask {
                    dealer.close(linger: .zero)
                    dealer.close()
                    await client.shutdown(linger: .zero)
                    await server.shutdown(linger: .zero)
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func cancellationEndsTheConsumer() async throws {
        let folder = try PrivateFolder()
        let loop = try SocketLoop(name: "server")
        let router = try await loop.bindRouter(folder.endpoint())
        let consumer = Task { try await count(router.messages) }
        consumer.cancel()
        #expect(try await consumer.value == 0)
        await loop.shutdown()
    }

    @Test func deathOfAPeerIsNoError() async throws {
        let folder = try PrivateFolder()
        let server = try SocketLoop(name: "server")
        let router = try await server.bindRouter(folder.endpoint())
        let victim = try SocketLoop(name: "victim")
        let dealer = try await victim.connectDealer(folder.endpoint())
        dealer.send(Message(Frame("hello")))
        var iterator = router.messages.makeAsyncIterator()
        let peer = try #require(try await iterator.next()).peer
        // Much more than the kernel's buffers hold, to a peer that reads no more.
        for _ in 0..<200 { router.send(Message(Frame(pattern(100_000))), to: peer) }
        await victim.shutdown(linger: .zero)
        let client = try SocketLoop(name: "client")
        let other = try await client.connectDealer(folder.endpoint())
        other.send(Message(Frame("still there?")))
        let received = try #require(try await iterator.next())
        router.send(Message(Frame("yes")), to: received.peer)
        #expect(try await first(of: other.messages)?.frames.first?.text == "yes")
        await client.shutdown()
        await server.shutdown()
    }

    // MARK: The file of an ipc socket

    @Test func replacesASocketFileLeftBehind() async throws {
        let folder = try PrivateFolder()
        try makeSocketFile("\(folder.path)/s")
        let loop = try SocketLoop(name: "server")
        let router = try await loop.bindRouter(folder.endpoint())
        let dealer = try await loop.connectDealer(folder.endpoint())
        dealer.send(Message(Frame("hello")))
        #expect(try await first(of: router.messages) != nil)
        await loop.shutdown()
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/s"))
    }

    @Test func canListenAgainAtOnce() async throws {
        let folder = try PrivateFolder()
        let loop = try SocketLoop(name: "server")
        for _ in 0..<20 {
            let router = try await loop.bindRouter(folder.endpoint())
            let dealer = try await loop.connectDealer(folder.endpoint())
            dealer.send(Message(Frame("hello")))
            #expect(try await first(of: router.messages) != nil)
            router.close()
            dealer.close()
        }
        await loop.shutdown()
    }

    @Test func doesNotTakeALiveSocketOrAnotherFile() async throws {
        let folder = try PrivateFolder()
        let loop = try SocketLoop(name: "server")
        let router = try await loop.bindRouter(folder.endpoint())
        let other = try SocketLoop(name: "other")
        await #expect {
            try await other.bindRouter(folder.endpoint())
        } throws: {
            ($0 as? ZeroMQError)?.code == .endpointInUse
        }
        try Data("precious".utf8).write(to: URL(filePath: "\(folder.path)/file"))
        await #expect {
            try await other.bindRouter(folder.endpoint("file"))
        } throws: {
            ($0 as? ZeroMQError)?.code == .endpointInUse
        }
        #expect(try Data(contentsOf: URL(filePath: "\(folder.path)/file")) == Data("precious".utf8))
        let tcp = try await loop.bindRouter("tcp://127.0.0.1:*")
        await #expect {
            try await other.bindRouter(tcp.endpoint)
        } throws: {
            ($0 as? ZeroMQError)?.code == .endpointInUse
        }
        // The failures cost the loop nothing.
        let dealer = try await other.connectDealer(folder.endpoint())
        dealer.send(Message(Frame("hello")))
        #expect(try await first(of: router.messages) != nil)
        await other.shutdown()
        await loop.shutdown()
    }

    @Test func namesTheEndpointThatCannotBeBound() async throws {
        let loop = try SocketLoop(name: "server")
        await #expect {
            try await loop.bindRouter("ipc:///nonexistent/folder/s")
        } throws: {
            let error = $0 as? ZeroMQError
            return error?.code == .bindFailed && error?.message.contains("/nonexistent/folder/s") == true && error?.systemError == ENOENT
        }
        await #expect {
            try await loop.connectDealer("tcp://127.0.0.1:*")
        } throws: {
            ($0 as? ZeroMQError)?.code == .invalidEndpoint
        }
        await loop.shutdown()
    }

    /// What a process leaves that is killed while it listens.
    private func makeSocketFile(_ path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(result == 0)
        try #require(listen(descriptor, 1) == 0)
    }
}

private func count<Element>(_ messages: MessageSequence<Element>) async throws -> Int {
    var total = 0
    for try await _ in messages { total += 1 }
    return total
}
