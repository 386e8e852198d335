internal import ArgumentParser
internal import Foundation

/// `ledger-simulator contracts`.
struct ContractsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contracts", abstract: "Print the contracts of a seed's ledgers as JSON: protocol to contract ids in hex.")
    @Option(help: "The seed.") var seed: UInt64

    func run() { Output.line(Cast(seed: seed).json) }
}

/// `ledger-simulator expect`.
struct ExpectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "expect", abstract: "Print the rows that a seed's ledgers must give, one JSON object a line.",
        discussion: "They are noted when an event is made, not read back from the ledger.")
    @OptionGroup var source: SourceOptions

    func run() throws {
        let plan = try source.plan()
        let ledgers = GeneratedLedgers(plan)
        for sequence in try source.madeLedgers() {
            let rows = ledgers.expectedRows(of: sequence)
            if !rows.isEmpty { Output.line(rows.joined(separator: "\n")) }
        }
    }
}

/// `ledger-simulator make`.
struct MakeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make",
        abstract: "Write ledgers as files ledger-<sequence>.xdr, with contracts.json and expected.jsonl where they come from a seed.")
    @OptionGroup var source: SourceOptions
    @Option(help: "The folder; made where it is missing.") var out: String

    func run() async throws {
        let (supply, ledgers) = try await source.supply(growing: false)
        let folder = URL(fileURLWithPath: out, isDirectory: true)
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for sequence in ledgers {
                try Data(supply.ledger(sequence).xdr).write(to: folder.appendingPathComponent("ledger-\(sequence).xdr"))
            }
            guard let generated = (supply as? LedgersWithUnknownVersion)?.ledgers as? GeneratedLedgers ?? supply as? GeneratedLedgers else {
                return
            }
            try Data(generated.cast.json.utf8).write(to: folder.appendingPathComponent("contracts.json"))
            let rows = ledgers.flatMap { generated.expectedRows(of: $0) }
            try Data((rows.joined(separator: "\n") + "\n").utf8).write(to: folder.appendingPathComponent("expected.jsonl"))
        } catch {
            throw SimulatorError.write(path: out, reason: "\(error)")
        }
    }
}
