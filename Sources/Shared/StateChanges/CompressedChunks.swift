/// What a migration does where rows have to go into compressed chunks of a TimescaleDB table: `--compressed-chunks`.
public enum CompressedChunks: String, Codable, Sendable, Hashable, CaseIterable {
    /// The cheaper way for each chunk: decompress it first, or write into it as it is.
    case auto
    /// Write into chunks as they are, however long it takes.
    case write
    /// End the run.
    case refuse
}
