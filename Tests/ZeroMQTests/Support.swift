import Foundation
import ZeroMQ

/// A folder of its own for the socket files of one test; short enough for a socket's path, gone with the last reference.
final class PrivateFolder: Sendable {
    let path: String

    init() throws {
        path = "/tmp/zmq-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func endpoint(_ name: String = "s") -> String { "ipc://\(path)/\(name)" }
}

/// Bytes that differ from one place to the next (a block of a prime length, repeated) and from one length to the next.
func pattern(_ count: Int) -> [UInt8] {
    let block = (0..<4099).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ count) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + block.count)
    while bytes.count < count { bytes.append(contentsOf: block) }
    bytes.removeSubrange(count...)
    return bytes
}

extension Frame {
    /// The UTF-8 form of a text.
    convenience init(_ text: String) { self.init(Array(text.utf8)) }

    var text: String { String(decoding: copyBytes(), as: UTF8.self) }
}

extension SocketStatistics {
    /// Nothing was dropped, nothing waits.
    static let nothing = (unroutable: 0, refused: 0, backlogBytes: 0)

    static func == (statistics: Self, counts: (unroutable: Int, refused: Int, backlogBytes: Int)) -> Bool {
        (statistics.unroutable, statistics.refused, statistics.backlogBytes) == counts
    }
}

func first<Element>(of messages: MessageSequence<Element>) async throws -> Element? {
    var iterator = messages.makeAsyncIterator()
    return try await iterator.next()
}

/// What a test waited for in vain, for a minute.
struct NeverTrue: Error {
    let condition: String
}

/// Lets others run until something is true.
func wait(until condition: String, _ isTrue: () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while !isTrue() {
        guard ContinuousClock.now < deadline else { throw NeverTrue(condition: condition) }
        await Task.yield()
    }
}

/// Waits until a router has seen a connection go: from then on what is sent to it is unroutable.
func untilGone(_ peer: PeerID, from router: RouterSocket) async throws {
    let before = router.statistics.unroutable
    try await wait(until: "the connection is gone") {
        router.send(Message(Frame("anybody there?")), to: peer)
        return router.statistics.unroutable > before
    }
}
