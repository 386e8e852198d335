/// A key of AWS, or one in its form (GCS HMAC).
package struct AccessKeys: Sendable, Hashable {
    package let accessKeyID: Secret
    package let secretAccessKey: Secret
    /// Of temporary keys.
    package let sessionToken: Secret?

    package init(_ accessKeyID: String, _ secretAccessKey: String, sessionToken: String? = nil) {
        self.accessKeyID = Secret(accessKeyID)
        self.secretAccessKey = Secret(secretAccessKey)
        self.sessionToken = sessionToken.map { Secret($0) }
    }
}

/// What a request to a bucket is sent with.
package enum Authorization: Sendable, Hashable {
    /// Nothing, because the configuration says so.
    case unsigned
    /// Nothing, because nobody had credentials to give.
    case nothingFound
    /// A signature (V4).
    case keys(AccessKeys)
    /// `Authorization: Bearer`.
    case bearer(Secret)

    /// Whether asking for it again may bring another.
    package var isRenewable: Bool {
        switch self {
        case .unsigned, .nothingFound: false
        case .keys, .bearer: true
        }
    }
}

/// One place that may have credentials.
package protocol AuthorizationProvider: Sendable {
    /// The place, for the log.
    var name: String { get }

    /// The credentials that are there.
    ///
    /// - Returns: nil where nothing says that any are there.
    /// - Throws: why those that should be there cannot be had.
    func authorization() async throws(ObjectStoreError) -> Expiring<Authorization>?
}
