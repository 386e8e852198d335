internal import NIOCore
internal import StellarXDR
internal import Synchronization
internal import Zstd

/// Reads the ledgers out of a lake's files (zstd of a `LedgerCloseMetaBatch`, SEP-54), one file after the other in the same memory: the decompression
/// context, and as much of a file's content as its largest ledger takes. A file of one ledger is decompressed at once, others as far as they are read.
final class LakeFileReader: Sendable {
    private struct State: ~Copyable {
        var zstd: ZstdStream
        /// Content of the file; `unread` is what is here and was not passed yet.
        var bytes: [UInt8] = []
        var unread = 0..<0
        var offset = 0
        var isOver = false
        /// Bytes of the largest ledger so far.
        var largest = 1 << 18

        mutating func begin() {
            zstd.begin()
            unread = 0..<0
            offset = 0
            isOver = false
        }

        /// Room behind what is here: by moving it to the front, or by more memory.
        mutating func makeRoom(_ longest: Int, _ what: String) throws(AttemptFailure) {
            if unread.lowerBound > bytes.count / 2 {
                let kept = Array(bytes[unread])
                bytes.replaceSubrange(0..<kept.count, with: kept)
                unread = 0..<kept.count
                return
            }
            guard bytes.count < longest else {
                throw AttemptFailure(.responseTooLarge, "\(what) has a ledger of more than \(longest) bytes")
            }
            let added = min(max(bytes.count, 1 << 20), longest - bytes.count + 64)
            bytes.append(contentsOf: repeatElement(0, count: added))
        }
    }

    private let state: Mutex<State>
    private let longestLedger: Int

    init(longestLedger: Int) throws(AttemptFailure) {
        do {
            state = Mutex(State(zstd: try ZstdStream()))
        } catch {
            throw AttemptFailure(.noRoom, "\(error)")
        }
        self.longestLedger = longestLedger
    }

    /// Passes the ledgers of a file to `body`: those of `wanted`, in order, as far as the file has them.
    /// - Parameters:
    ///   - name: the ledgers that the file's key promises.
    ///   - what: the file, for messages.
    /// - Throws: `AttemptFailure` where the file is damaged, cut or another one; what `body` throws.
    func read(
        _ file: ByteBuffer, name: ClosedRange<UInt32>, _ what: String, _ wanted: ClosedRange<UInt32>,
        _ body: (UInt32, RawSpan) throws -> Void
    ) throws {
        try state.withLock { state in
            state.begin()
            let input = file.readableBytesUInt8Span
            if name.count == 1 { try readWhole(input, what, &state) }
            while state.unread.count < LedgerBatchHeader.byteCount, try more(input, what, &state) {}
            let ledgers = try header(state, what)
            // The first file of a network begins with ledger 2, whatever its name says.
            guard ledgers.upperBound == name.upperBound,
                ledgers.lowerBound == max(name.lowerBound, min(name.upperBound, LakeLayout.firstLedger))
            else {
                throw AttemptFailure(
                    .unexpectedLedgers, "\(what) has ledgers \(ledgers.lowerBound)-\(ledgers.upperBound), not those that its name says")
            }
            state.unread = state.unread.lowerBound + LedgerBatchHeader.byteCount..<state.unread.upperBound
            for sequence in ledgers {
                let count = try length(of: sequence, isLast: sequence == ledgers.upperBound, input, what, &state)
                let start = state.unread.lowerBound
                if wanted.contains(sequence) {
                    try body(sequence, unsafe state.bytes.span.bytes.extracting(start..<start + count))
                    if sequence == wanted.upperBound { return }
                }
                state.unread = start + count..<state.unread.upperBound
            }
            guard state.unread.isEmpty else {
                throw AttemptFailure(.malformedResponse, "\(what) has bytes behind its last ledger, \(ledgers.upperBound)")
            }
        }
    }

    private func header(_ state: borrowing State, _ what: String) throws(AttemptFailure) -> ClosedRange<UInt32> {
        do {
            return try LedgerBatchHeader(unsafe state.bytes.span.bytes.extracting(state.unread)).ledgers
        } catch {
            throw AttemptFailure(.malformedResponse, "\(what) is no batch of ledgers: \(error)")
        }
    }

    /// The length of the ledger that comes next, once all of it is here. A file has no lengths: the last ledger ends with the file, others where a walk
    /// through them ends.
    private func length(
        of sequence: UInt32, isLast: Bool, _ input: Span<UInt8>, _ what: String, _ state: inout State
    ) throws(AttemptFailure) -> Int {
        if isLast {
            while try more(input, what, &state) {}
            return state.unread.count
        }
        while state.unread.count < state.largest, try more(input, what, &state) {}
        while true {
            do throws(XDRError) {
                let count = try LedgerReader.read(front: unsafe state.bytes.span.bytes.extracting(state.unread)) { _ in }.byteCount
                state.largest = max(state.largest, count)
                return count
            } catch {
                guard error.endsEarly, try more(input, what, &state) else {
                    throw AttemptFailure(.badLedger, "it cannot be read in \(what): \(error)", ledger: sequence)
                }
            }
        }
    }

    /// Decompresses the file at once, into as much memory as it takes.
    private func readWhole(_ input: Span<UInt8>, _ what: String, _ state: inout State) throws(AttemptFailure) {
        while true {
            do throws(ZstdError) {
                if let count = try state.zstd.readWhole(input, into: &state.bytes) {
                    state.unread = 0..<count
                    state.isOver = true
                    return
                }
            } catch {
                throw Self.failure(error, what)
            }
            try state.makeRoom(longestLedger, what)
        }
    }

    private static func failure(_ error: ZstdError, _ what: String) -> AttemptFailure {
        error == .cut
            ? AttemptFailure(.cutResponse, "\(what) ends in the middle") : AttemptFailure(.malformedResponse, "\(what): \(error)")
    }

    /// Decompresses more of the file; false where there is no more.
    private func more(_ input: Span<UInt8>, _ what: String, _ state: inout State) throws(AttemptFailure) -> Bool {
        guard !state.isOver else { return false }
        if state.unread.upperBound == state.bytes.count { try state.makeRoom(longestLedger, what) }
        let written: Int
        do throws(ZstdError) {
            written = try state.zstd.read(
                input, from: &state.offset, into: &state.bytes, at: state.unread.upperBound..<state.bytes.count)
        } catch {
            throw Self.failure(error, what)
        }
        state.unread = state.unread.lowerBound..<state.unread.upperBound + written
        if written > 0 { return true }
        guard state.zstd.isAtEndOfFrame else { throw AttemptFailure(.cutResponse, "\(what) ends in the middle") }
        state.isOver = true
        return false
    }
}

/// The readers of a lake: as many as files are read at once.
final class LakeFileReaders: Sendable {
    private let free = Mutex<[LakeFileReader]>([])
    private let longestLedger: Int

    init(longestLedger: Int) { self.longestLedger = longestLedger }

    func withReader<Result>(_ body: (LakeFileReader) throws -> Result) throws -> Result {
        let reader = try free.withLock { $0.popLast() } ?? LakeFileReader(longestLedger: longestLedger)
        defer { free.withLock { $0.append(reader) } }
        return try body(reader)
    }
}
