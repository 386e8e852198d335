import PostgreSQL

/// Live ingestion as the Go tool does it, at the test's pace: it notes which history cursors exist when it starts, and looks for further ones only
/// every hundred ledgers. Its rows are those that the fixture expects, not those that our processors make.
actor GoLiveIngestion {
    private let connection: PostgresConnection
    private let fixture: Fixture
    private let ledgersBetweenLooks: UInt32
    private var known: [String] = []
    private var passed: UInt32 = 0
    private(set) var latest: UInt32

    /// Starts it: takes its lock and notes the cursors.
    init(_ stage: Stage, ledgersBetweenLooks: UInt32 = 100) async throws {
        connection = try await PostgresConnection.connect(stage.database, applicationName: "wallet-backend live ingestion")
        fixture = stage.fixture
        self.ledgersBetweenLooks = ledgersBetweenLooks
        try await connection.query("SELECT pg_advisory_lock($1)", [Self.lockKey(network: "test")])
        latest =
            UInt32(
                try await connection.query("SELECT value FROM ingest_store WHERE key = 'latest_ingest_ledger'").first?["value"] ?? "") ?? 0
        try await look()
    }

    /// FNV-1a 64 of the lock's name, signed.
    static func lockKey(network: String) -> String {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in "wallet-backend-ingest-\(network)".utf8 { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        return "\(Int64(bitPattern: hash))"
    }

    private func look() async throws {
        known = try await connection.query(
            "SELECT split_part(key, '_', 2) AS id FROM ingest_store WHERE key LIKE 'protocol\\_%\\_history\\_cursor' ORDER BY 1"
        ).compactMap { $0["id"] }
    }

    /// Ingests the next ledger in one transaction.
    /// - Parameter classifying: SQL that stands for the classification of what the ledger deployed.
    /// - Returns: the protocols whose cursor went along.
    @discardableResult
    func ingest(classifying script: String = "") async throws -> [String] {
        passed += 1
        if passed % ledgersBetweenLooks == 0 { try await look() }
        let ledger = latest + 1
        let (known, fixture) = (known, fixture)
        let taken = try await connection.perform { session throws(PostgresError) in
            try session.transaction(.readCommitted) { () throws(PostgresError) in
                try session.query(
                    "UPDATE ingest_store SET value = $1 WHERE key = 'latest_ingest_ledger' AND value = $2", ["\(ledger)", "\(ledger - 1)"])
                if !script.isEmpty { try session.execute(script) }
                var taken: [String] = []
                for id in known {
                    let swapped = try session.query(
                        "UPDATE ingest_store SET value = $2 WHERE key = $1 AND value = $3 RETURNING key",
                        ["protocol_\(id)_history_cursor", "\(ledger)", "\(ledger - 1)"])
                    if swapped.isEmpty { continue }
                    taken.append(id)
                    for row in fixture.expected where row.ledger == ledger && row.protocolID == id { try session.execute(row.insertion) }
                }
                return taken
            }
        }
        latest = ledger
        return taken
    }

    /// Ends it; its lock goes with the session.
    func end() async { await connection.close() }
}

extension StateChangeRow {
    /// SEP50's numbers begin at 3 << 40.
    var protocolID: String { stateChangeID < 3 << 40 ? "SEP41" : "SEP50" }

    /// The row as an INSERT. The fixture's texts hold no quotes.
    fileprivate var insertion: String {
        var names = ["ledger_number", "to_id", "operation_id", "state_change_id"]
        var values = ["\(ledger)", "\(toID)", "\(operationID)", "\(stateChangeID)"]
        for (name, value) in columns {
            names.append(name)
            switch name {
            case "ledger_created_at": values.append("to_timestamp(\(value))")
            case "key_value":
                let members = value.split(separator: ",").map { member in
                    let parts = member.split(separator: "=", maxSplits: 1)
                    return "\"\(parts[0])\": \(parts.count > 1 ? parts[1] : "null")"
                }
                values.append("'{\(members.joined(separator: ", "))}'")
            default: values.append("'\(value)'")
            }
        }
        return "INSERT INTO state_changes(\(names.joined(separator: ", "))) VALUES (\(values.joined(separator: ", ")))"
    }
}
