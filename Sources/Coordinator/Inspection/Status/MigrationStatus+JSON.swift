import StateChanges
import Store

extension MigrationStatus {
    /// The document of `--json`. Every key is always there; what is not known is null. Keys may be added, none is taken away.
    var json: JSON {
        .object([
            "time": .number(time),
            "database": .text(database),
            "network": .optional(network),
            "oldest_ledger": .optional(overview?.oldest.number),
            "latest_ledger": .optional(overview?.latest.number),
            "live_ingestion": .text(overview?.liveIngestion.map { $0.isEmpty ? "not running" : "running" } ?? "unknown"),
            "live_ingestion_holders": .list((overview?.liveIngestion ?? []).map(Self.json)),
            "protocols": .list(entries.map(json)),
            "notes": .texts(notes),
            "problems": .texts(problems),
        ])
    }

    private func json(_ entry: Entry) -> JSON {
        .object(
            [
                JSON.Member(key: "id", value: .text(entry.id.rawValue)),
                JSON.Member(key: "classification_status", value: .optional(entry.classification)),
            ] + entry.migrations.map { JSON.Member(key: $0.kind == .history ? "history" : "current_state", value: json($0)) })
    }

    private func json(_ migration: Migration) -> JSON {
        .object([
            "status": .optional(migration.found.status),
            "running": .bool(migration.isRunning),
            "cursor": .optional(migration.cursor),
            "target": .optional(overview?.latest.number),
            "lag_ledgers": .optional(migration.lag),
            "lag_seconds": .optional(migration.lag.map { Double($0) * Self.secondsPerLedger }),
            "ledgers_per_second": .optional(migration.speed),
            "eta_seconds": .optional(migration.secondsLeft),
            "holders": .list(migration.found.holders.map(Self.json)),
        ])
    }

    private static func json(_ holder: LockHolder) -> JSON {
        .object([
            "application_name": .optional(holder.applicationName),
            "server_pid": .integer(Int(holder.pid)),
            "client_address": .optional(holder.clientAddress),
            "connected_since": .optional(holder.connectedSince),
        ])
    }
}
