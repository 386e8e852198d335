public import StellarXDR

/// The answer of `getHealth`.
public struct RPCHealth: Sendable, Hashable, Decodable {
    /// `healthy`, or in older versions something else; a server that knows itself unhealthy answers with an error.
    public var status: String
    /// The last ledger that the server has.
    public var latestLedger: UInt32
    /// The first ledger that it keeps.
    public var oldestLedger: UInt32
    /// Ledgers that it keeps, 120960 (a week) by default.
    public var ledgerRetentionWindow: UInt32
}

/// The answer of `getNetwork`.
public struct RPCNetwork: Sendable, Hashable, Decodable {
    /// The network's passphrase, such as "Public Global Stellar Network ; September 2015".
    public var passphrase: String
    /// The protocol that the network runs.
    public var protocolVersion: UInt32
}

/// The answer of `getLatestLedger`.
public struct RPCLatestLedger: Sendable, Hashable {
    /// Hash of the ledger.
    public var hash: Hash32
    /// The ledger's protocol version.
    public var protocolVersion: UInt32
    /// The ledger's sequence.
    public var sequence: UInt32
}

extension RPCLatestLedger: Decodable {
    private enum CodingKeys: String, CodingKey {
        case id, protocolVersion, sequence
    }

    /// Reads `id` as 64 hex digits.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let id = try container.decode(String.self, forKey: .id)
        guard let hash = Hash32(hex: id) else {
            throw DecodingError.dataCorruptedError(forKey: .id, in: container, debugDescription: "no hash of 64 hex digits")
        }
        self.hash = hash
        protocolVersion = try container.decode(UInt32.self, forKey: .protocolVersion)
        sequence = try container.decode(UInt32.self, forKey: .sequence)
    }
}

/// A JSON-RPC answer to a small request.
struct RPCEnvelope<Result: Decodable>: Decodable {
    struct Failure: Decodable {
        var code: Int
        var message: String?
    }

    var result: Result?
    var error: Failure?
}
