import Pipeline
import StateChanges
import Store

extension MigrationPlan {
    /// The document of `--json`. Every key is always there; what is not known is null. Keys may be added, none is taken away.
    var json: JSON {
        .object([
            "protocols": .list(entries.map(json)),
            "target": .optional(target),
            "ledgers": .integer(ledgers),
            "batches": .integer(batches),
            "batch_size": .integer(batchSize),
            "fetchers": .integer(fetchers),
            "cores": .integer(cores),
            "source": .object([
                "endpoint": .optional(source), "latest_ledger": .optional(sourceLatest),
                "needed": needed.map(Self.json) ?? .null, "has_all": .bool(sourceHasAll),
            ]),
            "sample": sample.map(json) ?? .null,
            "estimate": estimate.map(json) ?? .null,
            "assumptions": .texts(assumptions),
            "remarks": .texts(remarks),
            "obstacles": .texts(obstacles),
        ])
    }

    private static func json(_ range: LedgerRange) -> JSON {
        .object(["from": .integer(Int(range.lowerBound)), "to": .integer(Int(range.upperBound))])
    }

    private func json(_ entry: Entry) -> JSON {
        .object([
            "id": .text(entry.id.rawValue), "action": .text(entry.action.rawValue), "cursor": .optional(entry.cursor?.number),
            "from": .optional(entry.ledgers?.lowerBound), "to": .optional(entry.ledgers?.upperBound),
            "ledgers": .integer(entry.ledgers?.count ?? 0), "contracts": .optional(entry.contracts),
            "estimated_rows": .optional(estimate?.rows[entry.id]),
        ])
    }

    private func json(_ sample: LedgerSample) -> JSON {
        let count = Double(max(1, sample.ledgers))
        return .object([
            "places": .list(sample.places.map(Self.json)), "ledgers": .integer(sample.ledgers),
            "ledger_bytes": .number(Double(sample.ledgerBytes) / count), "received_bytes": .number(Double(sample.receivedBytes) / count),
            "rows": .number(Double(sample.rows.values.reduce(0, +)) / count),
            "cpu_milliseconds": .number(sample.cpuSeconds / count * 1000),
            "wait_milliseconds": .number(sample.waitedSeconds / count * 1000),
            "requests_in_flight": .integer(sample.requestsInFlight),
        ])
    }

    private func json(_ estimate: Estimate) -> JSON {
        .object([
            "received_bytes": .number(estimate.receivedBytes), "ledger_bytes": .number(estimate.ledgerBytes),
            "rows": .number(estimate.allRows), "row_bytes": .number(estimate.rowBytes), "seconds": .number(estimate.seconds),
            "bound_by": .text(estimate.bound.rawValue),
            "parallel_fetchers": .integer(estimate.parallel),
        ])
    }
}
