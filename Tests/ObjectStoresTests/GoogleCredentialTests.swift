import CryptoExtras
import Foundation
import NIOCore
import TestSupport
import Testing

import ObjectStores

/// What requests to Google Cloud Storage are sent with.
@Suite(.timeLimit(.minutes(2)))
struct GoogleCredentialTests {
    @Test func unsigned() async throws {
        try await LocalService.run({ request, _ in
            request.isListing ? .text(#"{"items":[{"name":"p/a"}]}"#) : .text(request.headers["authorization"] ?? "none")
        }) { service in
            try await withStore("gs://bucket/p", localOptions(service.url)) { store async throws in
                #expect(try await store.text("a b") == "none")
                #expect(try await store.list(prefix: "", limit: 5) == ["a"])
                #expect(store.address == "gs://bucket/p at \(service.url)")
                #expect(
                    service.seen.map(\.target) == [
                        "/bucket/p/a%20b", "/storage/v1/b/bucket/o?fields=items%28name%29%2CnextPageToken&maxResults=5&prefix=p%2F",
                    ])
            }
        }
    }

    @Test func hmac() async throws {
        try await LocalService.run({ request, _ in request.isListing ? .listing(["a"]) : .text(request.headers["authorization"] ?? "none") }
        ) {
            service in
            let environment = ["GCS_HMAC_ACCESS_KEY_ID": "GOOG1", "GCS_HMAC_SECRET": Hidden.secret]
            try await withStore("gs://bucket", localOptions(service.url, environment: environment)) { store async throws in
                #expect(try await store.text("k")?.hasPrefix("AWS4-HMAC-SHA256 Credential=GOOG1/") == true)
                #expect(try await store.list(prefix: "", limit: 5) == ["a"])
                #expect(service.seen.allSatisfy { $0.signedRegion == "auto" })
            }
        }
    }

    @Test func metadataServer() async throws {
        let time = ManualTime()
        try await LocalService.run({ request, number in
            if request.target.hasPrefix("/computeMetadata/") {
                guard request.headers["metadata-flavor"] == "Google" else { return .text("", status: 403) }
                return .text(#"{"access_token":"token-\#(number)","expires_in":3599}"#, headers: ["Metadata-Flavor": "Google"])
            }
            // The first token is one that Google does not know any more.
            return request.headers["authorization"] == "Bearer token-1"
                ? .text("", status: 401) : .text(request.headers["authorization"] ?? "")
        }) { service in
            var options = localOptions(service.url, environment: ["GCE_METADATA_HOST": service.url.replacing("http://", with: "")])
            options.now = { time.now }
            try await withStore("gs://bucket", options) { store async throws in
                #expect(try await store.text("k") == "Bearer token-3")
                time.advance(by: 4000)
                #expect(try await store.text("k") == "Bearer token-5")
            }
        }
    }

    @Test func anotherServerAtTheAddressOfTheMetadataServer() async throws {
        try await LocalService.run({ request, _ in .text(request.headers["authorization"] ?? "none") }) { service in
            let options = localOptions(service.url, environment: ["GCE_METADATA_HOST": service.url.replacing("http://", with: "")])
            try await withStore("gs://bucket", options) { store async throws in
                let found = try await store.text("k")
                #expect(found == "none")
            }
        }
    }

    @Test func serviceAccount() async throws {
        let time = ManualTime()
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        try await LocalService.run({ request, _ in
            guard request.method == "POST" else { return .text(request.headers["authorization"] ?? "none") }
            let form = request.body.split(separator: "&").map { $0.removingPercentEncoding ?? "" }
            guard form.contains("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer"),
                let assertion = form.first(where: { $0.hasPrefix("assertion=") })?.dropFirst("assertion=".count),
                Self.isRight(String(assertion), key.publicKey, time, audience: "http://\(request.headers["host"] ?? "")/token")
            else { return .text(#"{"error":"invalid_grant"}"#, status: 400) }
            return .text(#"{"access_token":"of-the-account","expires_in":3600}"#)
        }) { service in
            let file = try JSONEncoder().encode([
                "type": "service_account", "client_email": "reader@project", "private_key": key.pkcs8PEMRepresentation,
                "private_key_id": "id1", "token_uri": "\(service.url)/token",
            ])
            try await withFolder(["key.json": String(decoding: file, as: UTF8.self)]) { folder in
                var options = localOptions(service.url, environment: ["GOOGLE_APPLICATION_CREDENTIALS": "\(folder)/key.json"])
                options.now = { time.now }
                try await withStore("gs://bucket", options) { store async throws in
                    let found = try await store.text("k")
                    #expect(found == "Bearer of-the-account")
                }
                // With another clock the service refuses.
                let late = time.now + 7200
                options.now = { late }
                try await withStore("gs://bucket", options) { store async throws in
                    let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                    #expect(error.code == .badCredentials)
                    #expect(error.detail.contains("reader@project"))
                }
            }
        }
    }

    @Test(arguments: [
        ("{}", "service account"), ("not JSON", "JSON"), (#"{"type":"authorized_user"}"#, "authorized_user"),
        (#"{"type":"service_account","client_email":"a","private_key":"none","token_uri":"https://example.com/"}"#, "private key"),
        (#"{"type":"service_account","client_email":"a","private_key":"none","token_uri":"http://example.com/"}"#, "not encrypted"),
    ])
    func keyFiles(_ text: String, _ word: String) async throws {
        try await withFolder(["key.json": text]) { folder in
            let options = localOptions("http://127.0.0.1:1", environment: ["GOOGLE_APPLICATION_CREDENTIALS": "\(folder)/key.json"])
            try await withStore("gs://bucket", options) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                #expect(error.detail.contains(word), "\(error)")
                #expect(!error.isTransient)
            }
        }
    }

    private static func isRight(_ token: String, _ key: _RSA.Signing.PublicKey, _ time: ManualTime, audience: String) -> Bool {
        struct Header: Decodable { var alg: String, typ: String, kid: String }
        struct Claims: Decodable { var iss: String, scope: String, aud: String, iat: Double, exp: Double }
        let parts = token.split(separator: ".").map(String.init)
        let decoded = parts.compactMap { part in
            Data(
                base64Encoded: part.replacing("-", with: "+").replacing("_", with: "/")
                    + String(repeating: "=", count: (4 - part.count % 4) % 4))
        }
        guard decoded.count == 3, let header = try? JSONDecoder().decode(Header.self, from: decoded[0]),
            let claims = try? JSONDecoder().decode(Claims.self, from: decoded[1])
        else { return false }
        let signature = _RSA.Signing.RSASignature(rawRepresentation: decoded[2])
        let now = time.now.timeIntervalSince1970
        return header.alg == "RS256" && header.kid == "id1" && claims.iss == "reader@project" && claims.aud == audience
            && claims.scope.hasSuffix("devstorage.read_only") && abs(claims.iat - now) < 60 && claims.exp == claims.iat + 3600
            && key.isValidSignature(signature, for: Data("\(parts[0]).\(parts[1])".utf8), padding: .insecurePKCS1v1_5)
    }
}
