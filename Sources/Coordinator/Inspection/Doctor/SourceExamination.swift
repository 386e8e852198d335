import Foundation
import LedgerSources
import Logging
import Pipeline

/// The part of `doctor` that asks the source of ledgers.
package struct SourceExamination: Sendable {
    let settings: LedgerSourceSettings?
    let passphrase: String?
    let logger: Logger

    private static let patience = Duration.seconds(5)
    private static let requests = 5

    /// - Parameters:
    ///   - needed: ledgers that a migration would ask for.
    ///   - latest: the last one that is ingested.
    func run(needed: LedgerRange?, latest: UInt32?) async -> [Finding] {
        guard let settings else {
            return [.warn("source", "none is given", "give --rpc-url or --datastore-bucket-path, unless this machine runs the writer only")]
        }
        let source: any LedgerSource
        do {
            source = try settings.open(retryingFor: Self.patience, logger: logger)
        } catch {
            return [.fail("source", "\(error)", "correct --rpc-url or --datastore-bucket-path")]
        }
        let findings = await run(source, needed, latest)
        await source.shutdown()
        return findings
    }

    private func run(_ source: any LedgerSource, _ needed: LedgerRange?, _ ingested: UInt32?) async -> [Finding] {
        var findings: [Finding] = []
        let clock = ContinuousClock()
        let newest: UInt32
        do {
            newest = try await source.latestLedger(near: ingested, within: Self.patience)
            findings.append(.ok("source", "\(source.endpoint) is reached; its latest ledger is \(newest)"))
        } catch {
            return [.fail("source", "\(error)", "check its address and credentials, and that this machine can reach it")]
        }
        findings.append(await network(source))
        if let finding = await range(source, needed, newest, ingested) { findings.append(finding) }
        var times: [Duration] = []
        for _ in 0..<Self.requests {
            let began = clock.now
            guard (try? await source.latestLedger(near: newest, within: .zero)) != nil else { continue }
            times.append(clock.now - began)
        }
        findings.append(Self.latency(times.map { $0 / .milliseconds(1) }, of: Self.requests))
        do {
            let closed = Double(try await source.closeTime(of: newest))
            findings.append(Self.age(seconds: Date().timeIntervalSince1970 - closed, of: newest))
        } catch {
            findings.append(.fail("latest ledger", "\(error)", "the source does not give the ledger that it tells of: ask who runs it"))
        }
        return findings
    }

    private func network(_ source: any LedgerSource) async -> Finding {
        guard let passphrase else {
            return .warn("network", "not compared: no passphrase is given", "give --network-passphrase, as every migration needs it")
        }
        do {
            try await source.requireNetwork(passphrase)
            return .ok("network", "the source is on \"\(passphrase)\"")
        } catch {
            return .fail("network", "\(error)", "correct --network-passphrase, or name a source of the right network")
        }
    }

    private func range(
        _ source: any LedgerSource, _ needed: LedgerRange?, _ newest: UInt32, _ ingested: UInt32?
    ) async -> Finding? {
        guard let needed else { return ingested == nil ? nil : .ok("range", "no history is incomplete: no old ledgers are needed") }
        do {
            try await source.requireLedgers(needed)
        } catch {
            return .fail("range", "\(error)", "a data lake has all ledgers: give --datastore-bucket-path beside or instead of --rpc-url")
        }
        guard newest >= needed.upperBound else {
            return .warn(
                "range", "it has \(needed.lowerBound) to \(newest), but \(needed.upperBound) is ingested already",
                "the source is behind: a migration waits for it")
        }
        return .ok("range", "it has ledgers \(needed.lowerBound) to \(needed.upperBound), which the incomplete histories need")
    }

    /// - Parameter milliseconds: of the requests that were answered.
    package static func latency(_ milliseconds: [Double], of asked: Int) -> Finding {
        guard milliseconds.count == asked else {
            return .warn(
                "latency", "\(asked - milliseconds.count) of \(asked) requests failed", "runs go on after such failures, but slower")
        }
        let median = milliseconds.sorted()[milliseconds.count / 2]
        let found = "\(Readable.decimal(median)) ms for a small request (median of \(asked))"
        return median < 1000
            ? .ok("latency", found)
            : .warn("latency", found, "requests overlap, so that a run is not slower by as much; a nearer source is better")
    }

    package static func age(seconds: Double, of ledger: UInt32) -> Finding {
        if seconds < -5 {
            return .warn(
                "latest ledger", "\(ledger) was closed \(Readable.duration(-seconds)) from now by this machine's clock",
                "this machine's clock is behind: let it follow a time server")
        }
        let found = "\(ledger) was closed \(Readable.duration(max(0, seconds))) ago"
        return seconds < 60
            ? .ok("latest ledger", found)
            : .warn(
                "latest ledger", found,
                "the network closes one about every 5 s: the source is behind, or this machine's clock is wrong")
    }
}
