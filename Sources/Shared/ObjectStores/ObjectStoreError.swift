/// What an object store did not do, with the store, the key and what to change.
public struct ObjectStoreError: Error, Sendable, Hashable {
    /// The kind of failure.
    public enum Code: String, Sendable, Hashable {
        /// A path or an endpoint that names no store.
        case invalidAddress
        /// A key that this store cannot have, such as one with `..`.
        case invalidKey
        /// No connection, or one that broke before the answer.
        case connection
        /// No answer in time.
        case timeout
        /// HTTP 429, 503 SlowDown and their like.
        case overloaded
        /// HTTP 5xx, or a file that could not be read.
        case serverFailure
        /// A body that is shorter than its Content-Length.
        case cut
        /// An object beyond the limit given.
        case tooLarge
        /// No such bucket, or no such folder.
        case noSuchBucket
        /// HTTP 403: the store knows the caller and refuses.
        case denied
        /// The store wants credentials and none were found, or those configured cannot be had.
        case noCredentials
        /// The store does not accept the credentials (InvalidAccessKeyId, SignatureDoesNotMatch and their like).
        case badCredentials
        /// The credentials have expired and could not be renewed.
        case expiredCredentials
        /// The clocks of this machine and of the store are too far apart for signatures.
        case clockSkew
        /// The bucket is in another region, and asking there did not help.
        case wrongRegion
        /// A redirect. None is followed: it could carry credentials elsewhere.
        case redirected
        /// An answer that is none of the protocol's.
        case unexpectedAnswer
        /// The task was cancelled.
        case cancelled
        /// The store was shut down.
        case closed
    }

    /// The kind of failure.
    public let code: Code
    /// What happened and what to do, for a person; holds no secrets.
    public let detail: String
    /// The store, as ``ObjectStore/address`` gives it.
    public let address: String
    /// The key that was asked for, relative to the store's path.
    public let key: String?
    /// The HTTP status, where there was one.
    public let status: Int?
    /// How long the store wants to be left alone.
    public let retryAfter: Duration?

    /// An error of a store, which also doubles of stores in tests may throw.
    public init(
        _ code: Code, _ detail: String, address: String = "", key: String? = nil, status: Int? = nil, retryAfter: Duration? = nil
    ) {
        self.code = code
        self.detail = detail
        self.address = address
        self.key = key
        self.status = status
        self.retryAfter = retryAfter
    }

    /// Whether the same request may succeed a little later, with nothing changed.
    public var isTransient: Bool {
        switch code {
        case .connection, .timeout, .overloaded, .serverFailure, .cut: true
        case .invalidAddress, .invalidKey, .tooLarge, .noSuchBucket, .denied, .noCredentials, .badCredentials, .expiredCredentials,
            .clockSkew, .wrongRegion, .redirected, .unexpectedAnswer, .cancelled, .closed:
            false
        }
    }
}

extension ObjectStoreError: CustomStringConvertible {
    /// One line: key, store, and what happened.
    public var description: String {
        let place = [key, address.isEmpty ? nil : address].compactMap { $0 }.joined(separator: " in ")
        return place.isEmpty ? detail : "\(place): \(detail)"
    }
}

extension ObjectStoreError {
    /// The same failure with the store and the key that it belongs to.
    package func asked(of address: String, key: String?) -> ObjectStoreError {
        ObjectStoreError(code, detail, address: address, key: key, status: status, retryAfter: retryAfter)
    }

    /// The same failure with what was wanted before its words.
    package func during(_ what: String) -> ObjectStoreError {
        ObjectStoreError(code, "\(what): \(detail)", address: address, key: key, status: status, retryAfter: retryAfter)
    }
}

/// Words of a server as they may stand in a message.
package enum ServerWords {
    /// One line of reasonable length.
    package static func shown(_ text: String) -> String {
        let line = String(text.unicodeScalars.prefix(300).map { $0.properties.generalCategory == .control ? " " : Character($0) })
        let words = line.split(separator: " ")
        return words.joined(separator: " ")
    }
}
