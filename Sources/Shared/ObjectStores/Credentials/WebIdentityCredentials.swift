internal import Foundation
internal import NIOCore

/// Keys for the token of a web identity, as pods of EKS have one: `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`, exchanged at AWS's STS.
package struct WebIdentityCredentials: AuthorizationProvider {
    package let environment: [String: String]
    /// Of the STS, where the environment names none.
    package let region: String
    package let transport: HTTPTransport
    package let name = "AWS_WEB_IDENTITY_TOKEN_FILE"

    package func authorization() async throws(ObjectStoreError) -> Expiring<Authorization>? {
        guard let file = environment.setting("AWS_WEB_IDENTITY_TOKEN_FILE") else { return nil }
        guard let role = environment.setting("AWS_ROLE_ARN") else {
            throw ObjectStoreError(.noCredentials, "it is set without AWS_ROLE_ARN; set both or none")
        }
        let region = environment.setting("AWS_REGION") ?? environment.setting("AWS_DEFAULT_REGION") ?? region
        let own = "https://sts.\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : "")
        let endpoint = try Endpoint(environment.setting("AWS_ENDPOINT_URL_STS") ?? own, name: "STS endpoint")
        // The file is replaced while the program runs.
        let token = try await CredentialFile(path: file).token()
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role),
            ("RoleSessionName", environment.setting("AWS_ROLE_SESSION_NAME") ?? "wallet-backend"), ("WebIdentityToken", token.value),
        ]
        let request = OutgoingRequest(
            method: .post, url: "\(endpoint.origin)\(endpoint.path)/",
            headers: [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/xml")],
            body: PercentEncoding.query(form.map { (name: $0.0, value: $0.1) }), timeout: .seconds(10))
        let answer: Answer
        do throws(ObjectStoreError) { answer = try await transport.send(request, limit: CredentialLimit.bytes) } catch {
            throw error.during("the STS at \(endpoint.shown)")
        }
        guard answer.status == 200 else { throw ObjectStoreError(service: answer).during("the STS at \(endpoint.shown), role \(role)") }
        let path = "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials"
        guard let document = XMLLeaves(answer.body), let key = document.first("\(path)/AccessKeyId"),
            let secret = document.first("\(path)/SecretAccessKey")
        else {
            throw ObjectStoreError(.unexpectedAnswer, "the answer of the STS at \(endpoint.shown) holds no credentials")
        }
        return Expiring(
            value: .keys(AccessKeys(key, secret, sessionToken: document.first("\(path)/SessionToken"))),
            expires: try document.first("\(path)/Expiration").map(CredentialTime.parse) ?? nil)
    }
}
