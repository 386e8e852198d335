public import NIOCore

/// Objects by key, to be read.
///
/// One try per call: how often and how long a transient failure is tried again is the caller's to say. A store does correct by itself what
/// belongs to its protocol: the region of a bucket, and credentials that have expired, once per call.
public protocol ObjectStore: Sendable {
    /// The store and path for messages, such as `s3://bucket/path`, without secrets.
    var address: String { get }

    /// The object with this key (relative to the path), whole.
    ///
    /// - Parameters:
    ///   - limit: most bytes that are taken.
    ///   - onArrival: called once all of the object is here, on the thread that received it; the caller itself may have to wait for a thread.
    /// - Returns: nil where there is no such object.
    /// - Throws: `tooLarge` beyond the limit, else why the object could not be had.
    func get(_ key: String, limit: Int, onArrival: @escaping @Sendable () -> Void) async throws(ObjectStoreError) -> ByteBuffer?

    /// The first keys (relative to the path) in the order of the store, ascending by their bytes, that begin with `prefix`.
    ///
    /// - Parameter limit: most keys that are returned.
    /// - Returns: nil where this store cannot list (plain HTTP).
    func list(prefix: String, limit: Int) async throws(ObjectStoreError) -> [String]?

    /// Ends connections and threads. Calls under way end with `closed`, and so do later ones.
    func shutdown() async
}

extension ObjectStore {
    /// The object with this key, for a caller to whom its arrival alone says nothing.
    public func get(_ key: String, limit: Int) async throws(ObjectStoreError) -> ByteBuffer? {
        try await get(key, limit: limit) {}
    }
}
