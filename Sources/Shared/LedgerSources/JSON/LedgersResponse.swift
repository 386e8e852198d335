package import StellarXDR

/// The `error` of a JSON-RPC 2.0 response.
package struct RPCErrorObject: Hashable, Sendable {
    /// The code, such as -32601.
    package var code: Int
    /// The server's words.
    package var message: String
    /// The `data` member as it stands, cut to what fits a message.
    package var data: String?

    package init(code: Int, message: String, data: String? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }
}

/// The result of `getLedgers`: what it says of each ledger, and where in the response its XDR is.
package struct LedgersResponse: Sendable, Hashable {
    /// One element of `ledgers`.
    package struct Entry: Sendable, Hashable {
        /// `sequence`.
        package var sequence: UInt32
        /// `hash`.
        package var hash: Hash32
        /// `metadataXdr`: the range between its quotes, base64 of a `LedgerCloseMeta`.
        package var metadata: Range<Int>
    }

    /// What a JSON-RPC response can be.
    package enum Outcome: Sendable, Hashable {
        case result(LedgersResponse)
        case error(RPCErrorObject)
    }

    /// `ledgers`, in the order of the response.
    package var ledgers: [Entry] = []
    /// `latestLedger`: the last ledger that the server has.
    package var latestLedger: UInt32?
    /// `oldestLedger`: the first ledger that the server keeps.
    package var oldestLedger: UInt32?
    /// `cursor`: decimal of the last sequence returned.
    package var cursor: String?

    /// Scans a whole response in place. Keys may come in any order, unknown ones are skipped.
    package static func scan(_ text: Span<UInt8>) throws(JSONScanError) -> Outcome {
        var scanner = JSONScanner()
        var response: LedgersResponse?
        var failure: RPCErrorObject?
        try scanner.expect("{", text)
        var isFirst = true
        while let key = try scanner.nextKey(text, isFirst: &isFirst) {
            if JSONText.equals("result", key, text) {
                if try !scanner.takeNull(text) { response = try LedgersResponse(&scanner, text) }
            } else if JSONText.equals("error", key, text) {
                if try !scanner.takeNull(text) { failure = try RPCErrorObject(&scanner, text) }
            } else {
                try scanner.skipValue(text)
            }
        }
        try scanner.expectEnd(text)
        if let failure { return .error(failure) }
        guard let response else { throw JSONScanError(offset: text.count, reason: .expected("\"result\" or \"error\" in the response")) }
        return .result(response)
    }

    /// How many ledgers begin in the first part of a response.
    package static func ledgersBegun(in text: Span<UInt8>) -> Int {
        let key = Array("\"metadataXdr\"".utf8)
        var count = 0
        var from = 0
        // A quote ends each string, and the strings are what is long: there are a few of them in a megabyte.
        while let quote = text.firstIndex(of: UInt8(ascii: "\""), from: from) {
            if quote + key.count <= text.count, key.indices.allSatisfy({ text[quote + $0] == key[$0] }) { count += 1 }
            from = quote + 1
        }
        return count
    }

    private init(_ scanner: inout JSONScanner, _ text: Span<UInt8>) throws(JSONScanError) {
        try scanner.expect("{", text)
        var isFirst = true
        while let key = try scanner.nextKey(text, isFirst: &isFirst) {
            if JSONText.equals("ledgers", key, text) {
                if try !scanner.takeNull(text) { ledgers = try Self.entries(&scanner, text) }
            } else if JSONText.equals("latestLedger", key, text) {
                latestLedger = try scanner.integer(text, as: UInt32.self)
            } else if JSONText.equals("oldestLedger", key, text) {
                oldestLedger = try scanner.integer(text, as: UInt32.self)
            } else if JSONText.equals("cursor", key, text) {
                let at = scanner.offset
                guard let value = JSONText.string(try scanner.string(text), text) else {
                    throw JSONScanError(offset: at, reason: .expected("a cursor"))
                }
                cursor = value
            } else {
                try scanner.skipValue(text)
            }
        }
    }

    private static func entries(_ scanner: inout JSONScanner, _ text: Span<UInt8>) throws(JSONScanError) -> [Entry] {
        var entries: [Entry] = []
        try scanner.expect("[", text)
        var isFirst = true
        while try scanner.hasElement(text, isFirst: &isFirst) {
            entries.append(try Entry(&scanner, text))
        }
        return entries
    }
}

extension LedgersResponse.Entry {
    fileprivate init(_ scanner: inout JSONScanner, _ text: Span<UInt8>) throws(JSONScanError) {
        var sequence: UInt32?
        var hash: Hash32?
        var metadata: Range<Int>?
        try scanner.expect("{", text)
        var isFirst = true
        while let key = try scanner.nextKey(text, isFirst: &isFirst) {
            if JSONText.equals("metadataXdr", key, text) {
                metadata = try scanner.string(text)
            } else if JSONText.equals("sequence", key, text) {
                sequence = try scanner.integer(text, as: UInt32.self)
            } else if JSONText.equals("hash", key, text) {
                let range = try scanner.string(text)
                hash = JSONText.string(range, text).flatMap { Hash32(hex: $0) }
                guard hash != nil else { throw JSONScanError(offset: range.lowerBound, reason: .expected("a hash of 64 hex digits")) }
            } else {
                try scanner.skipValue(text)
            }
        }
        guard let sequence else { throw JSONScanError(offset: scanner.offset, reason: .expected("a ledger with \"sequence\"")) }
        guard let hash else { throw JSONScanError(offset: scanner.offset, reason: .expected("\"hash\" of ledger \(sequence)")) }
        guard let metadata else { throw JSONScanError(offset: scanner.offset, reason: .expected("\"metadataXdr\" of ledger \(sequence)")) }
        self.init(sequence: sequence, hash: hash, metadata: metadata)
    }
}

extension RPCErrorObject {
    fileprivate init(_ scanner: inout JSONScanner, _ text: Span<UInt8>) throws(JSONScanError) {
        self.init(code: 0, message: "")
        try scanner.expect("{", text)
        var isFirst = true
        while let key = try scanner.nextKey(text, isFirst: &isFirst) {
            if JSONText.equals("code", key, text) {
                code = try scanner.integer(text, as: Int.self)
            } else if JSONText.equals("message", key, text) {
                message = JSONText.string(try scanner.string(text), text) ?? ""
            } else if JSONText.equals("data", key, text) {
                let start = scanner.offset
                try scanner.skipValue(text)
                let shown = text.extracting(start..<min(scanner.offset, start + 200))
                data = String(decoding: shown.indices.map { shown[$0] }, as: UTF8.self)
            } else {
                try scanner.skipValue(text)
            }
        }
    }
}
