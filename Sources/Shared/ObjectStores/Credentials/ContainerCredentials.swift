/// Keys of a container's role (ECS, EKS Pod Identity): a service at `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `_FULL_URI`.
package struct ContainerCredentials: AuthorizationProvider {
    package let environment: [String: String]
    /// Where relative URIs are.
    package let service: String
    package let transport: HTTPTransport
    package let name = "AWS_CONTAINER_CREDENTIALS_*_URI"

    /// Plain HTTP goes to these addresses only, which do not leave the machine (ECS, EKS).
    private static let local: Set<String> = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]

    package func authorization() async throws(ObjectStoreError) -> Expiring<Authorization>? {
        let url: String
        if let relative = environment.setting("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            guard relative.hasPrefix("/") else {
                throw ObjectStoreError(.noCredentials, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash")
            }
            url = service + relative
        } else if let full = environment.setting("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            url = full
        } else {
            return nil
        }
        let endpoint = try Endpoint(url, name: "AWS_CONTAINER_CREDENTIALS_FULL_URI")
        guard endpoint.scheme == "https" || endpoint.isLoopback || Self.local.contains(endpoint.host) else {
            throw ObjectStoreError(
                .noCredentials,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is plain HTTP to another machine (\(endpoint.origin)); give an https URL")
        }
        var request = OutgoingRequest(url: url, headers: [("accept", "application/json")], timeout: .seconds(5))
        if let file = environment.setting("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            // The file is replaced while the program runs.
            request.headers.append(("authorization", try await CredentialFile(path: file).token().value))
        } else if let token = environment.setting("AWS_CONTAINER_AUTHORIZATION_TOKEN") {
            request.headers.append(("authorization", token))
        }
        let answer: Answer
        do throws(ObjectStoreError) { answer = try await transport.send(request, limit: CredentialLimit.bytes) } catch {
            throw error.during("the service at \(endpoint.origin)")
        }
        guard answer.status == 200 else { throw ObjectStoreError(service: answer).during("the service at \(endpoint.origin)") }
        return try ServiceKeys.read(answer.body)
    }
}
