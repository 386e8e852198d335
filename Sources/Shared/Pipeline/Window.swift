/// How far beyond the last commit work may be leased. With what each process holds at most, it bounds the memory of every process: nobody holds more
/// than what was leased.
public struct Window: Sendable, Hashable {
    /// Batches that are leased or received but not committed.
    public var batches: Int
    /// Bytes of rows that a batch should not much exceed: where ledgers are rich in events, batches become shorter.
    public var batchBytes: Int

    /// A window of `batches`, with about 8 MB of rows a batch unless said otherwise.
    public init(batches: Int, batchBytes: Int = 8 << 20) {
        self.batches = batches
        self.batchBytes = batchBytes
    }

    /// The window for a number of fetchers: for each about two batches to work on and two that wait for an earlier one, but enough
    /// ledgers to keep its requests in flight where batches are short.
    public static func forFetchers(_ count: Int, batchSize: Int) -> Window {
        Window(batches: max(1, min(count, 16)) * max(4, 200 / max(1, batchSize)))
    }
}
