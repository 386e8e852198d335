import Foundation
import NIOCore
import NIOHTTP1
import Testing

import ObjectStores

/// What stores answer, as tables.
struct BucketAnswerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var status: Int
        var code: String?
        var authorization: Authorization = .keys(AccessKeys(Hidden.key, Hidden.secret))
        var headers: HTTPHeaders = [:]
        var more = ""
        var expected: ObjectStoreError.Code
        var says: [String] = []
        var testDescription: String { "\(status) \(code ?? "-") \(authorization)" }

        func refusal() -> BucketRefusal {
            let body = code.map { "<Error><Code>\($0)</Code><Message>Words of the store</Message>\(more)</Error>" } ?? "<html>no</html>"
            return BucketRefusal(
                Answer(status: status, headers: headers, body: ByteBuffer(string: body)), now: ManualTime("2026-01-31T12:00:00Z").now)
        }
    }

    static let cases: [Case] = [
        Case(status: 404, code: "NoSuchBucket", expected: .noSuchBucket, says: ["no such bucket", "endpoint"]),
        Case(status: 403, code: "AccessDenied", expected: .denied, says: ["AccessDenied", "right to read", "Words of the store"]),
        Case(status: 403, code: "AccessDenied", authorization: .nothingFound, expected: .noCredentials, says: ["AWS_ACCESS_KEY_ID"]),
        Case(status: 403, code: "AccessDenied", authorization: .unsigned, expected: .denied, says: ["leave out --datastore-unsigned"]),
        Case(status: 403, code: "InvalidObjectState", expected: .denied),
        Case(status: 403, code: nil, expected: .denied),
        Case(status: 403, code: "InvalidAccessKeyId", expected: .badCredentials, says: ["--datastore-unsigned"]),
        Case(status: 403, code: "SignatureDoesNotMatch", expected: .badCredentials, says: ["--datastore-unsigned"]),
        Case(status: 400, code: "InvalidToken", expected: .badCredentials),
        Case(status: 400, code: "ExpiredToken", expected: .expiredCredentials, says: ["expired", "--datastore-unsigned"]),
        Case(
            status: 403, code: "RequestTimeTooSkewed", headers: ["date": "Sat, 31 Jan 2026 13:00:00 GMT"], expected: .clockSkew,
            says: ["Sat, 31 Jan 2026 13:00:00 GMT"]),
        Case(
            status: 301, code: "PermanentRedirect", headers: ["x-amz-bucket-region": "eu-west-1"], expected: .wrongRegion,
            says: ["eu-west-1"]),
        Case(
            status: 400, code: "AuthorizationHeaderMalformed", more: "<Region>eu-west-1</Region>", expected: .wrongRegion,
            says: ["eu-west-1"]),
        Case(status: 400, code: "AuthorizationHeaderMalformed", expected: .badCredentials),
        Case(
            status: 307, code: nil, headers: ["location": "https://other/x?t=\(Hidden.token)"], expected: .redirected,
            says: ["https://other"]),
        Case(status: 500, code: "InternalError", expected: .serverFailure),
        Case(status: 502, code: nil, expected: .serverFailure),
        Case(status: 503, code: "SlowDown", expected: .overloaded),
        Case(status: 503, code: nil, headers: ["retry-after": "3"], expected: .overloaded),
        Case(status: 503, code: nil, expected: .serverFailure),
        Case(status: 429, code: nil, expected: .overloaded),
        Case(status: 400, code: "RequestTimeout", expected: .timeout),
        Case(status: 504, code: nil, expected: .timeout),
        Case(status: 400, code: "InvalidRequest", expected: .unexpectedAnswer, says: ["InvalidRequest"]),
        Case(status: 206, code: nil, expected: .unexpectedAnswer),
        Case(status: 401, code: nil, authorization: .bearer(Secret(Hidden.token)), expected: .badCredentials),
        Case(status: 401, code: nil, authorization: .nothingFound, expected: .noCredentials, says: ["GOOGLE_APPLICATION_CREDENTIALS"]),
    ]

    @Test(arguments: cases)
    func refusals(_ given: Case) {
        let error = given.refusal().error(given.authorization, region: "us-east-2", action: "read")
        #expect(error.code == given.expected)
        #expect(error.status == given.status)
        for word in given.says { #expect(error.detail.contains(word), "\(error.detail)") }
        for secret in Hidden.all { #expect(!"\(error) \(String(reflecting: error))".contains(secret)) }
        let transient: Set<ObjectStoreError.Code> = [.connection, .timeout, .overloaded, .serverFailure, .cut]
        #expect(error.isTransient == transient.contains(given.expected))
    }

    @Test(arguments: [
        ("120", Duration.seconds(120)), ("0", .zero), ("Sat, 31 Jan 2026 12:00:30 GMT", .seconds(30)),
        ("Sat, 31 Jan 2026 11:00:30 GMT", .zero), ("99999999999999999999", .seconds(1 << 32)), ("soon", nil), ("", nil),
    ])
    func retryAfter(_ text: String, _ expected: Duration?) {
        let refusal = Case(status: 503, code: "SlowDown", headers: ["retry-after": text], expected: .overloaded).refusal()
        #expect(refusal.error(.unsigned, region: "r", action: "read").retryAfter == expected)
    }

    @Test func aRegionThatIsNoneIsNotBelieved() {
        let given = Case(status: 301, code: "PermanentRedirect", more: "<Region>evil.example/x</Region>", expected: .redirected)
        #expect(given.refusal().region == nil)
        #expect(given.refusal().code == .redirected)
    }

    @Test func missingKeys() {
        #expect(Case(status: 404, code: "NoSuchKey", expected: .unexpectedAnswer).refusal().meansNoSuchKey)
        #expect(Case(status: 404, code: nil, expected: .unexpectedAnswer).refusal().meansNoSuchKey)
        #expect(!Case(status: 404, code: "NoSuchBucket", expected: .unexpectedAnswer).refusal().meansNoSuchKey)
        #expect(!Case(status: 403, code: "NoSuchKey", expected: .unexpectedAnswer).refusal().meansNoSuchKey)
    }

    @Test func listingInXML() {
        let text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>p/</Prefix><KeyCount>2</KeyCount>
            <IsTruncated>true</IsTruncated><NextContinuationToken>1/x=</NextContinuationToken>
            <Contents><Key>p/.config.json</Key><Owner><ID>Key</ID></Owner></Contents><Contents><Key>p/a&amp;b&lt;c</Key></Contents>
            <CommonPrefixes><Prefix>p/z/</Prefix></CommonPrefixes></ListBucketResult>
            """
        let listing = BucketListing(xml: ByteBuffer(string: text))
        #expect(listing?.keys == ["p/.config.json", "p/a&b<c"])
        #expect(listing?.continuation == "1/x=")
        #expect(
            BucketListing(xml: ByteBuffer(string: text.replacing("<IsTruncated>true", with: "<IsTruncated>false")))?.continuation == nil)
    }

    @Test(arguments: ["", "{}", "<html><body>hello</body></html>", "<ListBucketResult><Contents>", "<Error><Code>x</Code></Error>"])
    func noListing(_ text: String) {
        #expect(BucketListing(xml: ByteBuffer(string: text)) == nil)
    }

    @Test func deepNestingIsRefused() {
        let text = String(repeating: "<a>", count: 100_000)
        #expect(XMLLeaves(ByteBuffer(string: text)) == nil)
    }

    @Test func entitiesOfOtherFilesAreNotRead() {
        let text = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]><Error><Code>&e;</Code></Error>"
        let code = BucketComplaint(ByteBuffer(string: text)).code ?? ""
        #expect(code.isEmpty)
    }

    @Test func listingInJSON() {
        let text = #"{"kind":"storage#objects","items":[{"name":"p/a"},{"name":"p/b"}],"nextPageToken":"t"}"#
        #expect(BucketListing(json: ByteBuffer(string: text))?.keys == ["p/a", "p/b"])
        #expect(BucketListing(json: ByteBuffer(string: text))?.continuation == "t")
        #expect(BucketListing(json: ByteBuffer(string: "{}"))?.keys == [])
        #expect(BucketListing(json: ByteBuffer(string: "<x/>")) == nil)
    }

    @Test func complaintInJSON() {
        let text = #"{"error":{"code":403,"message":"nobody@x does not have access","errors":[{"reason":"forbidden"}]}}"#
        let complaint = BucketComplaint(ByteBuffer(string: text))
        #expect(complaint.code == "forbidden")
        #expect(complaint.message == "nobody@x does not have access")
    }
}
