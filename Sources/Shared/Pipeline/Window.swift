/// How far beyond the last commit work may be given out. It bounds the memory of every process: nobody holds more than what was given out.
public struct Window: Sendable, Equatable {
    /// Batches that are given out or received but not committed.
    public var batches: Int
    /// Bytes of rows that the writer holds uncommitted; reached, only batches that were given out before are given out again.
    public var receivedBytes: Int
    /// Bytes of rows that a batch should not much exceed: where ledgers are rich in events, batches become shorter.
    public var batchBytes: Int

    /// A window of `batches`, 48 MB of rows at the writer and about 8 MB a batch unless said otherwise.
    public init(batches: Int, receivedBytes: Int = 48 << 20, batchBytes: Int = 8 << 20) {
        self.batches = batches
        self.receivedBytes = receivedBytes
        self.batchBytes = batchBytes
    }

    /// The window for a number of fetchers: for each about two batches to work on and two that wait for an earlier one, but enough
    /// ledgers to keep its requests in flight where batches are short.
    public static func forFetchers(_ count: Int, batchSize: Int) -> Window {
        Window(batches: max(1, min(count, 16)) * max(4, 200 / max(1, batchSize)))
    }
}
