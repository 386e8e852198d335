import Foundation
import Glibc
import Testing
import ZeroMQ

/// What comes from outside harms the connection it comes by, and nothing else.
@Suite struct HostilePeerTests {
    /// A router with limits, a peer that behaves, and raw connections that do not.
    private func withRouter(
        _ limits: SocketLimits, endpoint given: String? = nil, _ body: (RouterSocket, DealerSocket, PrivateFolder) async throws -> Void
    ) async throws {
        let folder = try PrivateFolder()
        let server = try SocketLoop(name: "server")
        let client = try SocketLoop(name: "client")
        let router = try await server.bindRouter(given ?? folder.endpoint(), limits: limits)
        let good = try await client.connectDealer(router.endpoint)
        good.send(Message(Frame("hello")))
        #expect(try await first(of: router.messages)?.message.frames.first?.text == "hello")
        try await body(router, good, folder)
        good.send(Message(Frame("still here")))
        // libzmq still takes garbage without a greeting for ZMTP 1.0, so a part of it may come as messages: those are the protocol's business.
        for try await (_, message) in router.messages where message.frames.first?.text == "still here" { break }
        await client.shutdown()
        await server.shutdown()
    }

    @Test func anOversizedFrameClosesThatConnectionOnly() async throws {
        try await withRouter(SocketLimits(longestFrame: 1 << 20)) { router, _, folder in
            let peer = try RawPeer(path: folder.path + "/s")
            try peer.shakeHands()
            // As long as allowed.
            try peer.send(RawPeer.frame([UInt8](repeating: 7, count: 1 << 20)))
            #expect(try await first(of: router.messages)?.message.byteCount == 1 << 20)
            // Its announcement is enough, no byte of it comes.
            try peer.send(RawPeer.header(length: 1 << 20 + 1))
            #expect(try peer.isClosedByTheOtherSide())
            for length in [UInt64.max, 1 << 63, 1 << 40] {
                let peer = try RawPeer(path: folder.path + "/s")
                try peer.shakeHands()
                try peer.send(RawPeer.header(length: length))
                #expect(try peer.isClosedByTheOtherSide())
            }
            #expect(router.statistics == SocketStatistics.nothing)
        }
    }

    @Test func aDealersLimitHoldsAsWell() async throws {
        let folder = try PrivateFolder()
        let loop = try SocketLoop(name: "loop")
        let router = try await loop.bindRouter(folder.endpoint())
        let narrow = try await loop.connectDealer(folder.endpoint(), limits: SocketLimits(longestFrame: 1000))
        narrow.send(Message(Frame("hello")))
        let peer = try #require(try await first(of: router.messages)).peer
        router.send(Message(Frame(pattern(1000))), to: peer)
        #expect(try await first(of: narrow.messages)?.byteCount == 1000)
        router.send(Message(Frame(pattern(1001))), to: peer)
        try await untilGone(peer, from: router)
        // It is not connected again, and says so in its counts.
        try await wait(until: "the dealer cannot send") {
            narrow.send(Message(Frame("x")))
            return narrow.statistics.unroutable > 0
        }
        await loop.shutdown()
    }

    @Test func aMessageOfTooManyFramesIsRefused() async throws {
        try await withRouter(SocketLimits(longestFrame: 1000, framesPerMessage: 3)) { router, _, folder in
            let client = try SocketLoop(name: "other client")
            let dealer = try await client.connectDealer(folder.endpoint())
            var messages = router.messages.makeAsyncIterator()
            for count in [3, 4, 5000, 1] { dealer.send(Message((0..<count).map { Frame("\($0)") })) }
            // The messages before and after are whole.
            #expect(try await messages.next()?.message.frames.map(\.text) == ["0", "1", "2"])
            #expect(try await messages.next()?.message.frames.map(\.text) == ["0"])
            #expect(router.statistics == (unroutable: 0, refused: 2, backlogBytes: 0))
            await client.shutdown()
        }
    }

