import Protocols
import StateChanges
import StellarXDR
import Synchronization
import TestSupport

/// An event to be encoded.
struct Event: Sendable {
    var topics: [Value]
    var data: Value
    /// A contract of 32 equal bytes; nil for none.
    var contract: UInt8? = 0xC0
    /// SYSTEM 0, CONTRACT 1, DIAGNOSTIC 2.
    var type: UInt32 = 1

    init(_ name: String, _ arguments: [Value], _ data: Value) {
        topics = [.symbol(name)] + arguments
        self.data = data
    }

    init(topics: [Value], _ data: Value) {
        self.topics = topics
        self.data = data
    }
}

/// A `LedgerCloseMeta` V2 with `TransactionMeta` V4, as small as it can be.
struct LedgerBuilder {
    var sequence: UInt32 = 7
    var closeTime: UInt64 = 1_700_000_000
    /// The version that each `TransactionMeta` claims; only 4 is what follows.
    var metaVersion: UInt32 = 4
    /// The events of each operation of each transaction; all of them succeeded as INVOKE_HOST_FUNCTION.
    var transactions: [[[Event]]]

    /// One operation with these events.
    init(_ events: Event...) { transactions = [[events]] }

    init(transactions: [[[Event]]]) { self.transactions = transactions }

    var xdr: [UInt8] {
        var xdr = XDRWriter()
        xdr.u32(2)  // LedgerCloseMeta.v
        xdr.u32(0)  // ext
        xdr.zeros(32)  // LedgerHeaderHistoryEntry.hash
        header(&xdr)
        xdr.u32(0)  // LedgerHeaderHistoryEntry.ext
        xdr.u32(1)  // GeneralizedTransactionSet.v
        xdr.zeros(32 + 4)  // previousLedgerHash, no phases
        xdr.u32(UInt32(transactions.count))
        for operations in transactions { transaction(operations, &xdr) }
        xdr.zeros(4 + 4 + 8 + 4)  // upgradesProcessing, scpInfo, totalByteSizeOfLiveSorobanState, evictedKeys
        return xdr.bytes
    }

    private func header(_ xdr: inout XDRWriter) {
        xdr.u32(23)  // ledgerVersion
        xdr.zeros(32)  // previousLedgerHash
        xdr.zeros(32)  // scpValue.txSetHash
        xdr.u64(closeTime)
        xdr.zeros(4 + 4)  // upgrades, ext: STELLAR_VALUE_BASIC
        xdr.zeros(32 + 32)  // txSetResultHash, bucketListHash
        xdr.u32(sequence)
        xdr.zeros(8 + 8 + 4 + 8 + 4 + 4 + 4)  // totalCoins ... maxTxSetSize
        xdr.zeros(4 * 32 + 4)  // skipList, ext
    }

    private func transaction(_ operations: [[Event]], _ xdr: inout XDRWriter) {
        xdr.u32(0)  // TransactionResultMetaV1.ext
        xdr.zeros(32 + 8)  // transactionHash, feeCharged
        xdr.u32(0)  // txSUCCESS
        xdr.u32(UInt32(operations.count))
        for _ in operations {
            xdr.u32(0)  // opINNER
            xdr.u32(24)  // INVOKE_HOST_FUNCTION
            xdr.u32(0)  // INVOKE_HOST_FUNCTION_SUCCESS
            xdr.zeros(32)
        }
        xdr.u32(0)  // TransactionResult.ext
        xdr.u32(0)  // feeProcessing
        xdr.u32(metaVersion)  // TransactionMeta.v
        xdr.zeros(4 + 4)  // ext, txChangesBefore
        xdr.u32(UInt32(operations.count))
        for events in operations {
            xdr.zeros(4 + 4)  // ext, changes
            xdr.u32(UInt32(events.count))
            for event in events { write(event, &xdr) }
        }
        xdr.zeros(4 + 4 + 4 + 4)  // txChangesAfter, sorobanMeta, events, diagnosticEvents
        xdr.u32(0)  // postTxApplyFeeProcessing
    }

    private func write(_ event: Event, _ xdr: inout XDRWriter) {
        xdr.u32(0)  // ext
        xdr.u32(event.contract == nil ? 0 : 1)
        if let contract = event.contract { xdr.raw(Address.key(contract)) }
        xdr.u32(event.type)
        xdr.u32(0)  // body.v
        xdr.u32(UInt32(event.topics.count))
        for topic in event.topics { topic.write(to: &xdr) }
        event.data.write(to: &xdr)
    }

    /// The rows of the ledger, its contract 0xC0... tracked under one protocol, and the events that gave none.
    func process(_ id: ProtocolID) throws -> (rows: [Row], ignored: [IgnoredEvent]) {
        let ignored = Ignored()
        let contract = try tracked(Address.key(0xC0))
        var processor = try LedgerProcessor(protocols: [id], tracked: TrackedContracts([id: [contract]])) { ignored.note($0) }
        _ = try processor.process(xdr.span.bytes)
        let rows = processor.rows[0]
        try StateChangeTuple.check(rows.tuples.span.bytes, expectedRows: rows.rowCount, ledgers: sequence...sequence)
        return (try TupleDecoder.rows(rows.tuples), ignored.events)
    }

    private func tracked(_ bytes: [UInt8]) throws -> Hash32 {
        guard let hash = Hash32(bytes) else { throw TupleDecodingError(message: "no 32 bytes") }
        return hash
    }
}

/// The events that gave no row.
final class Ignored: Sendable {
    private let noted = Mutex<[IgnoredEvent]>([])

    var events: [IgnoredEvent] { noted.withLock { $0 } }

    func note(_ event: IgnoredEvent) { noted.withLock { $0.append(event) } }
}
