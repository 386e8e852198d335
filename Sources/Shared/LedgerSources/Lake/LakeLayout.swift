/// How a data lake puts ledgers into files and files into folders (SEP-54): every file of a lake holds as many ledgers, every folder as many files.
///
/// Keys are relative to the lake's path. They sort newest first.
public struct LakeLayout: Sendable, Hashable {
    /// The first ledger that any file holds: the files of ledgers 0 and 1 begin with it, or do not exist, although names count from 0.
    public static let firstLedger: UInt32 = 2

    /// Ledgers per file (Galexie's `ledgersPerBatch`), at least 1.
    public let ledgersPerFile: UInt32
    /// Files per folder (Galexie's `batchesPerPartition`), at least 1; with 1 there are no folders.
    public let filesPerPartition: UInt32

    /// A layout; nil where one of the two is 0.
    public init?(ledgersPerFile: UInt32, filesPerPartition: UInt32) {
        guard ledgersPerFile > 0, filesPerPartition > 0 else { return nil }
        self.ledgersPerFile = ledgersPerFile
        self.filesPerPartition = filesPerPartition
    }

    /// The ledgers of the file that has this one, by its name: from a multiple of `ledgersPerFile` on, capped at the highest number.
    public func ledgers(inFileOf ledger: UInt32) -> ClosedRange<UInt32> {
        Self.stretch(of: ledger, length: UInt64(ledgersPerFile))
    }

    /// The ledgers of the folder that has this one, by its name; nil where there are no folders.
    public func ledgers(inPartitionOf ledger: UInt32) -> ClosedRange<UInt32>? {
        guard filesPerPartition > 1 else { return nil }
        return Self.stretch(of: ledger, length: UInt64(ledgersPerFile) * UInt64(filesPerPartition))
    }

    /// The folder of a ledger's file, without a slash: `FFFFFFFF--0-63999`; nil where there are no folders.
    public func partition(of ledger: UInt32) -> String? {
        ledgers(inPartitionOf: ledger).map { "\(LakeFileName.prefix(of: $0.lowerBound))--\($0.lowerBound)-\($0.upperBound)" }
    }

    /// The key of a ledger's file: `FFFFFFEF--16-31/FFFFFFED--18-19.xdr.zst`.
    public func key(of ledger: UInt32, extension suffix: LakeFileName.Extension = .zst) -> String {
        let name = LakeFileName(ledgers(inFileOf: ledger), suffix).text
        return partition(of: ledger).map { "\($0)/\(name)" } ?? name
    }

    /// The ledgers of a listed key, by its name; nil for all that is not the key of a ledger file in this layout.
    public func ledgers(ofKey key: String) -> ClosedRange<UInt32>? {
        guard let name = LakeFileName(key: key), key == self.key(of: name.ledgers.lowerBound, extension: name.extension) else { return nil }
        return name.ledgers
    }

    private static func stretch(of ledger: UInt32, length: UInt64) -> ClosedRange<UInt32> {
        let first = UInt64(ledger) / length * length
        return UInt32(first)...UInt32(min(first + (length - 1), UInt64(UInt32.max)))
    }
}

extension LakeLayout: CustomStringConvertible {
    /// For messages.
    public var description: String { "\(ledgersPerFile) ledgers per file, \(filesPerPartition) files per partition" }
}
