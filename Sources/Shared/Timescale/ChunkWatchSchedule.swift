/// When the catalog is asked again, and what of its answers is new.
package struct ChunkWatchSchedule: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// A chunk may be compressed while it is written.
    package static let interval = Duration.seconds(300)
    private static let day: Int64 = 86_400_000_000

    /// The close times that the last answer was about.
    private var answered: Range<Int64>?
    private var nextTime: Instant?
    private var warned: String?

    package init() {}

    /// Whether the catalog is to be asked.
    /// - Parameter closeTime: of the newest ledger, in microseconds since 2000-01-01.
    package func isDue(_ closeTime: Int64, at now: Instant) -> Bool {
        guard let nextTime, now < nextTime else { return true }
        // A failure is about any ledger.
        guard let answered else { return false }
        return !answered.contains(closeTime)
    }

    /// The catalog has answered.
    /// - Returns: the chunk, where it is compressed and this is new.
    package mutating func answered(_ chunk: Chunk?, to closeTime: Int64, at now: Instant) -> Chunk? {
        // A chunk that is yet to be made is not compressed, and lasts a day.
        let midnight = closeTime - ((closeTime % Self.day) + Self.day) % Self.day
        answered = chunk?.times ?? midnight..<(midnight + Self.day)
        nextTime = now + Self.interval
        guard let chunk, chunk.isCompressed, chunk.name != warned else { return nil }
        warned = chunk.name
        return chunk
    }

    /// The catalog has not answered.
    package mutating func failed(at now: Instant) {
        answered = nil
        nextTime = now + Self.interval
    }
}
