import Foundation
import Pipeline
import StateChanges
import Store

extension MigrationPlan {
    /// For a terminal of 100 columns.
    var text: String {
        var lines = table.lines + [""]
        func add(_ label: String, _ text: String) { lines += LabelledText(label: label, text: text).lines(indent: 11) }
        add("source", sourceText)
        if ledgers > 0 {
            let each =
                "\(Readable.grouped(ledgers)) ledgers, each fetched once; \(Readable.grouped(batches)) batches of at most \(batchSize)"
            add("work", each)
        }
        if let sample, sample.ledgers > 0 {
            let count = Double(sample.ledgers)
            let rows = Double(sample.rows.values.reduce(0, +)) / count
            add(
                "sample",
                "\(sample.ledgers) ledgers (\(sample.places.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", "))): "
                    + "\(Readable.bytes(Double(sample.ledgerBytes) / count)) and \(Readable.decimal(rows)) rows a ledger; "
                    + "\(milliseconds(sample.cpuSeconds / count)) of processor time, \(milliseconds(sample.waitedSeconds / count)) with one request at a time"
            )
        }
        if let estimate {
            let rows = estimate.rows.sorted { $0.key < $1.key }.map { "\($0.key.rawValue) \(Readable.count($0.value))" }
            add(
                "receives",
                "about \(Readable.bytes(estimate.receivedBytes)) from the source (\(Readable.bytes(estimate.ledgerBytes)) of ledgers)")
            add(
                "writes",
                "about \(Readable.count(estimate.allRows)) rows (\(rows.joined(separator: ", "))), \(Readable.bytes(estimate.rowBytes)) before indexes"
            )
            add("takes", "about \(Readable.duration(estimate.seconds)); what is scarcest: \(Self.words(estimate.bound))")
        }
        for assumption in assumptions { add(assumption == assumptions.first ? "assuming" : "", assumption) }
        for remark in remarks { add("remark", remark) }
        for obstacle in obstacles { add("obstacle", obstacle) }
        if obstacles.isEmpty {
            add("verdict", verdict)
        } else {
            add("verdict", "a run would stop: \(obstacles.count) obstacle\(obstacles.count == 1 ? "" : "s")")
        }
        return lines.joined(separator: "\n")
    }

    private static func words(_ bound: Estimate.Bound) -> String {
        switch bound {
        case .processor: "processor time"
        case .source: "responses of the source"
        case .database: "the database"
        }
    }

    private var verdict: String {
        guard obstacles.isEmpty else { return "a run would stop: \(obstacles.count) obstacle\(obstacles.count == 1 ? "" : "s")" }
        return entries.contains { $0.action != .complete }
            ? "a run can begin; nothing was written for this plan" : "nothing to migrate: every protocol's history is complete"
    }

    private var sourceText: String {
        guard let source else { return "cannot be opened" }
        var text = source
        if let sourceLatest { text += ", up to ledger \(sourceLatest)" }
        if let needed {
            let range = "\(needed.lowerBound)-\(needed.upperBound)"
            text += sourceHasAll ? "; has the ledgers needed, \(range)" : "; ledgers \(range) are needed: see the obstacles"
        }
        return text
    }

    private func milliseconds(_ seconds: Double) -> String { "\(Readable.decimal(seconds * 1000)) ms" }

    private var table: TextTable {
        var table = TextTable([
            ("PROTOCOL", .left), ("ACTION", .left), ("CURSOR NOW", .right), ("FROM", .right), ("TO", .right), ("LEDGERS", .right),
            ("CONTRACTS", .right),
        ])
        for entry in entries {
            table.add([
                entry.id.rawValue, entry.action.rawValue, entry.cursor?.shortText ?? "-", entry.ledgers.map { "\($0.lowerBound)" } ?? "-",
                entry.ledgers.map { "\($0.upperBound)" } ?? "-", entry.ledgers.map { Readable.grouped($0.count) } ?? "-",
                entry.contracts.map(Readable.grouped) ?? "-",
            ])
        }
        return table
    }
}
