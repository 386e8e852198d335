internal import PostgreSQL
internal import Protocols
internal import StellarXDR

extension PostgresSession {
    /// The tracked contracts of each of the protocols, sorted. Throws `malformedContractIDs` where ids are not 32 bytes long.
    func trackedContracts(of ids: [ProtocolID]) throws(StoreError) -> [ProtocolID: [Hash32]] {
        let rows = try StoreError.wrapping { () throws(PostgresError) in
            try query(
                """
                SELECT w.protocol_id, encode(c.contract_id, 'hex') AS contract
                FROM protocol_contracts c JOIN protocol_wasms w ON w.wasm_hash = c.wasm_hash
                WHERE w.protocol_id = ANY($1) ORDER BY c.contract_id
                """, [ids.arrayLiteral], label: "reading the tracked contracts")
        }
        var contracts: [ProtocolID: [Hash32]] = Dictionary(ids.map { ($0, []) }, uniquingKeysWith: { first, _ in first })
        var malformed: [String] = []
        for row in rows {
            let hex = row[1] ?? ""
            guard let hash = Hash32(hex: hex) else {
                malformed.append(hex)
                continue
            }
            contracts[ProtocolID(rawValue: row[0] ?? ""), default: []].append(hash)
        }
        guard malformed.isEmpty else { throw .malformedContractIDs(Array(malformed.prefix(10)), count: malformed.count) }
        return contracts
    }
}
