public import Logging
internal import NIOCore
internal import NIOPosix
public import ObjectStores
internal import StellarXDR
internal import Synchronization

/// How a data lake is read.
public struct DataLakeOptions: Sendable {
    /// The layout, where it is configured; nil: the manifest says it.
    public var ledgersPerFile: UInt32?
    /// The layout, where it is configured; nil: the manifest says it.
    public var filesPerPartition: UInt32?
    /// Files that are fetched at once, at least and at most; how many there are in between is found out.
    public var requestsInFlight: ClosedRange<Int> = 4...64
    /// Bytes that the files on their way may have together, compressed.
    public var fileMemory: Int = 8 << 20
    /// Longest file that is taken, in bytes.
    public var longestFile: Int = 256 << 20
    /// Longest ledger that is taken, in bytes of XDR.
    public var longestLedger: Int = 128 << 20
    /// Processors that decompress and walk.
    public var threads: Int = 2

    /// The layout of the manifest, and memory for a fetcher.
    public init() {}
}

/// A data lake (SEP-54: Galexie's files of zstd in S3, GCS, behind HTTP or in a folder) as a source of ledgers.
///
/// A file near the newest that is not there yet is waited for; one that is missing although newer ones are there is a gap, which no wait mends.
public final class DataLake: LedgerSource {
    /// What the lake has said of itself.
    private struct Description: Sendable {
        let layout: LakeLayout
        /// Nil where the store cannot list, as long as no file was found.
        var suffix: LakeFileName.Extension?
        /// The manifest's; nil where there is none.
        let passphrase: String?
    }

    private struct State {
        var description: Description?
        /// The last ledger that is known to be there.
        var newest: UInt32?
        /// Compressed bytes of the largest file lately, a guess before the first one has come.
        var largestFile = 1 << 18
        /// Files that have arrived and are not read to their end.
        var filesHere = 0
        var retriesByCause: [LedgerSourceError.Code: Int] = [:]
        var bytesReceived = 0
    }

    /// Of one file. From its arrival on there is work for a thread, whether or not one is free.
    private final class Arrival: Sendable {
        let asked = ContinuousClock.now
        let hasCome = Mutex(false)
    }

    private let store: any ObjectStore
    private let options: DataLakeOptions
    private let retrying: Retrying
    private let readers: LakeFileReaders
    /// Threads that decompress and walk. A file keeps one busy for a millisecond and more: on the threads that all tasks share, each step of every other
    /// request would wait behind it.
    private let processors: NIOThreadPool
    private let inFlight: Mutex<InFlight>
    private let state = Mutex(State())
    private let logger: Logger

    private static let manifestLimit = 1 << 16
    /// Compressed bytes of a ledger before any was seen: of pubnet's.
    private static let guessedBytesPerLedger = 140_000
    /// `.config.json` sorts before the files, and keys of folders may stand among them.
    private static let keysListed = 20

    /// A lake in a store; nothing is asked of it yet.
    public init(_ store: any ObjectStore, options: DataLakeOptions = DataLakeOptions(), retry: RetryPolicy = RetryPolicy(), logger: Logger)
    {
        self.store = store
        self.options = options
        self.logger = logger
        retrying = Retrying(policy: retry, endpoint: store.address, logger: logger)
        readers = LakeFileReaders(longestLedger: options.longestLedger)
        processors = NIOThreadPool(numberOfThreads: max(1, options.threads))
        processors.start()
        inFlight = Mutex(InFlight(options.requestsInFlight, lanes: options.threads, first: 16))
    }

    /// The store and the lake's path.
    public var endpoint: String { store.address }

    /// Requests that were repetitions after a failure.
    public var retriesByCause: [LedgerSourceError.Code: Int] { state.withLock { $0.retriesByCause } }

    /// Bytes of files received, compressed.
    public var bytesReceived: Int { state.withLock { $0.bytesReceived } }

    /// Ends all requests and connections.
    public func shutdown() async {
        await store.shutdown()
        // Nothing else shuts it down.
        try? await processors.shutdownGracefully()
    }

    /// As the lake's layout says.
    public var ledgersPerFile: Int { state.withLock { $0.description?.layout.ledgersPerFile }.map { Int($0) } ?? 1 }

