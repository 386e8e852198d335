import TestSupport

extension Reply {
    /// An error as S3 words it.
    static func s3(_ status: Int, _ code: String, _ more: String = "", headers: [String: String] = [:]) -> Reply {
        .text(
            "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>words of the store</Message>\(more)</Error>", status: status,
            headers: headers)
    }
    /// A listing as S3 words it.
    static func listing(_ keys: [String], continuation: String? = nil) -> Reply {
        let contents = keys.map { "<Contents><Key>\($0)</Key><Size>1</Size></Contents>" }.joined()
        let rest =
            continuation.map { "<IsTruncated>true</IsTruncated><NextContinuationToken>\($0)</NextContinuationToken>" }
            ?? "<IsTruncated>false</IsTruncated>"
        return .text(
            "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\(rest)\(contents)"
                + "</ListBucketResult>"
        )
    }
}

extension SeenRequest {
    /// The region in the scope of a signature.
    var signedRegion: String? {
        headers["authorization"]?.split(separator: "/").dropFirst(2).first.map(String.init)
    }
    /// The access key of a signature.
    var signer: String? {
        headers["authorization"]?.split(separator: "=").dropFirst().first?.split(separator: "/").first.map(String.init)
    }
    /// Whether it asks for a listing.
    var isListing: Bool { target.contains("list-type=2") || target.contains("maxResults=") }
}
