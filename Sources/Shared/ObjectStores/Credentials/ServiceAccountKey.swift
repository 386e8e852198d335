internal import CryptoExtras
package import Foundation

/// A token for the key of a Google service account in the file `GOOGLE_APPLICATION_CREDENTIALS`.
///
/// The key signs a JWT (RFC 7523, RS256), which Google exchanges for the token.
package struct ServiceAccountKey: AuthorizationProvider {
    package let environment: [String: String]
    package let now: @Sendable () -> Date
    package let transport: HTTPTransport
    package let name = "GOOGLE_APPLICATION_CREDENTIALS"

    private struct KeyFile: Decodable {
        var type: String?
        var client_email: String?
        var private_key: String?
        var private_key_id: String?
        var token_uri: String?
    }

    private struct Header: Encodable {
        var alg = "RS256"
        var typ = "JWT"
        var kid: String?
    }

    private struct Claims: Encodable {
        var iss: String
        var scope = "https://www.googleapis.com/auth/devstorage.read_only"
        var aud: String
        var iat: Int
        var exp: Int
    }

    package func authorization() async throws(ObjectStoreError) -> Expiring<Authorization>? {
        guard let path = environment.setting("GOOGLE_APPLICATION_CREDENTIALS") else { return nil }
        let text = try await CredentialFile(path: path).text()
        guard let file = try? JSONDecoder().decode(KeyFile.self, from: Data(text.utf8)) else {
            throw ObjectStoreError(.noCredentials, "the file \(path) is not the JSON of a key")
        }
        guard file.type == "service_account", let email = file.client_email, let key = file.private_key else {
            throw ObjectStoreError(
                .noCredentials,
                "the file \(path) holds credentials of the type \(ServerWords.shown(file.type ?? "(none)"));"
                    + " give the key of a service account"
            )
        }
        let audience = file.token_uri ?? "https://oauth2.googleapis.com/token"
        let endpoint = try Endpoint(audience, name: "token_uri of the key file")
        guard endpoint.scheme == "https" || endpoint.isLoopback else {
            throw ObjectStoreError(.noCredentials, "the token_uri in \(path) is not encrypted")
        }
        let date = now()
        let seconds = Int(date.timeIntervalSince1970)
        let assertion = try Self.sign(
            Header(kid: file.private_key_id), Claims(iss: email, aud: audience, iat: seconds, exp: seconds + 3600), with: key, path: path)
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)]
        let request = OutgoingRequest(
            method: .post, url: audience, headers: [("content-type", "application/x-www-form-urlencoded")],
            body: PercentEncoding.query(form.map { (name: $0.0, value: $0.1) }), timeout: .seconds(10))
        let answer: Answer
        do throws(ObjectStoreError) { answer = try await transport.send(request, limit: CredentialLimit.bytes) } catch {
            throw error.during("the token service at \(endpoint.origin)")
        }
        guard answer.status == 200 else {
            throw ObjectStoreError(service: answer).during("the token service at \(endpoint.origin), account \(ServerWords.shown(email))")
        }
        return try GoogleToken.read(answer.body, now: date)
    }

    private static func sign(_ header: Header, _ claims: Claims, with pem: String, path: String) throws(ObjectStoreError) -> String {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let body = try [encoder.encode(header), encoder.encode(claims)].map(base64URL).joined(separator: ".")
            let key = try _RSA.Signing.PrivateKey(pemRepresentation: pem)
            // RS256 is the padding of PKCS #1 v1.5, which Google asks for.
            let signature = try key.signature(for: Data(body.utf8), padding: .insecurePKCS1v1_5)
            return body + "." + base64URL(signature.rawRepresentation)
        } catch {
            throw ObjectStoreError(.badCredentials, "the private key in \(path) cannot sign: is it whole?")
        }
    }

    private static func base64URL(_ bytes: Data) -> String {
        bytes.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