    /// To the end of the ledger's file.
    public func requestLength(from first: UInt32, of available: Int) -> Int {
        let file = state.withLock { $0.description?.layout }.map { Int($0.ledgers(inFileOf: first).upperBound - first) + 1 } ?? 1
        return max(1, min(file, available))
    }

    /// As many files as keep the processors busy, and as there is memory for; one that arrives while another is read, whatever their size.
    public var requestsInFlight: Int {
        let largest = state.withLock { $0.largestFile }
        return max(2, min(inFlight.withLock { $0.target }, options.fileMemory / largest))
    }

    // MARK: what is asked first

    /// Compares the manifest's passphrase. A lake without a manifest does not say which network it has: its ledgers are checked by their chain only.
    public func requireNetwork(_ passphrase: String) async throws(LedgerSourceError) {
        let description = try await retrying.run("reading the lake's manifest", onRetry: countRetry) { _ throws(AttemptFailure) in
            try await self.description()
        }
        guard let found = description.passphrase else {
            return logger.warning(
                "the lake has no manifest, so it does not say which network its ledgers are of", metadata: ["lake": "\(endpoint)"])
        }
        guard found == passphrase else {
            throw LedgerSourceError(
                .wrongNetwork,
                "the lake's \(LakeManifest.key) is of the network \"\(AttemptFailure.shown(found))\", not of \"\(passphrase)\"",
                endpoint: endpoint)
        }
    }

    /// Looks for the file of the first ledger, and for the newest one.
    @discardableResult
    public func requireLedgers(_ needed: ClosedRange<UInt32>) async throws(LedgerSourceError) -> UInt32 {
        try await retrying.run("looking for the first ledger", ledgers: needed, onRetry: countRetry) { _ throws(AttemptFailure) in
            let description = try await self.description()
            let first = max(needed.lowerBound, LakeLayout.firstLedger)
            let newest = try await self.findNewest()
            guard try await self.file(of: first, description) != nil else {
                let has = newest.map { ", which goes up to ledger \($0)" } ?? ""
                throw AttemptFailure(
                    .outsideRetention,
                    "ledgers \(needed.lowerBound)-\(needed.upperBound) are needed, but \(self.key(of: first, description)) is not in the lake\(has); "
                        + "use a lake that has them all")
            }
            return newest ?? needed.upperBound
        }
    }

    /// The last ledger of the newest file. Where the store cannot list, files are looked for from the hint, or from the newest one known, on.
    public func latestLedger(near hint: UInt32? = nil, within total: Duration? = nil) async throws(LedgerSourceError) -> UInt32 {
        try await retrying.run("looking for the newest file", within: total, onRetry: countRetry) { _ throws(AttemptFailure) in
            let description = try await self.description()
            if let newest = try await self.findNewest() { return newest }
            guard var next = [self.state.withLock { $0.newest.map { $0 + 1 } }, hint].compactMap({ $0 }).max() else {
                throw AttemptFailure(.refused, "the lake cannot be listed, so its newest ledger is not known")
            }
            while try await self.file(of: next, description) != nil { next = description.layout.ledgers(inFileOf: next).upperBound + 1 }
            return next - 1
        }
    }

    /// Reads the manifest, and what files are called, once.
    private func description() async throws(AttemptFailure) -> Description {
        if let known = state.withLock({ $0.description }) { return known }
        let bytes = try await get(LakeManifest.key, limit: Self.manifestLimit)
        // Before the layout: to a caller without rights some stores say of every key that it is not there, but not of a listing.
        let newest = try await newestFile()
        var passphrase: String?
        let layout: LakeLayout
        if let bytes {
            do throws(LakeManifestError) {
                let manifest = try LakeManifest(json: Array(bytes.readableBytesView))
                try manifest.requireLayout(ledgersPerFile: options.ledgersPerFile, filesPerPartition: options.filesPerPartition)
                passphrase = manifest.networkPassphrase
                layout = manifest.layout
            } catch {
                throw AttemptFailure(.refused, "\(error)")
            }
        } else {
            layout = try configuredLayout()
        }
        var description = Description(layout: layout, suffix: nil, passphrase: passphrase)
        if let newest {
            guard let newest else { throw AttemptFailure(.refused, "there is no ledger file in the lake: is its path right?") }
            guard layout.ledgers(ofKey: newest) != nil else {
                throw AttemptFailure(.refused, "the lake has the file \(newest), which does not fit a layout of \(layout)")
            }
            description.suffix = LakeFileName(key: newest)?.extension
        }
        state.withLock {
            $0.description = description
            $0.largestFile = max($0.largestFile, Int(layout.ledgersPerFile) * Self.guessedBytesPerLedger)
        }
        logger.info(
            "reading a data lake",
            metadata: ["lake": "\(endpoint)", "layout": "\(layout)", "manifest": passphrase == nil ? "none" : "found"])
        return description
    }

