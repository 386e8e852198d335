package import Foundation
package import NIOCore

/// Keys as the container and instance services answer them.
package struct ServiceKeys: Decodable {
    package var AccessKeyId: String?
    package var SecretAccessKey: String?
    package var Token: String?
    package var Expiration: String?
    /// `Success`, or why there are none (instance service).
    package var Code: String?

    /// - Throws: `unexpectedAnswer`.
    package static func read(_ body: ByteBuffer) throws(ObjectStoreError) -> Expiring<Authorization> {
        guard let keys = try? JSONDecoder().decode(ServiceKeys.self, from: Data(body.readableBytesView)) else {
            throw ObjectStoreError(.unexpectedAnswer, "the answer is not the JSON of credentials")
        }
        if let code = keys.Code, code != "Success" {
            throw ObjectStoreError(.noCredentials, "the service says \(ServerWords.shown(code)); check the role of this machine")
        }
        guard let key = keys.AccessKeyId, let secret = keys.SecretAccessKey, !key.isEmpty, !secret.isEmpty else {
            throw ObjectStoreError(.unexpectedAnswer, "the answer has no AccessKeyId or no SecretAccessKey")
        }
        return Expiring(
            value: .keys(AccessKeys(key, secret, sessionToken: keys.Token)), expires: try keys.Expiration.map(CredentialTime.parse) ?? nil)
    }
}

/// A token as Google's services answer it.
package struct GoogleToken: Decodable {
    package var access_token: String
    /// Seconds.
    package var expires_in: Double?

    /// - Throws: `unexpectedAnswer`.
    package static func read(_ body: ByteBuffer, now: Date) throws(ObjectStoreError) -> Expiring<Authorization> {
        guard let token = try? JSONDecoder().decode(GoogleToken.self, from: Data(body.readableBytesView)), !token.access_token.isEmpty,
            token.access_token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw ObjectStoreError(.unexpectedAnswer, "the answer is not the JSON of a token")
        }
        return Expiring(value: .bearer(Secret(token.access_token)), expires: now.addingTimeInterval(token.expires_in ?? 3600))
    }
}

/// Times such as 2026-01-31T23:59:59Z, with or without fractions of a second.
package enum CredentialTime {
    /// - Throws: `unexpectedAnswer`.
    package static func parse(_ text: String) throws(ObjectStoreError) -> Date {
        for fractions in [false, true] {
            if let date = try? Date.ISO8601FormatStyle(includingFractionalSeconds: fractions).parse(text) { return date }
        }
        throw ObjectStoreError(.unexpectedAnswer, "the time at which the credentials expire cannot be read")
    }
}

extension ObjectStoreError {
    /// A service for credentials that answers another status than 200.
    package init(service answer: Answer) {
        let status = answer.status
        let code: Code =
            switch status {
            case 300...399: .redirected
            case 400...403: .badCredentials
            case 408, 504: .timeout
            case 429: .overloaded
            case 500...599: .serverFailure
            default: .unexpectedAnswer
            }
        // The words of a service may repeat the token that it was asked with; its code does not.
        let complaint = BucketComplaint(answer.body).code.map { " \(ServerWords.shown($0))" } ?? ""
        self.init(code, "the service answers HTTP \(status)\(complaint)", status: status)
    }
}

/// Most bytes that an answer with credentials has.
package enum CredentialLimit {
    package static let bytes = 1 << 20
}
