internal import StellarXDR

/// The `error` of a JSON-RPC 2.0 response.
package struct RPCErrorObject: Hashable, Sendable {
    /// The code, such as -32601.
    package var code: Int
    /// The server's words.
    package var message: String
    /// The `data` member where it is a string, cut to what fits a message.
    package var data: String?

    package init(code: Int, message: String, data: String? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }
}

/// Reads the response to `getLedgers` while it arrives: decodes each ledger into one buffer, and passes it on when its string has closed.
///
/// Keys may come in any order, unknown ones are skipped. Where a ledger's sequence and hash come after its XDR, it is passed on at the end of its object.
struct LedgersStream: JSONSink {
    private enum Place { case response, result, ledgers, ledger, error, other }

    private struct Entry {
        var sequence: UInt32?
        var hash: Hash32?
        var hasXDR = false
        var isDelivered = false
        var base64 = Base64Stream()
        /// An escape that goes on in the next piece.
        var escape: [UInt8] = []
    }

    /// Ledgers that were asked for: further ones are left out.
    private let asked: ClosedRange<UInt32>
    private let buffers: LedgerBuffers
    private let body: @Sendable (UInt32, RawSpan) throws -> Void
    private var places: [Place] = []
    private var key = ""
    private var entry = Entry()
    /// From the first piece of a ledger to its end.
    private var buffer: LedgerBuffer?
    private var errorObject: RPCErrorObject?
    private var hasResult = false

    /// The ledgers that were passed on.
    private(set) var chain: LedgerChain
    /// Ledgers in the response so far.
    private(set) var count = 0
    /// `latestLedger`: the last ledger that the server has.
    private(set) var latestLedger: UInt32?

    init(
        _ asked: ClosedRange<UInt32>, endpoint: String, buffers: LedgerBuffers, body: @escaping @Sendable (UInt32, RawSpan) throws -> Void
    ) {
        self.asked = asked
        self.buffers = buffers
        self.body = body
        chain = LedgerChain(endpoint: endpoint)
    }

    /// Gives the memory back. More than once is harmless.
    mutating func giveBackMemory() {
        guard let last = buffer.take() else { return }
        buffers.giveBack(last)
    }

    /// What a response that has ended is: nil for a result.
    func outcome() throws(AttemptFailure) -> RPCErrorObject? {
        if let errorObject { return errorObject }
        guard hasResult else { throw AttemptFailure(.malformedResponse, "the response has neither result nor error") }
        return nil
    }

    // MARK: JSON

    mutating func key(_ name: String) { key = name }

    mutating func begin(isObject: Bool) throws {
        let place: Place
        switch (places.last, key, isObject) {
        case (nil, _, _): place = .response
        case (.response, "result", true):
            place = .result
            hasResult = true
        case (.response, "error", true):
            place = .error
            errorObject = RPCErrorObject(code: 0, message: "")
        case (.result, "ledgers", false): place = .ledgers
        case (.ledgers, _, true):
            place = .ledger
            entry = Entry()
        case (.response, "result", false), (.response, "error", false), (.result, "ledgers", true), (.ledgers, _, false),
            (.result, "latestLedger", _), (.ledger, "sequence", _), (.ledger, "hash", _), (.ledger, "metadataXdr", _), (.error, "code", _),
            (.error, "message", _):
            throw mismatch
        default: place = .other
        }
        places.append(place)
    }

    mutating func end() throws {
        if places.removeLast() == .ledger {
            guard let sequence = entry.sequence else { throw missing("\"sequence\" of a ledger") }
            guard entry.hash != nil else { throw missing("\"hash\" of ledger \(sequence)") }
            guard entry.hasXDR || count >= asked.count else { throw missing("\"metadataXdr\" of ledger \(sequence)") }
            if !entry.isDelivered { try deliver() }
            giveBackMemory()
            count += 1
        }
        key = ""
    }

    mutating func stringUse() throws -> JSONStringUse {
        switch (places.last, key) {
        case (.ledger, "metadataXdr"):
            guard !entry.hasXDR else { throw AttemptFailure(.malformedResponse, "\"metadataXdr\" stands twice in a ledger") }
            return count < asked.count ? .stream : .skip
        case (.ledger, "hash"), (.error, "message"), (.error, "data"): return .collect
        case (.ledger, "sequence"), (.ledgers, _), (.result, "ledgers"), (.result, "latestLedger"), (.response, "result"),
            (.response, "error"), (.error, "code"):
            throw mismatch
        default: return .skip
        }
    }

    mutating func string(_ text: String) throws {
        switch (places.last, key) {
        case (.ledger, "hash"):
            guard let hash = Hash32(hex: text) else { throw missing("a hash of 64 hex digits") }
            entry.hash = hash
        case (.error, "message"): errorObject?.message = text
        case (.error, "data"): errorObject?.data = String(text.prefix(200))
        default: break
        }
    }

