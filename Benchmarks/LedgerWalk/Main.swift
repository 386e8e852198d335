import Foundation
import Protocols
import StateChanges
import StellarXDR

/// Times the walk through ledgers in memory, on one thread: `ledger-walk-benchmark FOLDER [ROUNDS]`, a folder of `ledger-*.xdr`.
///
/// Prints the walk alone, a copy of the same bytes, and the walk with all processors where `contracts.json` lies beside the ledgers. Each as
/// all rounds took it and, for busy machines, with the fastest of all times of each ledger. A ledger is copied into the same buffer each time
/// before its time is taken: its bytes are as near as when they have just been decoded, but the branches in it are not foreseen.
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
        try report("walk", ledgers, rounds) { events += try LedgerReader.read($0) { _ in }.eventCount }
        print("  events per ledger: \(events / max(1, ledgers.count * rounds))")

        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: ledgers.map(\.count).max() ?? 0, alignment: 64)
        defer { copy.deallocate() }
        report("memcpy", ledgers, rounds) { span in span.withUnsafeBytes { copy.copyMemory(from: $0) } }

        let contracts = try? JSONDecoder().decode(
            [String: [String]].self, from: Data(contentsOf: folder.appendingPathComponent("contracts.json")))
        guard let contracts else { return }
        let tracked = TrackedContracts(
            Dictionary(uniqueKeysWithValues: contracts.map { (ProtocolID(rawValue: $0), $1.compactMap { Hash32(hex: $0) }) }))
        var processor = try LedgerProcessor(protocols: contracts.keys.sorted().map { ProtocolID(rawValue: $0) }, tracked: tracked)
        var rows = 0
        try report("walk and rows", ledgers, rounds) {
            _ = try processor.process($0)
            rows += processor.pending.rows
            _ = processor.takeRows()
        }
        print("  rows per ledger: \(rows / max(1, ledgers.count * rounds))")
    }

    private static func report(_ name: String, _ ledgers: [[UInt8]], _ rounds: Int, _ body: (RawSpan) throws -> Void) rethrows {
        var buffer = [UInt8](repeating: 0, count: ledgers.map(\.count).max() ?? 0)
        var total = Duration.zero
        var fastest = [Duration](repeating: .seconds(1000), count: ledgers.count)
        for _ in 0..<rounds {
            for (index, ledger) in ledgers.enumerated() {
                buffer.replaceSubrange(0..<ledger.count, with: ledger)
                let bytes = buffer.span.bytes.extracting(0..<ledger.count)
                let begin = ContinuousClock.now
                try body(bytes)
                let time = ContinuousClock.now - begin
                total += time
                fastest[index] = min(fastest[index], time)
            }
        }
        let bytes = Double(ledgers.reduce(0) { $0 + $1.count })
        let count = Double(max(1, ledgers.count))
        func line(_ time: Duration) -> String {
            let seconds = time / .seconds(1)
            return "\((bytes / seconds / 1e7).rounded() / 100) GB/s, \((seconds / count * 1e6).rounded()) us per ledger"
        }
        print("\(name): \(line(total / rounds)); fastest: \(line(fastest.reduce(.zero, +)))")
    }
}
