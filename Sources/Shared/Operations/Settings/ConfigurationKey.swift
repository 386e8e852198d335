/// A setting that a configuration file may hold.
///
/// One file serves all programs of the group, so each of them knows the settings of all: a key that none of them has is a mistake.
public struct ConfigurationKey: Sendable, Hashable {
    /// The flag without its dashes.
    public let name: String
    /// A list of values is allowed; its items count as separated by commas.
    public let isList: Bool

    private init(_ name: String, isList: Bool = false) {
        self.name = name
        self.isList = isList
    }

    /// The environment variable of the same setting: `BATCH_SIZE` for `batch-size`.
    public var variable: String { Self.variable(of: name) }

    /// All of them. What is asked for once, such as `--rebuild` or `--json`, is a flag only.
    public static let all: [ConfigurationKey] =
        [ConfigurationKey("protocol-id", isList: true)]
        + [
            "database-url", "rpc-url", "ledger-backend-type", "datastore-bucket-path", "datastore-region", "datastore-endpoint-url",
            "datastore-unsigned", "datastore-num-workers", "datastore-retry-limit", "datastore-retry-wait", "datastore-ledgers-per-file",
            "datastore-files-per-partition", "network-passphrase", "network", "oldest-ledger-cursor-name", "latest-ledger-cursor-name",
            "batch-size", "fetchers", "endpoint", "rows-endpoint", "convergence-wait", "compressed-chunks", "start-ledger",
            "rpc-concurrency", "rpc-page-size", "progress", "status-port", "status-address", "metrics-port", "log-level", "log-format",
        ].map { ConfigurationKey($0) }

    static let byName = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })

    static func variable(of name: String) -> String { name.uppercased().replacing("-", with: "_") }

    /// The known name that looks most like another; nil where none does.
    static func nearest(to name: String) -> String? {
        // Whoever writes the variable's name means the key.
        let wanted = name.lowercased().replacing("_", with: "-")
        let ranked = all.map { (name: $0.name, distance: editDistance(Array(wanted.utf8), Array($0.name.utf8))) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= max(2, best.name.utf8.count / 3) else {
            return nil
        }
        return best.name
    }

    /// How many bytes have to be put in, left out or replaced (Levenshtein).
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a == b ? 0 : 1))
                diagonal = above
            }
        }
        return row[right.count]
    }
}
