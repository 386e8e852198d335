import LedgerSources
import Logging
import StellarXDR
import Synchronization
import Testing

/// Runs `body` with a client of the server on `port` that waits on `clock` and never by chance: each wait is as long as its policy allows.
func withClient<Value: Sendable>(
    _ port: Int, path: String = "", clock: any Clock<Duration> = ManualClock(), total: Duration = .seconds(600),
    options: RPCOptions = RPCOptions(),
    logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), _ body: (StellarRPC) async throws -> Value
) async throws -> Value {
    let rpc = try StellarRPC(
        url: "http://127.0.0.1:\(port)\(path)", options: options, retry: RetryPolicy(total: total, clock: clock, random: { 1 }),
        logger: logger)
    do {
        let value = try await body(rpc)
        await rpc.shutdown()
        return value
    } catch {
        await rpc.shutdown()
        throw error
    }
}

/// The error of a call that must fail.
func failure(_ call: () async throws(LedgerSourceError) -> some Sendable) async -> LedgerSourceError? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error
    }
}

/// The error of a call on a client of the server on `port`; nil if the call succeeds.
func withClientFailure<Value: Sendable>(
    _ port: Int, clock: any Clock<Duration> = ManualClock(), total: Duration = .seconds(600), options: RPCOptions = RPCOptions(),
    _ call: (StellarRPC) async throws(LedgerSourceError) -> Value
) async -> LedgerSourceError? {
    do {
        return try await withClient(port, clock: clock, total: total, options: options) { rpc in
            await failure { () async throws(LedgerSourceError) in try await call(rpc) }
        }
    } catch {
        return nil
    }
}

extension StellarRPC {
    /// One request's ledgers, by their number, when all that was passed is what the sample has.
    @discardableResult
    func fetched(from first: UInt32, limit: Int) async throws(LedgerSourceError) -> ClosedRange<UInt32> {
        let passed = Passed()
        do {
            let link = try await forEachLedger(from: first, limit: limit) { sequence, xdr in
                let bytes = [UInt8](copying: xdr)
                let sample = try SampleLedgers.xdr(sequence)
                #expect(bytes == sample)
                passed.ledgers.withLock { $0.append(sequence) }
            }
            #expect(passed.ledgers.withLock { $0 } == Array(link.ledgers), "in order, and each once")
            return link.ledgers
        } catch let error as LedgerSourceError {
            throw error
        } catch {
            Issue.record(error)
            throw LedgerSourceError(.badLedger, "\(error)", endpoint: endpoint)
        }
    }
}

extension StellarRPC {
    /// A request that must give just these ledgers.
    func expect(_ expected: ClosedRange<UInt32>, from first: UInt32, limit: Int, at location: SourceLocation = #_sourceLocation)
        async throws
    {
        let ledgers = try await fetched(from: first, limit: limit)
        #expect(ledgers == expected, sourceLocation: location)
    }
}

/// The numbers of ledgers that were passed.
final class Passed: Sendable {
    let ledgers = Mutex<[UInt32]>([])
}
