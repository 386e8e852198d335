import LedgerSources
import Logging

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
