package import Foundation

/// The token of the service account of a machine in Google Cloud, from its metadata server.
package struct MetadataServer: AuthorizationProvider {
    package let environment: [String: String]
    package let services: CredentialServices
    package let now: @Sendable () -> Date
    package let transport: HTTPTransport
    package let name = "the metadata server"

    package func authorization() async throws(ObjectStoreError) -> Expiring<Authorization>? {
        let base = environment.setting("GCE_METADATA_HOST").map { "http://\($0)" } ?? services.google
        let endpoint = try Endpoint(base, name: "GCE_METADATA_HOST")
        let request = OutgoingRequest(
            url: "\(endpoint.origin)/computeMetadata/v1/instance/service-accounts/default/token",
            headers: [("metadata-flavor", "Google")], timeout: services.patience)
        let date = now()
        // Elsewhere nobody answers, or somebody else does: that is no failure.
        let answer: Answer
        do throws(ObjectStoreError) { answer = try await transport.send(request, limit: CredentialLimit.bytes) } catch {
            if error.code == .cancelled || error.code == .closed { throw error }
            return nil
        }
        guard answer.header("metadata-flavor") == "Google", answer.status != 404 else { return nil }
        guard answer.status == 200 else { throw ObjectStoreError(service: answer) }
        return try GoogleToken.read(answer.body, now: date)
    }
}
