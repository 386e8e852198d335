internal import Glibc
internal import PostgreSQL
internal import Protocols
internal import StateChanges
internal import StellarXDR
internal import Synchronization

/// Reads the tracked contracts of protocols, round after round, and keeps the last reading: contracts that have not changed are recognised by comparing
/// bytes, without sorting or hashing a million of them again.
public final class ContractReader: Sendable {
    private struct Reading {
        /// As the server gave them.
        let ids: [ProtocolID: [UInt8]]
        let set: ContractSet
    }

    private let last = Mutex<Reading?>(nil)

    /// A reader that knows nothing yet.
    public init() {}

    /// Reads the contracts in the session's open transaction. Throws `malformedContractIDs` where ids are not 32 bytes long.
    func read(_ ids: [ProtocolID], in session: PostgresSession) throws(StoreError) -> ContractSet {
        let known = last.withLock { $0 }
        let ids = Set(ids).sorted()
        let reading = try StoreError.wrapping { () throws(PostgresError) in
            try session.trackedContracts(of: ids, unlessAsIn: known?.ids ?? [:])
        }
        if reading.malformed > 0 { try session.refuseMalformedContracts(of: ids) }
        var found = reading.changed
        let isNew = !found.isEmpty || Set(known?.ids.keys ?? [:].keys) != Set(ids)
        for id in ids where found[id] == nil { found[id] = known?.ids[id] }
        if let known, !isNew { return known.set }
        let set: ContractSet
        do throws(ContractSetError) {
            set = try ContractSet(found)
        } catch {
            throw .database(PostgresError(kind: .other, message: "\(error)", attempted: PostgresSession.readingContracts))
        }
        last.withLock { [found] in $0 = Reading(ids: found, set: set) }
        return set
    }
}

extension PostgresSession {
    static let readingContracts = "reading the tracked contracts"

    /// The tracked contracts of each protocol in one value, 32 bytes a contract, without those that are byte by byte what is known already.
    ///
    /// One value instead of a row a contract, in binary, and one scan for all protocols: reading a million takes well under a second. The server does
    /// not sort them; without parallel workers and shared scans it gives an unchanged table in the same order again.
    fileprivate func trackedContracts(
        of ids: [ProtocolID], unlessAsIn known: [ProtocolID: [UInt8]]
    ) throws(PostgresError) -> (changed: [ProtocolID: [UInt8]], malformed: Int) {
        guard !ids.isEmpty else { return ([:], 0) }
        try execute("SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL synchronize_seqscans = off; SET LOCAL jit = off")
        let parameters = (1...ids.count).map { "$\($0)::text" }
        let values = parameters.map { "string_agg(c.contract_id, ''::bytea) FILTER (WHERE w.protocol_id = \($0))" }
        let rows = try binaryQuery(
            """
            SELECT count(*) FILTER (WHERE octet_length(c.contract_id) <> 32), \(values.joined(separator: ", "))
            FROM protocol_contracts c JOIN protocol_wasms w ON w.wasm_hash = c.wasm_hash
            WHERE w.protocol_id IN (\(parameters.joined(separator: ", ")))
            """, ids.map { Array($0.rawValue.utf8) }, label: Self.readingContracts)
        var changed: [ProtocolID: [UInt8]] = [:]
        for (index, id) in ids.enumerated() {
            // NULL: there are none.
            let isKnown = known[id].map { known in rows.withBytes(row: 0, column: index + 1) { $0.equals(known) } ?? known.isEmpty }
            if isKnown != true { changed[id] = rows.bytes(row: 0, column: index + 1) ?? [] }
        }
        return (changed, rows.withBytes(row: 0, column: 0) { $0.bigEndianInteger() } ?? 0)
    }