    mutating func number(_ text: String) throws {
        switch (places.last, key) {
        case (.ledger, "sequence"): entry.sequence = try integer(text)
        case (.result, "latestLedger"): latestLedger = try integer(text)
        case (.error, "code"):
            let code: Int = try integer(text)
            errorObject?.code = code
        case (.ledgers, _), (.ledger, "hash"), (.ledger, "metadataXdr"), (.result, "ledgers"), (.response, "result"), (.response, "error"):
            throw mismatch
        default: break
        }
    }

    mutating func literal(isNull: Bool) throws {
        switch (places.last, key) {
        case (.response, "result"), (.response, "error"), (.result, "ledgers"): if !isNull { throw mismatch }
        case (.ledgers, _), (.ledger, "sequence"), (.ledger, "hash"), (.ledger, "metadataXdr"), (.result, "latestLedger"), (.error, "code"):
            throw mismatch
        default: break
        }
    }

    private func integer<Value: FixedWidthInteger>(_ text: String) throws -> Value {
        guard let value = Value(text) else { throw missing("a whole number as \"\(key)\" instead of \(text)") }
        return value
    }

    private var mismatch: AttemptFailure { missing("another value of \"\(places.last == .ledgers ? "ledgers" : key)\"") }

    private func missing(_ what: String) -> AttemptFailure {
        AttemptFailure(.malformedResponse, "the response is not the JSON expected: it should have \(what)")
    }

    // MARK: XDR

    mutating func piece(_ bytes: Span<UInt8>) throws {
        var buffer = self.buffer.take() ?? buffers.take()
        defer { self.buffer = buffer }
        let needed = buffer.count + entry.base64.room(for: bytes.count + entry.escape.count)
        guard needed <= buffers.longest else {
            throw AttemptFailure(.responseTooLarge, "\(ledgerAtHand) has more than \(buffers.longest) bytes")
        }
        guard buffers.grow(&buffer, to: needed) else {
            throw AttemptFailure(.noRoom, "\(ledgerAtHand) has no room in memory beside the others that are on their way")
        }
        // What the decoder keeps for the next piece, it has not looked at.
        let endsInEscape = (max(0, bytes.count - 3)..<bytes.count).contains { bytes[$0] == UInt8(ascii: "\\") }
        if entry.escape.isEmpty, !endsInEscape {
            var base64 = entry.base64
            if let written = try? base64.decode(bytes, into: &buffer.bytes, at: buffer.count) {
                entry.base64 = base64
                buffer.count += written
                return
            }
        }
        // Some JSON writers escape '/', '+' or '='. The RPC does not, a gateway before it may.
        let plain = try unescaped(bytes)
        do {
            buffer.count += try entry.base64.decode(plain.span, into: &buffer.bytes, at: buffer.count)
        } catch {
            throw wrong("character \(error.position) is wrong")
        }
    }

    mutating func endOfPieces() throws {
        guard entry.escape.isEmpty else { throw wrong("it ends in an escape") }
        do {
            try entry.base64.finish()
        } catch {
            throw wrong("its length \(error.position) is no multiple of four")
        }
        entry.hasXDR = true
        if entry.sequence != nil, entry.hash != nil { try deliver() }
    }

    private var ledgerAtHand: String { "ledger \(entry.sequence ?? asked.lowerBound &+ UInt32(count))" }

    private func wrong(_ what: String) -> AttemptFailure {
        AttemptFailure(.badBase64, "its XDR is not base64: \(what)", ledger: entry.sequence ?? asked.lowerBound &+ UInt32(count))
    }

    /// The piece behind what was kept of the last one, without escapes; keeps an escape that is not complete.
    private mutating func unescaped(_ bytes: Span<UInt8>) throws -> [UInt8] {
        var text = entry.escape
        for index in bytes.indices { text.append(bytes[index]) }
        var whole = text.count
        // An escape is six characters at most.
        for index in max(0, text.count - 6)..<text.count where text[index] == UInt8(ascii: "\\") {
            let isUnicode = index + 1 < text.count && text[index + 1] == UInt8(ascii: "u")
            if text.count - index < (isUnicode ? 6 : 2) { whole = min(whole, index) }
        }
        entry.escape = Array(text[whole...])
        guard let plain = JSONText.unescaped(text.span.extracting(0..<whole)) else {
            throw wrong("it has an escape that JSON does not know")
        }
        return plain
    }

    private mutating func deliver() throws {
        guard let sequence = entry.sequence, let hash = entry.hash else { return }
        entry.isDelivered = true
        guard count < asked.count else { return }
        let expected = asked.lowerBound + UInt32(count)
        guard sequence == expected else {
            throw AttemptFailure(.unexpectedLedgers, "place \(count + 1) of the response has ledger \(sequence) instead of \(expected)")
        }
        // An empty string is a ledger of no bytes.
        let buffer = buffer ?? LedgerBuffer()
        let xdr = unsafe buffer.bytes.span.bytes.extracting(0..<buffer.count)
        do throws(LedgerSourceError) {
            try chain.take(sequence, xdr, stated: hash)
        } catch {
            throw AttemptFailure(error.code, error.detail, ledger: sequence)
        }
        do {
            try body(sequence, xdr)
        } catch {
            throw Stopped(error: error)
        }
    }
}
