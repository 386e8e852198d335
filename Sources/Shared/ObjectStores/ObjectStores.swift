/// The stores that this module can read.
public enum ObjectStores {
    /// Opens the store at a path. Nothing is asked of it yet.
    ///
    /// - Parameter path: `s3://bucket/path`, `gs://bucket/path`, `https://host/path`, `http://host/path` or `file:///path`;
    ///   a bare `bucket/path` is S3.
    /// - Throws: `invalidAddress`.
    public static func open(_ path: String, _ options: ObjectStoreOptions = ObjectStoreOptions()) throws(ObjectStoreError)
        -> any ObjectStore
    {
        switch try StoreLocation(path) {
        case .s3(let bucket, let path): return try BucketStore(.s3, bucket: bucket, path: path, options)
        case .gcs(let bucket, let path): return try BucketStore(.gcs, bucket: bucket, path: path, options)
        case .http(let url): return try HTTPStore(url, options)
        case .folder(let path): return FolderStore(path, options)
        }
    }
}
