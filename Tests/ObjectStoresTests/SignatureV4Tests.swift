import Foundation
import Testing

import ObjectStores

/// AWS's published examples ("Signature Calculations for the Authorization Header", S3 API reference).
struct SignatureV4Tests {
    private let example = SignatureV4(
        keys: AccessKeys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), region: "us-east-1",
        date: ManualTime("2013-05-24T00:00:00Z").now)
    private let host = "examplebucket.s3.amazonaws.com"

    private func signature(_ headers: [(name: String, value: String)]) -> String? {
        headers.first { $0.name == "authorization" }?.value.split(separator: "Signature=").last.map(String.init)
    }

    @Test func getWithRange() {
        let headers = example.headers(host: host, path: "/test.txt", query: "", others: [("range", "bytes=0-9")])
        let expected =
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        #expect(headers.first { $0.name == "authorization" }?.value == expected)
        #expect(headers.first { $0.name == "x-amz-date" }?.value == "20130524T000000Z")
    }

    @Test func getOfASubresource() {
        let headers = example.headers(host: host, path: "/", query: PercentEncoding.query([("lifecycle", "")]))
        #expect(signature(headers) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
    }

    @Test func listing() {
        let headers = example.headers(host: host, path: "/", query: PercentEncoding.query([("prefix", "J"), ("max-keys", "2")]))
        #expect(signature(headers) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func sessionTokenIsSigned() {
        let keys = AccessKeys("A", "B", sessionToken: "C")
        let headers = SignatureV4(keys: keys, region: "us-east-2", date: example.date).headers(host: host, path: "/", query: "")
        #expect(headers.contains { $0 == ("x-amz-security-token", "C") })
        #expect(headers.last?.value.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,") == true)
    }

    @Test(arguments: [
        ("a/b c+d=e&f", true, "a/b%20c%2Bd%3De%26f"), ("a/b", false, "a%2Fb"), ("ä~-_.", true, "%C3%A4~-_."), ("%", true, "%25"),
    ])
    func encoding(_ text: String, _ keepingSlashes: Bool, _ expected: String) {
        #expect(PercentEncoding.encode(text, keepingSlashes: keepingSlashes) == expected)
    }
}
