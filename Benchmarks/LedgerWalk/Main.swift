import Foundation
import Protocols
import StateChanges
import StellarXDR

/// Times the walk through ledgers in memory, on one thread: `ledger-walk-benchmark FOLDER [ROUNDS]`, a folder of `ledger-*.xdr`.
///
/// Prints the walk alone, and the walk with all processors where `contracts.json` lies beside the ledgers.
@main struct Main {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let path = arguments.first else {
            print("usage: ledger-walk-benchmark FOLDER [ROUNDS]")
            exit(64)
        }
        let folder = URL(fileURLWithPath: path)
        let rounds = arguments.dropFirst().first.flatMap { Int($0) } ?? 100
        let ledgers = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
            .filter { $0.hasPrefix("ledger-") && $0.hasSuffix(".xdr") }
            .map { [UInt8](try Data(contentsOf: folder.appendingPathComponent($0))) }
        let bytes = ledgers.reduce(0) { $0 + $1.count }
        print("\(ledgers.count) ledgers, \(bytes / max(1, ledgers.count)) bytes each on average, \(rounds) rounds")

        var events = 0
        try report("walk", bytes * rounds, ledgers.count * rounds) {
            for _ in 0..<rounds {
                for ledger in ledgers { events += try LedgerReader.read(ledger.span.bytes) { _ in }.eventCount }
            }
        }
        print("  events per ledger: \(events / max(1, ledgers.count * rounds))")

        let contracts = try? JSONDecoder().decode(
            [String: [String]].self, from: Data(contentsOf: folder.appendingPathComponent("contracts.json")))
        guard let contracts else { return }
        let tracked = TrackedContracts(
            Dictionary(uniqueKeysWithValues: contracts.map { (ProtocolID(rawValue: $0), $1.compactMap { Hash32(hex: $0) }) }))
        var rows = 0
        let seconds = try report("walk and rows", bytes * rounds, ledgers.count * rounds) {
            for _ in 0..<rounds {
                var processor = try LedgerProcessor(protocols: contracts.keys.sorted().map { ProtocolID(rawValue: $0) }, tracked: tracked)
                for ledger in ledgers { _ = try processor.process(ledger.span.bytes) }
                rows += processor.takeRows().reduce(0) { $0 + $1.rowCount }
            }
        }
        print("  rows per second: \(Int(Double(rows) / seconds))")
    }

    @discardableResult
    private static func report(_ name: String, _ bytes: Int, _ ledgers: Int, _ body: () throws -> Void) rethrows -> Double {
        let time = try ContinuousClock().measure(body)
        let seconds = time / .seconds(1)
        print(
            "\(name): \((Double(bytes) / seconds / 1e7).rounded() / 100) GB/s, \((seconds / Double(max(1, ledgers)) * 1e6).rounded()) us per ledger"
        )
        return seconds
    }
}
