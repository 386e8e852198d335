internal import StellarXDR
internal import Synchronization

/// Where ledgers come from: the network's RPC or a data lake.
///
/// A source pushes each ledger's bytes to the caller while they arrive, in a buffer that it uses again for the next one: nothing is stored on the way.
public protocol LedgerSource: Sendable {
    /// The source as it may be shown, without path and credentials.
    var endpoint: String { get }

    /// How many of the `available` ledgers from `first` on to ask for in one request, for callers that split a range among requests: at least one. It
    /// changes with what the source learns.
    func requestLength(from first: UInt32, of available: Int) -> Int

    /// How many ledgers the source keeps together, from each multiple of this number on, and gives as one: 1 where each is by itself, or where that is not
    /// known before something was asked.
    var ledgersPerFile: Int { get }

    /// How many requests should be in flight at the moment: enough that nothing waits for the network. It changes with what the source learns.
    var requestsInFlight: Int { get }

    /// Passes ledgers `first`, `first + 1`, ..., at most `limit` of them and at least one, to `body`, each once and in order.
    ///
    /// Before `body` sees a ledger, its header has been checked: the sequence is the one expected, the hash is the SHA-256 of the header and the one
    /// stated beside it, and from the second ledger on `previousLedgerHash` is the hash of the ledger before. The span (a `LedgerCloseMeta`) is valid
    /// during the call only; `body` runs on the source's own threads and must not block.
    ///
    /// There may be fewer ledgers than asked for (the source's tip, its limits, its files): ask again from behind the last one. What is transient has
    /// been tried again when an error comes out, without passing any ledger twice; ledgers before the one that failed have been passed then. Cancelling
    /// the task ends it at once with the code `cancelled`.
    /// - Returns: the ends of the hash chain of what was passed.
    /// - Throws: `LedgerSourceError`; what `body` throws, which ends the request, as it is.
    @discardableResult
    func forEachLedger(
        from first: UInt32, limit: Int, _ body: @escaping @Sendable (UInt32, RawSpan) throws -> Void
    ) async throws -> ChainLink

    /// The last ledger that the source has now.
    /// - Parameters:
    ///   - hint: a ledger that may be about the last one, for sources that have to look for it.
    ///   - total: longest time for repetitions, instead of the source's own.
    func latestLedger(near hint: UInt32?, within total: Duration?) async throws(LedgerSourceError) -> UInt32

    /// Checks that the ledgers are those of the network with this passphrase.
    /// - Throws: `wrongNetwork` with both passphrases, or why the source could not be asked.
    func requireNetwork(_ passphrase: String) async throws(LedgerSourceError)

    /// Checks that the source has the ledgers that are needed, from the first one on. It need not have the last ones yet.
    /// - Returns: the last ledger that the source has now.
    /// - Throws: `outsideRetention` with the ledgers needed and those that the source has, or why the source could not be asked.
    @discardableResult
    func requireLedgers(_ needed: ClosedRange<UInt32>) async throws(LedgerSourceError) -> UInt32

    /// Requests that had to be repeated since the start, by what they failed of.
    var retriesByCause: [LedgerSourceError.Code: Int] { get }

    /// Bytes that came over the wire since the start.
    var bytesReceived: Int { get }

    /// Ends all requests, connections and threads. The source is of no use afterwards.
    func shutdown() async
}

/// A ledger with bytes of its own, whose header has been checked.
public struct CheckedLedger: Sendable {
    /// The ledger's number.
    public let sequence: UInt32
    /// `LedgerCloseMeta`, as XDR.
    public let xdr: [UInt8]
}

extension LedgerSource {
    /// Requests that had to be repeated since the start.
    public var retries: Int { retriesByCause.values.reduce(0, +) }

    /// One request's ledgers with bytes of their own, for whoever keeps them; as `forEachLedger`.
    public func ledgers(from first: UInt32, limit: Int) async throws -> (ledgers: [CheckedLedger], link: ChainLink) {
        let copies = Copies()
        let link = try await forEachLedger(from: first, limit: requestLength(from: first, of: limit)) { sequence, xdr in
            let copy = CheckedLedger(sequence: sequence, xdr: [UInt8](copying: xdr))
            copies.ledgers.withLock { $0.append(copy) }
        }
        return (copies.ledgers.withLock { $0 }, link)
    }

    /// When a ledger was closed, in Unix seconds; as `forEachLedger`.
    public func closeTime(of ledger: UInt32) async throws -> UInt64 {
        let found = Mutex<UInt64>(0)
        try await forEachLedger(from: ledger, limit: 1) { _, xdr in
            let time = try LedgerReader.readHeader(xdr).closeTime
            found.withLock { $0 = time }
        }
        return found.withLock { $0 }
    }
}

private final class Copies: Sendable {
    let ledgers = Mutex<[CheckedLedger]>([])
}
