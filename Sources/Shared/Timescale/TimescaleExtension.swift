public import PostgreSQL
public import Store

/// TimescaleDB as a database has it.
public struct TimescaleExtension: Sendable, Hashable {
    /// What the server's administrator allows to be used.
    public enum License: Sendable, Hashable {
        /// Hypertables without compression and policies.
        case apache
        /// All of it: the Timescale License.
        case community
    }

    /// Major and minor version, such as 2.28.
    public struct Version: Sendable, Hashable, Comparable {
        /// 2 in 2.28.3.
        public let major: Int
        /// 28 in 2.28.3.
        public let minor: Int

        /// Of the numbers themselves.
        public init(_ major: Int, _ minor: Int) {
            self.major = major
            self.minor = minor
        }

        /// By the numbers, not by their digits: 2.9 is older than 2.28.
        public static func < (left: Version, right: Version) -> Bool { (left.major, left.minor) < (right.major, right.minor) }

        /// From a version as the catalog has it, such as `2.28.3` or `2.29.0-dev`; nil where it has no two numbers.
        package init?(_ text: String) {
            let parts = text.split(separator: ".", maxSplits: 2).map { Int($0) }
            guard parts.count >= 2, let major = parts[0], let minor = parts[1] else { return nil }
            self.init(major, minor)
        }
    }

    /// Of the extension in this database, whatever the server has besides.
    public let version: Version
    /// What may be used.
    public let license: License
    /// Whether `enable_chunk_skipping` works.
    public let skipsChunks: Bool
    /// The schema of its functions, quoted for SQL: not every database has it in the search path.
    public let schema: String

    package init(version: Version, license: License, skipsChunks: Bool, schema: String) {
        self.version = version
        self.license = license
        self.skipsChunks = skipsChunks
        self.schema = schema
    }

    /// Looks for the extension; nil where the database does not have it, or the server has not loaded it (`shared_preload_libraries`).
    public static func find(on connection: PostgresConnection) async throws(StoreError) -> TimescaleExtension? {
        do throws(PostgresError) {
            let label = "asking whether the database has TimescaleDB"
            let found = try await connection.query(
                """
                SELECT extversion AS version, quote_ident(nspname) AS schema FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
                WHERE extname = 'timescaledb'
                """, label: label)
            guard let row = found.first else { return nil }
            // Settings of an extension that is not loaded do not exist.
            let settings = try await connection.query(
                """
                SELECT current_setting('timescaledb.license', true) AS license,
                       current_setting('timescaledb.enable_chunk_skipping', true) AS skips_chunks
                """, label: label)
            guard let license = settings.first?["license"], !license.isEmpty else { return nil }
            return TimescaleExtension(
                version: Version(try row.required("version")) ?? Version(0, 0), license: license == "timescale" ? .community : .apache,
                skipsChunks: settings.first?["skips_chunks"] == "on", schema: try row.required("schema"))
        } catch {
            throw .database(error)
        }
    }
}
