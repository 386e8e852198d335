import Foundation
import StellarXDR
import Testing

/// Ledgers in files, and what the Python Stellar SDK says of them (Scripts/witness-ledgers.py).
struct Witness: Decodable, Sendable {
    let contracts: [String]
    let ledgers: [String: Ledger]

    struct Ledger: Decodable, Sendable {
        let sequence: UInt32
        let closeTime: UInt64
        let protocolVersion: UInt32
        let previousLedgerHash: String
        let hash: String
        let headerStart: Int
        let headerEnd: Int
        let transactionCount: Int
        let events: [Event]
    }

    /// One counted event: [transaction, operation, type, contract, topics, FNV-1a of the topics, FNV-1a of the data].
    struct Event: Decodable, Equatable, Sendable {
        let transaction: Int
        let operation: Int
        let type: Int32
        let contract: Int?
        let topicCount: Int
        let topics: String
        let data: String

        init(from decoder: any Decoder) throws {
            var fields = try decoder.unkeyedContainer()
            transaction = try fields.decode(Int.self)
            operation = try fields.decode(Int.self)
            type = try fields.decode(Int32.self)
            contract = try fields.decode(Int?.self)
            topicCount = try fields.decode(Int.self)
            topics = try fields.decode(String.self)
            data = try fields.decode(String.self)
        }

        init(_ event: ContractEvent, contracts: [String], ledger: [UInt8]) throws {
            let data = try required(event.data.byteRange)
            let topics = (event.topics.first?.byteRange?.lowerBound ?? data.lowerBound)..<data.lowerBound
            transaction = event.transaction
            operation = event.operation
            type = event.type.rawValue
            contract = try event.contractID.map { try required(contracts.firstIndex(of: $0.hex)) }
            topicCount = event.topics.count
            self.topics = fnv1a(ledger[topics])
            self.data = fnv1a(ledger[data])
        }
    }

    init(folder: URL) throws {
        self = try JSONDecoder().decode(Witness.self, from: Data(contentsOf: folder.appending(path: "witness.json")))
    }
}

/// A ledger in a file.
struct LedgerFile: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]

    var testDescription: String { name }

    /// The `.xdr` files of a folder, in the order of their names.
    static func all(in folder: URL) throws -> [LedgerFile] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "xdr" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
            .map { LedgerFile(name: $0.lastPathComponent, bytes: [UInt8](try Data(contentsOf: $0))) }
    }
}

enum Fixtures {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    /// Made by an independent simulator of contracts: V1 and V2, fee bumps, failures, all event shapes.
    static var synthetic: [LedgerFile] { get throws { try LedgerFile.all(in: shared.appending(path: "synthetic")) } }
    private static let shared = folder.deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures")

    /// Made from the XDR definitions alone (Scripts/make-random-ledgers.py): V0 to V2, metas V0 to V4, every kind of entry and operation.
    static var random: [LedgerFile] { get throws { try LedgerFile.all(in: folder.appending(path: "random")) } }

    static var all: [LedgerFile] { get throws { try synthetic + random } }

    /// Ledgers of the public network, which are not part of the project: gunzipped, with their own witness.json.
    static var pubnetFolder: URL? {
        ProcessInfo.processInfo.environment["WITNESSED_LEDGERS"].map { URL(filePath: $0) }
    }
}

struct Missing: Error {}

func required<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Missing() }
    return value
}

func fnv1a(_ bytes: some Sequence<UInt8>) -> String {
    var value: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes {
        value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
