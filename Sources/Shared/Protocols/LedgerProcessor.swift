public import StateChanges
public import StellarXDR

/// Turns ledgers into rows, for all protocols of a batch in one walk through each ledger.
///
/// Rows gather until they are taken. Which rows a ledger gives does not depend on the ledgers before it.
public struct LedgerProcessor: Sendable {
    /// The protocols, in the order that they were given in; ``rows`` and ``counts`` follow it.
    public let protocols: [ProtocolID]
    /// Events of each protocol's contracts.
    public private(set) var counts: [EventCounts]

    /// Time spent on making rows of events, of ledgers that ``process(_:)`` was told to measure.
    public private(set) var rowsTime = Duration.zero

    private let processors: [any ProtocolProcessor]
    private var emitters: [StateChangeEmitter]
    private let tracked: TrackedContracts
    /// For each protocol of ``TrackedContracts/protocols`` its index here; -1 where nobody asked for it.
    private let indices: [Int]
    private let onIgnored: (@Sendable (IgnoredEvent) -> Void)?
    private var measuresRows = false

    /// - Parameters:
    ///   - protocols: the protocols to make rows of; each once.
    ///   - tracked: the contracts; those of other protocols do no harm.
    ///   - onIgnored: called with each event of a tracked contract that gives no row, at once. Costs nothing when nil.
    /// - Throws: ``LedgerProcessingError`` if this build has no processor for a protocol.
    public init(
        protocols: [ProtocolID], tracked: TrackedContracts, onIgnored: (@Sendable (IgnoredEvent) -> Void)? = nil
    ) throws(LedgerProcessingError) {
        var processors: [any ProtocolProcessor] = []
        for id in protocols {
            guard let processor = ProtocolRegistry.processor(for: id) else {
                throw LedgerProcessingError(ledger: nil, .unknownProtocol(id))
            }
            processors.append(processor)
        }
        self.protocols = protocols
        self.processors = processors
        self.tracked = tracked
        self.onIgnored = onIgnored
        emitters = processors.map { StateChangeEmitter(stateChangeIDBase: $0.stateChangeIDBase) }
        counts = processors.map { _ in EventCounts() }
        indices = tracked.protocols.map { protocols.firstIndex(of: $0) ?? -1 }
    }

    /// Adds the rows of a ledger that fills its bytes.
    ///
    /// - Parameters:
    ///   - ledgerXDR: one `LedgerCloseMeta`, as XDR, nothing behind it.
    ///   - measuresRows: whether the time of its rows is added to ``rowsTime``: two looks at the clock for each tracked event.
    /// - Returns: its header. Hashes are not checked here.
    /// - Throws: ``LedgerProcessingError``; rows and counts are then those of before.
    public mutating func process(_ ledgerXDR: RawSpan, measuringRows measuresRows: Bool = false) throws(LedgerProcessingError)
        -> LedgerHeader
    {
        self.measuresRows = measuresRows
        for index in emitters.indices { emitters[index].beginLedger() }
        let countsBefore = counts
        do throws(LedgerProcessingError) {
            return try walk(ledgerXDR)
        } catch {
            for index in emitters.indices { emitters[index].dropLedger() }
            counts = countsBefore
            throw error
        }
    }

    /// The contracts that have events in a ledger, each once: the only ones of which it need be known whether they are tracked.
    ///
    /// - Parameter ledgerXDR: one `LedgerCloseMeta`, as XDR.
    /// - Returns: the contracts of all events for which ``process(_:)`` asks whether they are tracked.
    /// - Throws: ``LedgerProcessingError`` if the bytes are no ledger.
    public static func contractsWithEvents(in ledgerXDR: RawSpan) throws(LedgerProcessingError) -> Set<Hash32> {
        var contracts: Set<Hash32> = []
        do throws(XDRError) {
            _ = try LedgerReader.read(ledgerXDR) { event in
                if let contract = event.contractID { contracts.insert(contract) }
            }
        } catch {
            throw LedgerProcessingError(ledger: error.ledger, .xdr(error))
        }
        return contracts
    }

    private mutating func walk(_ ledgerXDR: RawSpan) throws(LedgerProcessingError) -> LedgerHeader {
        var failure: LedgerProcessingError.Cause?
        func take(_ event: ContractEvent) {
            // The walk goes on to its end after a failure: whether the bytes are a ledger at all comes first.
            guard failure == nil, let contract = event.contractID else { return }
            tracked.forEachProtocol(of: contract) { trackedIndex in
                let index = indices[trackedIndex]
                if index >= 0, failure == nil { failure = process(event, of: contract, index) }
            }
        }
        let header: LedgerHeader
        do throws(XDRError) {
            header = try LedgerReader.read(ledgerXDR, onEvent: take).header
        } catch {
            throw LedgerProcessingError(ledger: error.ledger, .xdr(error))
        }
        if let failure { throw LedgerProcessingError(ledger: header.sequence, failure) }
        return header
    }

    /// Lets one processor have an event of a contract tracked under its protocol.
    /// - Returns: why the ledger cannot be represented, if so.
    private mutating func process(_ event: ContractEvent, of contract: Hash32, _ index: Int) -> LedgerProcessingError.Cause? {
        guard measuresRows else { return makeRows(event, of: contract, index) }
        let began = ContinuousClock.now
        defer { rowsTime += ContinuousClock.now - began }
        return makeRows(event, of: contract, index)
    }

    private mutating func makeRows(_ event: ContractEvent, of contract: Hash32, _ index: Int) -> LedgerProcessingError.Cause? {
        counts[index].tracked += 1
        if let failure = emitters[index].beginEvent(event) { return failure }
        do throws(IgnoredReason) {
            try processors[index].process(TrackedEvent(event, of: contract), into: &emitters[index])
        } catch {
            emitters[index].dropEvent()
            counts[index].count(error)
            onIgnored?(
                IgnoredEvent(
                    protocolID: protocols[index], ledger: event.ledger, transaction: event.transaction, operation: event.operation,
                    contract: contract, reason: error))
        }
        return nil
    }

    /// How many rows of all protocols wait to be taken, and their bytes.
    public var pending: (rows: Int, bytes: Int) {
        emitters.reduce(into: (0, 0)) { sum, emitter in
            sum.0 += emitter.encoder.rowCount
            sum.1 += emitter.encoder.tuples.count
        }
    }

    /// The rows so far, by protocol.
    public var rows: [ProtocolRows] {
        zip(protocols, emitters).map { ProtocolRows(id: $0, rowCount: $1.encoder.rowCount, tuples: $1.encoder.tuples) }
    }

    /// Hands out the rows so far, by protocol, without copying them, and begins anew.
    public mutating func takeRows() -> [ProtocolRows] {
        emitters.indices.map { index in
            let rowCount = emitters[index].encoder.rowCount
            return ProtocolRows(id: protocols[index], rowCount: rowCount, tuples: emitters[index].takeTuples())
        }
    }
}
