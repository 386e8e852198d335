/// One run of the migration: every message carries it, so that a message of an earlier run is recognised and dropped.
public struct RunID: RawRepresentable, Hashable, Codable, Sendable, CustomStringConvertible {
    /// A random identifier, unique for all practical purposes.
    public let rawValue: String

    /// Takes an identifier that came with a message.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// A fresh identifier, short enough for a log line.
    public static func random() -> RunID {
        var generator = SystemRandomNumberGenerator()
        return RunID(rawValue: String(generator.next() as UInt64, radix: 36))
    }

    /// The identifier itself.
    public var description: String { rawValue }
}

/// A round: a stretch of a run between two readings of the database, numbered from 1. Whatever was assigned, delivered or reported in an earlier
/// round is void: a new round starts from the cursors in the database, which alone are the truth.
public typealias RoundNumber = Int

/// A number that the coordinator gives to a worker at its registration, unique within the run: a worker that registers again is another one.
public typealias WorkerID = Int

/// A batch's number, unique within its round; a batch that is leased again gets another.
public typealias BatchID = Int

/// Ledgers from the first to the last, both included.
public typealias LedgerRange = ClosedRange<UInt32>
