import Foundation
import Operations
import StateChanges
import Store

extension MigrationStatus {
    /// For a terminal of 100 columns.
    var text: String {
        var lines = LabelledText(label: "database", text: database).lines(indent: Self.indent)
        for problem in problems { lines += LabelledText(label: "problem", text: problem).lines(indent: Self.indent) }
        guard let overview, overview.missingTables.isEmpty else { return lines.joined(separator: "\n") }
        lines += LabelledText(label: "ledgers", text: "oldest \(overview.oldest), latest \(overview.latest)").lines(indent: Self.indent)
        lines += LabelledText(label: "live", text: live(overview)).lines(indent: Self.indent)
        lines.append("")
        lines += table.lines
        lines.append("")
        for (holder, work) in work {
            let text = "\(work.joined(separator: ", ")): \(holder)"
            lines += LabelledText(label: "running", text: text).lines(indent: Self.indent)
        }
        for note in notes { lines += LabelledText(label: "note", text: note).lines(indent: Self.indent) }
        while lines.last == "" { lines.removeLast() }
        return lines.joined(separator: "\n")
    }

    private static let indent = 10

    /// What each session works on; one coordinator migrates several protocols.
    private var work: [(holder: LockHolder, work: [String])] {
        var work: [(holder: LockHolder, work: [String])] = []
        for entry in entries {
            for migration in entry.migrations {
                for holder in migration.found.holders {
                    let name = "\(entry.id.rawValue) \(migration.kind.rawValue)"
                    if let known = work.firstIndex(where: { $0.holder == holder }) {
                        work[known].work.append(name)
                    } else {
                        work.append((holder, [name]))
                    }
                }
            }
        }
        return work
    }

    private func live(_ overview: MigrationOverview) -> String {
        guard let holders = overview.liveIngestion else { return "ingestion unknown" }
        guard !holders.isEmpty else { return "ingestion is not running (network \(network ?? ""))" }
        return "ingestion is running: \(holders.map(\.description).joined(separator: "; "))"
    }

    private var table: TextTable {
        var table = TextTable([
            ("PROTOCOL", .left), ("CLASSIFIED", .left), ("MIGRATION", .left), ("STATUS", .left), ("CURSOR", .right), ("BEHIND", .right),
            ("ABOUT", .right), ("LEDGERS/S", .right), ("TIME LEFT", .right),
        ])
        for entry in entries {
            for (index, migration) in entry.migrations.enumerated() {
                let isFirst = index == 0
                table.add([
                    isFirst ? entry.id.rawValue : "", isFirst ? entry.classification ?? "unknown" : "", migration.kind.rawValue,
                    migration.found.status ?? "unknown", migration.found.cursor.shortText, migration.lag.map { "\($0)" } ?? "-",
                    migration.lag.map { $0 == 0 ? "0 s" : Readable.duration(Double($0) * Self.secondsPerLedger) } ?? "-",
                    speed(migration), migration.secondsLeft.map(Readable.duration) ?? "-",
                ])
            }
        }
        return table
    }

    private func speed(_ migration: Migration) -> String {
        guard migration.isMoving else { return "-" }
        return migration.speed.map(Readable.decimal) ?? "no move"
    }
}