    private func configuredLayout() throws(AttemptFailure) -> LakeLayout {
        guard let ledgers = options.ledgersPerFile, let files = options.filesPerPartition,
            let layout = LakeLayout(ledgersPerFile: ledgers, filesPerPartition: files)
        else {
            throw AttemptFailure(
                .refused,
                "there is no \(LakeManifest.key): is the path right? The layout of a lake without one has to be given with "
                    + "--datastore-ledgers-per-file and --datastore-files-per-partition")
        }
        return layout
    }

    // MARK: files

    private func get(
        _ key: String, limit: Int, onArrival: @escaping @Sendable () -> Void = {}
    ) async throws(AttemptFailure) -> ByteBuffer? {
        do throws(ObjectStoreError) {
            return try await store.get(key, limit: limit, onArrival: onArrival)
        } catch {
            throw AttemptFailure(store: error)
        }
    }

    /// The key of the newest file, nil where there is none; nil where the store cannot list.
    private func newestFile() async throws(AttemptFailure) -> String?? {
        do throws(ObjectStoreError) {
            guard let keys = try await store.list(prefix: "", limit: Self.keysListed) else { return nil }
            return .some(keys.first { LakeFileName(key: $0) != nil })
        } catch {
            throw AttemptFailure(store: error)
        }
    }

    /// The last ledger of the newest file, nil where the store cannot list.
    private func findNewest() async throws(AttemptFailure) -> UInt32? {
        guard let newest = try await newestFile(), let key = newest, let name = LakeFileName(key: key) else { return nil }
        return state.withLock { state in
            state.newest = max(state.newest ?? 0, name.ledgers.upperBound)
            return state.newest
        }
    }

    private func key(of ledger: UInt32, _ description: Description) -> String {
        description.layout.key(of: ledger, extension: description.suffix ?? .zst)
    }

    /// The file that has this ledger; nil where it is not there.
    private func file(
        of ledger: UInt32, _ description: Description, onArrival: @escaping @Sendable () -> Void = {}
    ) async throws(AttemptFailure) -> ByteBuffer? {
        let suffixes = description.suffix.map { [$0] } ?? LakeFileName.Extension.allCases
        for suffix in suffixes {
            let key = description.layout.key(of: ledger, extension: suffix)
            guard let file = try await get(key, limit: options.longestFile, onArrival: onArrival) else { continue }
            state.withLock { state in
                state.description?.suffix = suffix
                state.newest = max(state.newest ?? 0, description.layout.ledgers(inFileOf: ledger).upperBound)
                state.largestFile = max(file.readableBytes, state.largestFile - state.largestFile / 64)
                state.bytesReceived += file.readableBytes
            }
            return file
        }
        return nil
    }

    /// Why a file is not there: not yet, or a gap.
    private func missing(_ ledger: UInt32, _ description: Description) async throws(AttemptFailure) -> AttemptFailure {
        let key = key(of: ledger, description)
        let newest = try await findNewest() ?? state.withLock { $0.newest }
        guard let newest, ledger <= newest else {
            return AttemptFailure(.pastLatest, "\(key) is not there yet\(newest.map { ", the newest ledger is \($0)" } ?? "")")
        }
        return AttemptFailure(
            .missingFile,
            "its file \(key) is missing, though the lake has ledgers up to \(newest): have the gap filled, or use another source",
            ledger: ledger)
    }

    // MARK: ledgers

    /// The ledgers of one file, from `first` on.
    @discardableResult
    public func forEachLedger(
        from first: UInt32, limit: Int, _ body: @escaping @Sendable (UInt32, RawSpan) throws -> Void
    ) async throws -> ChainLink {
        let last = first + UInt32(max(1, min(limit, Int(UInt32.max - first) + 1)) - 1)
        let outcome = try await retrying.run("reading a file", ledgers: first...last, onRetry: countRetry) { _ throws(AttemptFailure) in
            try await self.attempt(first...last, body)
        }
        return try outcome.get()
    }

