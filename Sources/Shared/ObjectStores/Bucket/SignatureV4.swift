internal import Crypto
package import Foundation

/// AWS Signature Version 4 of a request without a body, carried by headers.
package struct SignatureV4: Sendable {
    package let keys: AccessKeys
    package let region: String
    package var service = "s3"
    package let date: Date

    package init(keys: AccessKeys, region: String, service: String = "s3", date: Date) {
        self.keys = keys
        self.region = region
        self.service = service
        self.date = date
    }

    /// SHA-256 of no bytes.
    package static let emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    /// The headers that a GET is sent with, `host` among them.
    ///
    /// - Parameters:
    ///   - host: as the header has it, with the port where it is not the scheme's own.
    ///   - path: percent-encoded once, as it is sent.
    ///   - query: as ``PercentEncoding/query(_:)`` makes it.
    ///   - others: further headers to sign, names in lower case.
    package func headers(host: String, path: String, query: String, others: [(name: String, value: String)] = []) -> [(
        name: String, value: String
    )] {
        let (day, time) = Self.stamps(date)
        var signed = others + [("host", host), ("x-amz-content-sha256", Self.emptyPayload), ("x-amz-date", time)]
        if let token = keys.sessionToken { signed.append(("x-amz-security-token", token.value)) }
        signed.sort { $0.name < $1.name }
        let names = signed.map(\.name).joined(separator: ";")
        let canonical =
            (["GET", path, query] + signed.map { "\($0.name):\($0.value.trimmingCharacters(in: .whitespaces))" } + [
                "", names, Self.emptyPayload,
            ])
            .joined(separator: "\n")
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let toSign = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(Self.hex(SHA256.hash(data: Data(canonical.utf8))))"
        var key = SymmetricKey(data: Data("AWS4\(keys.secretAccessKey.value)".utf8))
        for part in [day, region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Data(part.utf8), using: key))
        }
        let signature = Self.hex(HMAC<SHA256>.authenticationCode(for: Data(toSign.utf8), using: key))
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(keys.accessKeyID.value)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
        return signed + [("authorization", authorization)]
    }

    /// `20260131` and `20260131T235959Z`.
    private static func stamps(_ date: Date) -> (day: String, time: String) {
        let time = Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted, timeZone: .gmt).format(date)
        return (String(time.prefix(8)), time)
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
