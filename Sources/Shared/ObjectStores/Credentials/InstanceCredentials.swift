internal import Foundation
internal import NIOCore

/// Keys of the role of an EC2 instance, from its metadata service (IMDSv2).
package struct InstanceCredentials: AuthorizationProvider {
    package let environment: [String: String]
    package let services: CredentialServices
    package let transport: HTTPTransport
    package let name = "the instance metadata service"

    package func authorization() async throws(ObjectStoreError) -> Expiring<Authorization>? {
        if environment.setting("AWS_EC2_METADATA_DISABLED")?.lowercased() == "true" { return nil }
        let endpoint = try Endpoint(
            environment.setting("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? services.instance, name: "metadata endpoint")
        let base = endpoint.origin + endpoint.path
        let token = OutgoingRequest(
            method: .put, url: "\(base)/latest/api/token", headers: [("x-aws-ec2-metadata-token-ttl-seconds", "21600")],
            timeout: services.patience)
        // Away from EC2 nobody answers, or somebody else does: that is no failure.
        let reply: Answer
        do throws(ObjectStoreError) { reply = try await transport.send(token, limit: CredentialLimit.bytes) } catch {
            if error.code == .cancelled || error.code == .closed { throw error }
            return nil
        }
        let session = String(buffer: reply.body)
        guard reply.status == 200, !session.isEmpty, session.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }

        let folder = "\(base)/latest/meta-data/iam/security-credentials/"
        let roles = try await get(folder, session)
        if roles.status == 404 { return nil }
        guard roles.status == 200 else { throw ObjectStoreError(service: roles) }
        guard let role = String(buffer: roles.body).split(whereSeparator: \.isNewline).first else { return nil }
        let keys = try await get(folder + PercentEncoding.encode(String(role), keepingSlashes: false), session)
        guard keys.status == 200 else { throw ObjectStoreError(service: keys) }
        return try ServiceKeys.read(keys.body)
    }

    private func get(_ url: String, _ session: String) async throws(ObjectStoreError) -> Answer {
        try await transport.send(
            OutgoingRequest(url: url, headers: [("x-aws-ec2-metadata-token", session)], timeout: services.patience),
            limit: CredentialLimit.bytes)
    }
}
