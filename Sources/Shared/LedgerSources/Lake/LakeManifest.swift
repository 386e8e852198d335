internal import Foundation

/// What a data lake says of itself in `.config.json` (SEP-54). Old lakes have none.
///
/// The version is not read: the standard's example and the lakes that exist differ in it, and nothing follows from it.
public struct LakeManifest: Sendable, Hashable {
    /// Where it lies, relative to the lake's path.
    public static let key = ".config.json"

    /// The passphrase of the network whose ledgers the lake has.
    public let networkPassphrase: String
    /// How the ledgers are put into files and folders.
    public let layout: LakeLayout

    /// Reads a manifest.
    /// - Throws: `.malformed`, `.otherCompression`.
    public init(json: [UInt8]) throws(LakeManifestError) {
        let fields: Fields
        do {
            fields = try JSONDecoder().decode(Fields.self, from: Data(json))
        } catch {
            throw .malformed(Self.reason(error))
        }
        if let compression = fields.compression, compression != "zstd" { throw .otherCompression(compression) }
        guard let ledgersPerFile = UInt32(exactly: fields.ledgersPerBatch),
            let filesPerPartition = UInt32(exactly: fields.batchesPerPartition),
            let layout = LakeLayout(ledgersPerFile: ledgersPerFile, filesPerPartition: filesPerPartition)
        else {
            throw .malformed(
                "ledgersPerBatch \(fields.ledgersPerBatch) and batchesPerPartition \(fields.batchesPerPartition) must be 1 to \(UInt32.max)"
            )
        }
        networkPassphrase = fields.networkPassphrase
        self.layout = layout
    }

    /// Compares the layout with the one configured, as far as one is.
    /// - Throws: `.otherLayout`.
    public func requireLayout(ledgersPerFile: UInt32?, filesPerPartition: UInt32?) throws(LakeManifestError) {
        guard (ledgersPerFile ?? layout.ledgersPerFile) == layout.ledgersPerFile,
            (filesPerPartition ?? layout.filesPerPartition) == layout.filesPerPartition
        else {
            throw .otherLayout(lake: layout, ledgersPerFile: ledgersPerFile, filesPerPartition: filesPerPartition)
        }
    }

    private struct Fields: Decodable {
        let networkPassphrase: String
        let compression: String?
        // Wider than they may be: Foundation does not say which number is out of range.
        let ledgersPerBatch: Int64
        let batchesPerPartition: Int64
    }

    private static func reason(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .keyNotFound(let key, _): "it has no \(key.stringValue)"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            context.codingPath.isEmpty
                ? "it is not a JSON object" : "its \(context.codingPath.map(\.stringValue).joined(separator: ".")) cannot be read"
        default: "it is not a JSON object"
        }
    }
}

/// Why a data lake's manifest cannot be used, or the lake is not the one that was meant.
public enum LakeManifestError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The manifest is not what SEP-54 says; the text tells why.
    case malformed(String)
    /// The files are compressed with something else.
    case otherCompression(String)
    /// The lake has another layout than was configured.
    case otherLayout(lake: LakeLayout, ledgersPerFile: UInt32?, filesPerPartition: UInt32?)

    /// What both sides say, and what to do; the caller knows which lake it is.
    public var description: String {
        switch self {
        case .malformed(let reason):
            "the manifest \(LakeManifest.key) is malformed: \(reason); mend it, or remove it and configure the layout"
        case .otherCompression(let name): "the manifest \(LakeManifest.key) says compression \"\(name)\", only \"zstd\" can be read"
        case .otherLayout(let lake, let ledgersPerFile, let filesPerPartition):
            "the manifest \(LakeManifest.key) says \(lake), configured are "
                + [ledgersPerFile.map { "\($0) ledgers per file" }, filesPerPartition.map { "\($0) files per partition" }]
                .compactMap(\.self).joined(separator: ", ") + "; leave the two settings out, or choose another lake"
        }
    }
}