    private func attempt(
        _ wanted: ClosedRange<UInt32>, _ body: @escaping @Sendable (UInt32, RawSpan) throws -> Void
    ) async throws(AttemptFailure) -> Result<ChainLink, any Error> {
        let description = try await description()
        let first = wanted.lowerBound
        let arrival = Arrival()
        defer { readToEnd(arrival) }
        let file: ByteBuffer
        do throws(AttemptFailure) {
            let found = try await self.file(of: first, description) { self.arrived(arrival) }
            guard let found else { throw try await missing(first, description) }
            file = found
        } catch {
            if error.code == .overloaded || error.code == .timeout { inFlight.withLock { $0.refused() } }
            throw error
        }
        do {
            return try await processors.runIfActive { try self.read(file, wanted, description, body) }
        } catch let failure as AttemptFailure {
            throw failure
        } catch {
            // What the threads say of work that they have not begun.
            throw Task.isCancelled
                ? AttemptFailure(.cancelled, "the ledgers are not wanted any more") : AttemptFailure(.closed, "the lake was shut down")
        }
    }

    private func arrived(_ arrival: Arrival) {
        arrival.hasCome.withLock { $0 = true }
        let now = ContinuousClock.now
        let ready = state.withLock { state in
            defer { state.filesHere += 1 }
            return state.filesHere
        }
        inFlight.withLock { $0.began(at: now, after: now - arrival.asked, ready: ready) }
    }

    private func readToEnd(_ arrival: Arrival) {
        guard arrival.hasCome.withLock({ $0 }) else { return }
        let ready = state.withLock { state in
            defer { state.filesHere -= 1 }
            return state.filesHere
        }
        inFlight.withLock { $0.ended(at: .now, ready: ready) }
    }

    /// Passes on what a file has of the ledgers wanted, on a thread that does nothing else. What `body` throws is no failure of the file's.
    private func read(
        _ file: ByteBuffer, _ wanted: ClosedRange<UInt32>, _ description: Description,
        _ body: @Sendable (UInt32, RawSpan) throws -> Void
    ) throws(AttemptFailure) -> Result<ChainLink, any Error> {
        let first = wanted.lowerBound
        var chain = LedgerChain(endpoint: endpoint)
        do {
            try readers.withReader { reader in
                try reader.read(
                    file, name: description.layout.ledgers(inFileOf: first), key(of: first, description), wanted
                ) { sequence, xdr in
                    do throws(LedgerSourceError) {
                        try chain.take(sequence, xdr)
                    } catch {
                        throw AttemptFailure(error.code, error.detail, ledger: sequence)
                    }
                    do { try body(sequence, xdr) } catch { throw Stopped(error: error) }
                }
            }
        } catch let stopped as Stopped {
            return .failure(stopped.error)
        } catch {
            // What was passed on stays; the rest is for the next request.
            if let link = chain.link { return .success(link) }
            throw error as? AttemptFailure ?? AttemptFailure(.malformedResponse, "\(error)")
        }
        guard let link = chain.link else {
            throw AttemptFailure(.unexpectedLedgers, "it is not in its file \(key(of: first, description))", ledger: first)
        }
        return .success(link)
    }

    private func countRetry(_ cause: LedgerSourceError.Code) { state.withLock { $0.retriesByCause[cause, default: 0] += 1 } }
}

extension AttemptFailure {
    /// From what an object store says, with its key.
    init(store error: ObjectStoreError) {
        let code: LedgerSourceError.Code =
            switch error.code {
            case .connection: .connection
            case .timeout: .timeout
            case .overloaded: .overloaded
            case .serverFailure: .serverFailure
            case .cut: .cutResponse
            case .tooLarge: .responseTooLarge
            case .unexpectedAnswer: .malformedResponse
            case .cancelled: .cancelled
            case .closed: .closed
            case .invalidAddress, .invalidKey, .noSuchBucket, .denied, .noCredentials, .badCredentials, .expiredCredentials, .clockSkew,
                .wrongRegion, .redirected:
                .refused
            }
        self.init(code, (error.key.map { "\($0): " } ?? "") + error.detail, retryAfter: error.retryAfter)
    }
}
