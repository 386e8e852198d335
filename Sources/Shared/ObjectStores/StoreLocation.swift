internal import Foundation

/// What a path names.
package enum StoreLocation: Sendable, Hashable {
    /// A bucket of S3 or of a server like it, and the path in it without slashes at its ends.
    case s3(bucket: String, path: String)
    /// A bucket of Google Cloud Storage.
    case gcs(bucket: String, path: String)
    /// A URL below which objects are.
    case http(String)
    /// An absolute folder.
    case folder(String)

    /// - Throws: `invalidAddress`.
    package init(_ text: String) throws(ObjectStoreError) {
        let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        let scheme: String
        let rest: String
        if let mark = text.firstRange(of: "://") {
            scheme = text[..<mark.lowerBound].lowercased()
            rest = String(text[mark.upperBound...])
        } else {
            scheme = "s3"
            rest = text
        }
        switch scheme {
        case "s3":
            let (bucket, path) = try Self.bucketAndPath(rest)
            self = .s3(bucket: bucket, path: path)
        case "gs":
            let (bucket, path) = try Self.bucketAndPath(rest)
            self = .gcs(bucket: bucket, path: path)
        case "http", "https": self = .http("\(scheme)://\(rest)")
        case "file": self = .folder(try Self.folder(rest))
        default:
            // The text may hold a password where its scheme is misspelled.
            throw ObjectStoreError(
                .invalidAddress, "the path has a scheme that is not known; it should begin with s3://, gs://, https://, http:// or file://")
        }
    }

    private static func bucketAndPath(_ text: String) throws(ObjectStoreError) -> (String, String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let bucket = parts.first.map(String.init) ?? ""
        let isName = bucket.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard !bucket.isEmpty, isName, bucket != ".", bucket != ".." else {
            throw ObjectStoreError(.invalidAddress, "the path has no bucket; it should look like s3://bucket/path or bucket/path")
        }
        let path = parts.dropFirst().joined(separator: "/").trimmingCharacters(in: ["/"])
        guard path.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
            throw ObjectStoreError(.invalidAddress, "the path holds control characters")
        }
        guard !path.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) else {
            throw ObjectStoreError(.invalidAddress, "the path holds the segment . or .., which HTTP clients and servers take away")
        }
        return (bucket, path)
    }

    private static func folder(_ text: String) throws(ObjectStoreError) -> String {
        let local = text.hasPrefix("localhost/") ? String(text.dropFirst("localhost".count)) : text
        guard local.hasPrefix("/"), let path = local.removingPercentEncoding, !path.utf8.contains(0) else {
            throw ObjectStoreError(.invalidAddress, "a folder is given with its whole path, as in file:///srv/lake")
        }
        var trimmed = path[...]
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        return String(trimmed)
    }
}