    @Test(arguments: ["ipc", "tcp://127.0.0.1:*"])
    func garbageInsteadOfAGreetingHarmsNobody(endpoint: String) async throws {
        try await withRouter(SocketLimits(), endpoint: endpoint == "ipc" ? nil : endpoint) { router, _, folder in
            var random = SystemRandomNumberGenerator()
            let garbage = (0..<10_000).map { _ in UInt8.random(in: 0...255, using: &random) }
            let beginnings: [[UInt8]] = [
                Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), [UInt8](repeating: 0xFF, count: 300), garbage,
                // A greeting of ZMTP 3 with a mechanism that nobody speaks, and one that is cut off.
                RawPeer.greeting(mechanism: "GSSAPI") + garbage, Array(RawPeer.greeting().prefix(20)),
                // A handshake with garbage for a command, and one after which there is no frame.
                RawPeer.greeting() + [0x04, 5] + Array("XXXXX".utf8), RawPeer.greeting() + RawPeer.ready + [0xFF, 0xFF, 0xFF],
            ]
            for (index, beginning) in beginnings.enumerated() {
                let peer =
                    switch router.endpoint.transport {
                    case .ipc: try RawPeer(path: folder.path + "/s")
                    case .tcp(_, let port): try RawPeer(port: try #require(port))
                    }
                // The other side may have closed before it is all sent.
                try? peer.send(beginning)
                if index == 3 { #expect(try peer.isClosedByTheOtherSide()) }
            }
        }
    }

    @Test func whatTheConsumerDoesNotTakeStaysWithThePeer() async throws {
        let folder = try PrivateFolder()
        let server = try SocketLoop(name: "server")
        let client = try SocketLoop(name: "client")
        let (limit, size, count) = (1 << 20, 64 << 10, 1000)
        let rows = try await server.bindRouter(folder.endpoint("rows"), limits: SocketLimits(longestFrame: size, backlogBytes: limit))
        let control = try await server.bindRouter(folder.endpoint("control"))
        let sender = try await client.connectDealer(folder.endpoint("rows"))
        let other = try await client.connectDealer(folder.endpoint("control"))
        for number in 0..<count { sender.send(Message(Frame("\(number)"), Frame(pattern(size)))) }
        try await wait(until: "the backlog is full") { rows.statistics.backlogBytes >= limit }
        // The other sockets of the same loop go on, and the full one takes nothing more meanwhile.
        var questions = control.messages.makeAsyncIterator()
        var replies = other.messages.makeAsyncIterator()
        for _ in 0..<1000 {
            other.send(Message(Frame("ping")))
            let received = try #require(try await questions.next())
            control.send(received.message, to: received.peer)
            _ = try #require(try await replies.next())
        }
        #expect(rows.statistics.backlogBytes < limit + size + 1000)
        // It all comes when it is taken.
        var next = 0
        for try await (_, message) in rows.messages {
            try #require(message.frames.first?.text == "\(next)")
            next += 1
            if next == count { break }
        }
        #expect(rows.statistics == SocketStatistics.nothing)
        await client.shutdown()
        await server.shutdown()
    }

    @Test func emptyMessagesCountAsWell() async throws {
        let folder = try PrivateFolder()
        let loop = try SocketLoop(name: "loop")
        let router = try await loop.bindRouter(folder.endpoint(), limits: SocketLimits(longestFrame: 100, backlogBytes: 10_000))
        let dealer = try await loop.connectDealer(folder.endpoint())
        let count = 20_000
        for _ in 0..<count { dealer.send(Message(Frame(""))) }
        try await wait(until: "the backlog is full") { router.statistics.backlogBytes >= 10_000 }
        var received = 0
        for try await _ in router.messages {
            received += 1
            try #require(router.statistics.backlogBytes <= 10_128)
            if received == count { break }
        }
        await loop.shutdown()
    }

    @Test func aFullSocketCanBeClosed() async throws {
        let folder = try PrivateFolder()
        let loop = try SocketLoop(name: "loop")
        let router = try await loop.bindRouter(folder.endpoint(), limits: SocketLimits(backlogBytes: 1))
        let dealer = try await loop.connectDealer(folder.endpoint())
        for _ in 0..<100 { dealer.send(Message(Frame("x"))) }
        try await wait(until: "the backlog is full") { router.statistics.backlogBytes > 0 }
        router.close()
        dealer.close(linger: .zero)
        var received = 0
        // It ends; until the loop has closed the socket, each message that is taken may make room for another.
        for try await _ in router.messages { received += 1 }
        #expect((1...100).contains(received))
        await loop.shutdown()
    }
}

/// A connection that speaks ZMTP 3.0 by hand, or does not.
private final class RawPeer {
    private let descriptor: Int32

    init(path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try connect(&address)
    }

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        try connect(&address)
    }

    deinit { close(descriptor) }

    private func connect<Address>(_ address: inout Address) throws {
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size)) }
        }
        try #require(result == 0)
        // Every wait has a limit.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw POSIXError(.EPIPE) }
            sent += count
        }
    }

    func shakeHands() throws {
        try send(Self.greeting() + Self.ready)
    }

    /// Reads to the end: what is there is the other side's greeting.
    func isClosedByTheOtherSide() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count == 0 || (count < 0 && errno == ECONNRESET) { return true }
            if count < 0 { return false }
        }
    }

    static func greeting(mechanism: String = "NULL") -> [UInt8] {
        let name = Array(mechanism.utf8) + [UInt8](repeating: 0, count: 20 - mechanism.utf8.count)
        return [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 0] + name + [UInt8](repeating: 0, count: 32)
    }

    static var ready: [UInt8] {
        let body = [5] + Array("READY".utf8) + [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
        return [0x04, UInt8(body.count)] + body
    }

    static func header(length: UInt64) -> [UInt8] {
        [0x02] + (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) }
    }

    static func frame(_ bytes: [UInt8]) -> [UInt8] {
        header(length: UInt64(bytes.count)) + bytes
    }
}
