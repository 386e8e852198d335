package import Logging
internal import Synchronization

/// Asks the places that may have credentials in their order; whichever has some is the only one asked from then on.
package final class CredentialChain: Sendable {
    private let providers: [any AuthorizationProvider]
    private let logger: Logger
    private let chosen = Mutex<Int?>(nil)

    package init(_ providers: [any AuthorizationProvider], logger: Logger) {
        self.providers = providers
        self.logger = logger
    }

    convenience init(_ dialect: BucketDialect, _ options: ObjectStoreOptions, _ transport: HTTPTransport) {
        let environment = options.environment
        // An explicit "unsigned" is the first of them, and there is nothing to look for after it.
        var providers: [any AuthorizationProvider] = [UnsignedAccess()]
        if !options.unsigned {
            switch dialect {
            case .s3:
                providers = [
                    EnvironmentCredentials(environment: environment),
                    WebIdentityCredentials(environment: environment, region: options.region, transport: transport),
                    ContainerCredentials(environment: environment, service: options.services.container, transport: transport),
                    ProfileCredentials(environment: environment),
                    InstanceCredentials(environment: environment, services: options.services, transport: transport),
                ]
            case .gcs:
                providers = [
                    HMACKey(environment: environment),
                    ServiceAccountKey(environment: environment, now: options.now, transport: transport),
                    MetadataServer(environment: environment, services: options.services, now: options.now, transport: transport),
                ]
            }
        }
        self.init(providers, logger: options.logger)
    }

    /// Credentials of the first place that has some; without any, unsigned requests are a try worth making.
    package func authorization() async throws(ObjectStoreError) -> Expiring<Authorization> {
        if let number = chosen.withLock({ $0 }) {
            guard let found = try await ask(providers[number]) else {
                throw ObjectStoreError(.connection, "\(providers[number].name) had credentials before and does not answer any more")
            }
            return found
        }
        for (number, provider) in providers.enumerated() {
            guard let found = try await ask(provider) else { continue }
            chosen.withLock { $0 = number }
            logger.info("credentials found", metadata: ["place": "\(provider.name)"])
            return found
        }
        logger.info(
            "no credentials found, requests are not signed", metadata: ["looked at": "\(providers.map(\.name).joined(separator: ", "))"])
        return Expiring(value: .nothingFound)
    }

    private func ask(_ provider: any AuthorizationProvider) async throws(ObjectStoreError) -> Expiring<Authorization>? {
        do throws(ObjectStoreError) { return try await provider.authorization() } catch {
            throw error.during("no credentials from \(provider.name)")
        }
    }
}

/// The explicit wish to send none.
package struct UnsignedAccess: AuthorizationProvider {
    package let name = "the configuration (unsigned)"

    package func authorization() -> Expiring<Authorization>? { Expiring(value: .unsigned) }
}
