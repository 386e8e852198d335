package import Foundation
package import FoundationXML
package import NIOCore

/// What a listing says.
package struct BucketListing: Sendable, Hashable {
    /// Whole keys, in the order of the store.
    package var keys: [String] = []
    /// Asks for the rest; nil where there is none.
    package var continuation: String?

    /// From `ListBucketResult` (ListObjectsV2).
    /// - Returns: nil where the bytes are none.
    package init?(xml: ByteBuffer) {
        guard let document = XMLLeaves(xml), document.root == "ListBucketResult" else { return nil }
        keys = document.all("ListBucketResult/Contents/Key")
        if document.first("ListBucketResult/IsTruncated") == "true" {
            continuation = document.first("ListBucketResult/NextContinuationToken")
        }
    }

    /// From the answer of Google's JSON interface (`storage#objects`).
    /// - Returns: nil where the bytes are none.
    package init?(json: ByteBuffer) {
        struct Objects: Decodable {
            struct Item: Decodable { var name: String }
            var items: [Item]?
            var nextPageToken: String?
        }
        guard let objects = try? JSONDecoder().decode(Objects.self, from: Data(json.readableBytesView)) else { return nil }
        keys = (objects.items ?? []).map(\.name)
        continuation = objects.nextPageToken
    }
}

/// What the body of a refusal says, in XML or JSON; all nil where it says nothing.
package struct BucketComplaint: Sendable, Hashable {
    /// Such as `NoSuchKey`.
    package var code: String?
    /// Words for a person.
    package var message: String?
    /// The region of the bucket.
    package var region: String?

    package init(_ body: ByteBuffer) {
        struct GoogleError: Decodable {
            struct Detail: Decodable {
                struct Item: Decodable { var reason: String? }
                var message: String?
                var errors: [Item]?
            }
            var error: Detail
        }
        if let document = XMLLeaves(body),
            let error = ["Error", "ErrorResponse/Error"].first(where: { document.first("\($0)/Code") != nil })
        {
            code = document.first("\(error)/Code")
            message = document.first("\(error)/Message")
            region = document.first("\(error)/Region")
        } else if let json = try? JSONDecoder().decode(GoogleError.self, from: Data(body.readableBytesView)) {
            code = json.error.errors?.first?.reason
            message = json.error.message
        }
    }
}

/// The texts of an XML document's leaves, by the path of their elements' names.
package final class XMLLeaves: NSObject, XMLParserDelegate {
    /// The outermost element.
    private(set) var root = ""
    private var path: [String] = []
    private var text = ""
    private var leaves: [(path: String, text: String)] = []

    /// Deepest nesting that is read: the documents of object stores have four.
    private static let depth = 16

    /// - Returns: nil where the bytes are not XML.
    package init?(_ bytes: ByteBuffer) {
        super.init()
        // A document that is not XML is often JSON, HTML or nothing.
        guard bytes.readableBytesView.first(where: { $0 > 0x20 }) == UInt8(ascii: "<") else { return nil }
        let parser = XMLParser(data: Data(bytes.readableBytesView))
        parser.shouldResolveExternalEntities = false
        parser.delegate = self
        // A document that ends in the middle passes for parsed.
        guard parser.parse(), parser.parserError == nil, !root.isEmpty, path.isEmpty else { return nil }
    }

    package func first(_ path: String) -> String? { leaves.first { $0.path == path }?.text }

    package func all(_ path: String) -> [String] { leaves.filter { $0.path == path }.map(\.text) }

    package func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?, attributes: [String: String]
    ) {
        if path.isEmpty { root = name }
        path.append(name)
        text = ""
        if path.count > Self.depth { parser.abortParsing() }
    }

    package func parser(_ parser: XMLParser, foundCharacters characters: String) {
        text += characters
    }

    package func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        leaves.append((path.joined(separator: "/"), text))
        text = ""
        if !path.isEmpty { path.removeLast() }
    }
}