    /// Throws `malformedContractIDs`, naming some, where tracked contracts of the protocols have ids that are not 32 bytes long.
    func refuseMalformedContracts(of ids: [ProtocolID]) throws(StoreError) {
        let rows = try StoreError.wrapping { () throws(PostgresError) in
            try query(
                """
                SELECT encode(c.contract_id, 'hex') AS contract, count(*) OVER () AS count
                FROM protocol_contracts c JOIN protocol_wasms w ON w.wasm_hash = c.wasm_hash
                WHERE w.protocol_id = ANY($1) AND octet_length(c.contract_id) <> 32 ORDER BY c.contract_id LIMIT 10
                """, [ids.arrayLiteral], label: Self.readingContracts)
        }
        guard let first = rows.first else { return }
        let count = try StoreError.wrapping { () throws(PostgresError) in try first.integer("count", as: Int.self) }
        throw .malformedContractIDs(rows.map { $0["contract"] ?? "" }, count: count)
    }

    /// Which of some contracts are tracked under which of the protocols; every protocol is in the result. Looked up by primary key: the cost grows with
    /// the contracts asked about, not with those that are tracked.
    func trackedContracts(
        of ids: [ProtocolID], among contracts: Set<Hash32>
    ) throws(StoreError) -> [ProtocolID: [Hash32]] {
        var tracked: [ProtocolID: [Hash32]] = Dictionary(ids.map { ($0, []) }, uniquingKeysWith: { first, _ in first })
        guard !contracts.isEmpty else { return tracked }
        let rows = try StoreError.wrapping { () throws(PostgresError) -> BinaryRows in
            try binaryQuery(
                """
                SELECT w.protocol_id, c.contract_id
                FROM protocol_contracts c JOIN protocol_wasms w ON w.wasm_hash = c.wasm_hash
                WHERE c.contract_id = ANY($1::bytea[]) AND w.protocol_id = ANY($2::text[])
                """,
                [
                    BinaryArray.encode(contracts.map(\.bytes), of: .bytea),
                    BinaryArray.encode(ids.map { Array($0.rawValue.utf8) }, of: .text),
                ], label: "looking up the contracts of a ledger")
        }
        for row in 0..<rows.count {
            guard let id = rows.bytes(row: row, column: 0).map({ ProtocolID(rawValue: String(decoding: $0, as: UTF8.self)) }) else {
                continue
            }
            // Every id that was asked for has 32 bytes.
            guard let contract = rows.withBytes(row: row, column: 1, { Hash32($0, at: 0) }) ?? nil else { continue }
            tracked[id, default: []].append(contract)
        }
        return tracked
    }
}

/// One-dimensional arrays in PostgreSQL's binary format (`array_recv`).
enum BinaryArray {
    /// Types by their fixed object ids (`pg_type.dat`).
    enum Element: UInt32 {
        case bytea = 17
        case text = 25
    }

    /// An array without NULLs.
    static func encode(_ elements: [[UInt8]], of type: Element) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + elements.reduce(0) { $0 + 4 + $1.count })
        func append(_ number: UInt32) {
            for shift in stride(from: 24, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: number >> UInt32(shift))) }
        }
        // Dimensions, no NULLs, the type; then the only dimension's length and first index.
        append(elements.isEmpty ? 0 : 1)
        append(0)
        append(type.rawValue)
        if !elements.isEmpty {
            append(UInt32(truncatingIfNeeded: elements.count))
            append(1)
        }
        for element in elements {
            append(UInt32(truncatingIfNeeded: element.count))
            bytes += element
        }
        return bytes
    }
}

extension RawSpan {
    /// A count(*) as it travels.
    fileprivate func bigEndianInteger() -> Int {
        (0..<byteCount).reduce(0) { unsafe $0 << 8 | Int(unsafeLoad(fromByteOffset: $1, as: UInt8.self)) }
    }

    fileprivate func equals(_ other: [UInt8]) -> Bool {
        unsafe byteCount == other.count
            && withUnsafeBytes { left in
                unsafe other.withUnsafeBytes { right in
                    guard let left = left.baseAddress, let right = right.baseAddress else { return true }
                    return unsafe memcmp(left, right, byteCount) == 0
                }
            }
    }
}
