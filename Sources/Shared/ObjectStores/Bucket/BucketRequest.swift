package import Foundation

/// Whose interface a bucket has.
package enum BucketDialect: String, Sendable {
    /// AWS, and the servers like it.
    case s3 = "s3"
    /// Google Cloud Storage.
    case gcs = "gs"
}

/// What is asked of a bucket.
package enum BucketQuestion: Sendable {
    /// An object by its whole key.
    case object(String)
    /// The first keys, or those after a continuation.
    case keys(prefix: String, limit: Int, continuation: String?)
}

/// Makes the requests to one bucket.
package struct BucketRequest: Sendable {
    package let dialect: BucketDialect
    package let bucket: String
    /// Nil: the service's own.
    package let endpoint: Endpoint?

    package init(dialect: BucketDialect, bucket: String, endpoint: Endpoint?) {
        self.dialect = dialect
        self.bucket = bucket
        self.endpoint = endpoint
    }

    /// Whether a listing is answered in JSON, the one interface of Google's that its emulator has, too. It knows no HMAC keys.
    package func isListedInJSON(_ authorization: Authorization) -> Bool {
        if case .keys = authorization { return false }
        return dialect == .gcs
    }

    /// - Throws: `invalidAddress` where credentials would leave the machine unencrypted.
    package func make(
        _ question: BucketQuestion, _ authorization: Authorization, region: String, date: Date
    ) throws(ObjectStoreError) -> OutgoingRequest {
        let endpoint = try address(region)
        var path = endpoint.path
        var query: [(name: String, value: String)] = []
        switch question {
        case .object(let key): path += "/\(bucket)/" + PercentEncoding.encode(key, keepingSlashes: true)
        case .keys(let prefix, let limit, let continuation):
            query.append(("prefix", prefix))
            if isListedInJSON(authorization) {
                path += "/storage/v1/b/\(bucket)/o"
                query += [("maxResults", "\(limit)"), ("fields", "items(name),nextPageToken")]
                if let continuation { query.append(("pageToken", continuation)) }
            } else {
                path += "/\(bucket)"
                query += [("list-type", "2"), ("max-keys", "\(limit)")]
                if let continuation { query.append(("continuation-token", continuation)) }
            }
        }
        let encoded = PercentEncoding.query(query)
        var request = OutgoingRequest(url: endpoint.origin + path + (encoded.isEmpty ? "" : "?\(encoded)"))
        switch authorization {
        case .unsigned, .nothingFound: break
        case .keys(let keys):
            let signature = SignatureV4(keys: keys, region: region, date: date)
            request.headers = signature.headers(host: endpoint.hostHeader, path: path, query: encoded)
        case .bearer(let token):
            guard endpoint.scheme == "https" || endpoint.isLoopback else {
                throw ObjectStoreError(
                    .invalidAddress,
                    "the endpoint \(endpoint.origin) is not encrypted, and a token would be sent there; give one with https")
            }
            request.headers.append(("authorization", "Bearer \(token.value)"))
        }
        return request
    }

    private func address(_ region: String) throws(ObjectStoreError) -> Endpoint {
        if let endpoint { return endpoint }
        switch dialect {
        case .s3: return try Endpoint("https://s3.\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : ""), name: "address of S3")
        case .gcs: return try Endpoint("https://storage.googleapis.com", name: "address of Google Cloud Storage")
        }
    }
}
