/// When the catalog is asked again, and what of its answers is new.
package struct ChunkWatchSchedule: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// A chunk may be compressed while it is written.
    package static let interval = Duration.seconds(300)
    private static let day: Int64 = 86_400

    /// The close times that the last answer was about.
    private var answered: Range<Int64>?
    private var nextTime: Instant?
    private var warned: String?

    package init() {}

    /// Whether the catalog is to be asked.
    /// - Parameter closeTime: of the newest ledger, in Unix seconds.
    package func isDue(_ closeTime: UInt64, at now: Instant) -> Bool {
        guard let nextTime, now < nextTime else { return true }
        // A failure is about any ledger.
        guard let answered else { return false }
        return !answered.contains(Int64(clamping: closeTime))
    }

    /// The catalog has answered.
    /// - Returns: the chunk, where it is compressed and this is new.
    package mutating func answered(_ chunk: WatchedChunk?, to closeTime: UInt64, at now: Instant) -> WatchedChunk? {
        let day = Int64(clamping: closeTime) / Self.day
        // A chunk that is yet to be made is not compressed, and lasts a day.
        answered = chunk?.closeTimes ?? (day * Self.day)..<((day + 1) * Self.day)
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
