/// What a ledger source could not do, with the endpoint, the ledgers asked for and, where it tried more than once, how often and how long.
public struct LedgerSourceError: Error, Sendable, Hashable {
    /// The kind of failure.
    public enum Code: String, CaseIterable, Sendable, Hashable {
        /// The URL given is none that a source can use.
        case invalidURL
        /// No connection, or one that broke.
        case connection
        /// No response in time: the client's own limits, HTTP 504 or the server's processing limit (-32001).
        case timeout
        /// HTTP 429 or a full queue (-32098).
        case overloaded
        /// HTTP 5xx or a JSON-RPC error of the server's own making (-32603, -32000 to -32099).
        case serverFailure
        /// A response without a body.
        case emptyResponse
        /// A response that ends in the middle.
        case cutResponse
        /// A response that is not the JSON expected.
        case malformedResponse
        /// A response, or a ledger in it, larger than the limit set.
        case responseTooLarge
        /// No memory for a ledger beside the others that are on their way.
        case noRoom
        /// A response without ledgers although the ledger asked for is in the served range.
        case emptyPage
        /// A response whose ledgers are not the ones asked for, in order and without gaps.
        case unexpectedLedgers
        /// The ledger asked for is later than the server's latest: the server is behind.
        case pastLatest
        /// A lake's file is not there, though newer ones are.
        case missingFile
        /// The ledger asked for is older than all that the server keeps.
        case outsideRetention
        /// The server is on another network.
        case wrongNetwork
        /// The server does not know the method (-32601).
        case methodNotFound
        /// The server refuses the parameters (-32602 and other JSON-RPC codes that a repetition does not mend).
        case invalidRequest
        /// HTTP 401, 403, 404 or another status that a repetition does not mend.
        case refused
        /// A ledger whose base64 cannot be decoded.
        case badBase64
        /// A ledger whose header cannot be read as XDR.
        case badLedger
        /// A ledger of a version that this build does not know.
        case unknownVersion
        /// A ledger whose header gives another sequence than the one expected.
        case wrongSequence
        /// A ledger whose claimed hash is not the SHA-256 of its header.
        case wrongHash
        /// A ledger that does not name its predecessor's hash.
        case brokenChain
        /// The task was cancelled.
        case cancelled
        /// The source was shut down.
        case closed
    }

    /// The kind of failure.
    public let code: Code
    /// What happened, for a person; holds no secrets.
    public let detail: String
    /// The source as `scheme://host:port`, without path and credentials.
    public let endpoint: String
    /// The ledgers that were asked for, or the one that is wrong.
    public let ledgers: ClosedRange<UInt32>?
    /// How often it was tried.
    public let tries: Int
    /// From the first try to giving up; nil where nothing was tried more than once.
    public let elapsed: Duration?

    package init(
        _ code: Code, _ detail: String, endpoint: String, ledgers: ClosedRange<UInt32>? = nil, tries: Int = 1, elapsed: Duration? = nil
    ) {
        self.code = code
        self.detail = detail
        self.endpoint = endpoint
        self.ledgers = ledgers
        self.tries = tries
        self.elapsed = elapsed
    }

    /// Whether the same request may succeed later or elsewhere: false where the failure says that the ledgers cannot be had with this build from
    /// a source like this one, whoever asks for them. A request that was cancelled, or whose source was shut down, says nothing of the kind.
    public var isTransient: Bool {
        switch code {
        case .invalidURL, .missingFile, .outsideRetention, .wrongNetwork, .methodNotFound, .invalidRequest, .refused, .unknownVersion:
            false
        case .connection, .timeout, .overloaded, .serverFailure, .emptyResponse, .cutResponse, .malformedResponse, .responseTooLarge,
            .noRoom,
            .emptyPage, .unexpectedLedgers, .pastLatest, .badBase64, .badLedger, .wrongSequence, .wrongHash, .brokenChain, .cancelled,
            .closed:
            true
        }
    }
}

extension LedgerSourceError.Code {
    /// How often a source itself tries again after a failure.
    enum Repetition {
        /// As long as there is time.
        case whileTimeLasts
        /// A few times: a response that is wrong rather than missing, which is seldom better the next time.
        case aFewTimes
        /// Never: the response would be the same, or nobody waits for it any more.
        case never
    }

    var repetition: Repetition {
        switch self {
        case .connection, .timeout, .overloaded, .serverFailure, .emptyResponse, .cutResponse, .noRoom, .emptyPage, .pastLatest:
            .whileTimeLasts
        case .malformedResponse, .responseTooLarge, .unexpectedLedgers, .badBase64, .badLedger, .wrongSequence, .wrongHash, .brokenChain,
            .missingFile:
            .aFewTimes
        case .invalidURL, .outsideRetention, .wrongNetwork, .methodNotFound, .invalidRequest, .refused, .unknownVersion, .cancelled,
            .closed:
            .never
        }
    }
}

extension LedgerSourceError: CustomStringConvertible {
    /// One line: ledgers, endpoint, what happened, and tries and time where there was more than one.
    public var description: String {
        var text = ""
        if let ledgers {
            text += ledgers.count == 1 ? "ledger \(ledgers.lowerBound)" : "ledgers \(ledgers.lowerBound)-\(ledgers.upperBound)"
            text += " from "
        }
        text += "\(endpoint): \(detail)"
        if tries > 1, let elapsed {
            text += " (gave up after \(tries) tries in \(elapsed.roundedToMilliseconds))"
        }
        return text
    }
}

extension Duration {
    /// The duration without the digits that nobody reads in a message.
    var roundedToMilliseconds: String {
        let (seconds, attoseconds) = components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        return seconds == 0 ? "\(milliseconds) ms" : "\(seconds).\(String(1000 + milliseconds).dropFirst()) s"
    }
}
