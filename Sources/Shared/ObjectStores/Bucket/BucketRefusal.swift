package import Foundation
internal import NIOCore

/// An answer of a bucket that is not 200, and what it means.
package struct BucketRefusal: Sendable, Hashable {
    package let status: Int
    /// The store's own code, such as `SlowDown`.
    package let storeCode: String?
    /// The store's words.
    package let message: String?
    /// The region that the bucket is in, where the answer says so.
    package let region: String?
    package let retryAfter: Duration?
    /// The store's clock.
    package let serverDate: String?
    package let redirect: String

    package init(_ answer: Answer, now: Date) {
        let complaint = BucketComplaint(answer.body)
        status = answer.status
        storeCode = complaint.code.map(ServerWords.shown)
        message = complaint.message.map(ServerWords.shown)
        // It becomes part of a host name.
        region = (answer.header("x-amz-bucket-region") ?? complaint.region).flatMap { region in
            let isName = region.utf8.allSatisfy { Character(UnicodeScalar($0)).isRegionCharacter }
            return (1...64).contains(region.utf8.count) && isName ? region : nil
        }
        retryAfter = answer.header("retry-after").flatMap { RetryAfter.delay($0, now: now) }
        serverDate = answer.header("date").map(ServerWords.shown)
        redirect = Redirect.target(answer)
    }

    /// Whether there is no object with the key.
    package var meansNoSuchKey: Bool { status == 404 && storeCode != "NoSuchBucket" }

    /// Whether the store says no without saying why, as it does where a caller who may not list asks for a key that is not there.
    package var meansNoAccess: Bool {
        // Google's JSON interface: `forbidden`, and `required` (401) for a caller without credentials.
        (status == 403 && (storeCode == "AccessDenied" || storeCode == "forbidden")) || (status == 401 && storeCode == "required")
    }

    /// Whether the request may be right in the region that the answer gives.
    package var meansOtherRegion: Bool {
        switch (status, storeCode) {
        case (301, _), (307, _), (400, "AuthorizationHeaderMalformed"), (403, "AuthorizationHeaderMalformed"),
            (400, "IllegalLocationConstraintException"):
            region != nil
        default: false
        }
    }

    /// Whether new credentials may help.
    package var meansExpired: Bool {
        switch storeCode {
        case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired": true
        // A bearer token that Google does not know any more.
        case "authError", "AuthenticationRequired": status == 401
        default: status == 401 && storeCode == nil
        }
    }

    /// The kind of failure, whatever credentials were sent.
    package var code: ObjectStoreError.Code {
        switch storeCode {
        case "NoSuchBucket", "InvalidBucketName": return .noSuchBucket
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "CredentialsNotSupported", "NotSignedUp",
            "InvalidSecurityToken":
            return .badCredentials
        case "AuthorizationHeaderMalformed": return meansOtherRegion ? .wrongRegion : .badCredentials
        case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired": return .expiredCredentials
        case "RequestTimeTooSkewed": return .clockSkew
        case "SlowDown", "ServiceUnavailable", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded",
            "BandwidthLimitExceeded", "Busy", "rateLimitExceeded", "userRateLimitExceeded":
            return .overloaded
        case "InternalError", "backendError": return .serverFailure
        case "RequestTimeout": return .timeout
        default: break
        }
        if meansOtherRegion { return .wrongRegion }
        switch status {
        case 300...399: return .redirected
        case 401: return .badCredentials
        case 403: return .denied
        case 408, 504: return .timeout
        case 429: return .overloaded
        case 503: return retryAfter == nil ? .serverFailure : .overloaded
        case 500...599: return .serverFailure
        default: return .unexpectedAnswer
        }
    }

    /// The failure in words, with what to do about it.
    ///
    /// - Parameters:
    ///   - authorization: what the request was sent with.
    ///   - region: where it was sent.
    ///   - action: `read` or `list`.
    package func error(_ authorization: Authorization, region asked: String, action: String) -> ObjectStoreError {
        var code = code
        var said = "HTTP \(status)" + (storeCode.map { " \($0)" } ?? "")
        let unsignedHint = "if the bucket is public, read it unsigned (--datastore-unsigned)"
        switch code {
        case .denied, .badCredentials:
            switch authorization {
            case .nothingFound:
                code = .noCredentials
                said +=
                    ": the bucket does not let everyone \(action) it, and no credentials were found; give some, such as AWS_ACCESS_KEY_ID"
                    + " and AWS_SECRET_ACCESS_KEY or GOOGLE_APPLICATION_CREDENTIALS"
            case .unsigned:
                code = .denied
                said += ": the bucket does not let everyone \(action) it; leave out --datastore-unsigned and give credentials"
            case .keys, .bearer:
                said +=
                    code == .denied
                    ? ": the credentials do not give the right to \(action) this bucket; grant it, or give others"
                    : ": the store does not accept the credentials; check them, or \(unsignedHint)"
            }
        case .expiredCredentials: said += ": the credentials have expired; give new ones, or \(unsignedHint)"
        case .clockSkew:
            said +=
                ": this machine's clock is too far from the store's" + (serverDate.map { ", which says \($0)" } ?? "") + "; set it right"
        case .noSuchBucket: said += ": there is no such bucket; check the path, the endpoint and the region"
        case .wrongRegion: said += ": the bucket is in region \(region ?? "?"), not in \(asked); set --datastore-region"
        case .redirected: said += ": the store redirects\(redirect); check the region and the endpoint"
        case .unexpectedAnswer: said += ": no answer of an object store; check the endpoint"
        default: break
        }
        // What stores say of credentials may repeat them.
        if let message, code != .badCredentials, code != .expiredCredentials { said += " (\(message))" }
        return ObjectStoreError(code, said, status: status, retryAfter: retryAfter)
    }
}

extension Character {
    fileprivate var isRegionCharacter: Bool { isASCII && (isLetter || isNumber || self == "-" || self == "_") }
}
