import Foundation
import Logging
import NIOCore
import TestSupport
import Testing

import ObjectStores

/// A key and a secret that no text seen by a test may contain.
enum Hidden {
    static let key = "AKIDHIDDENHIDDEN"
    static let secret = "hidden/secret/never+shown"
    static let token = "hidden-session-token"
    static let all = [key, secret, token]
    static let environment = ["AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret]
}

/// Options that reach nothing outside of this machine.
func localOptions(_ endpoint: String? = nil, environment: [String: String] = [:], log: LogRecorder? = nil) -> ObjectStoreOptions {
    var options = ObjectStoreOptions(endpointURL: endpoint, environment: ["AWS_EC2_METADATA_DISABLED": "true"].merging(environment) { $1 })
    // A port of this machine that nobody listens on.
    options.services = CredentialServices(
        container: "http://127.0.0.1:1", instance: "http://127.0.0.1:1", google: "http://127.0.0.1:1", patience: .seconds(5))
    if let log { options.logger = log.logger }
    return options
}

/// Runs `body` with an open store and ends it, whatever happens.
func withStore<Value>(
    _ path: String, _ options: ObjectStoreOptions, _ body: (any ObjectStore) async throws -> Value
) async throws -> Value {
    let store = try ObjectStores.open(path, options)
    do {
        let value = try await body(store)
        await store.shutdown()
        return value
    } catch {
        await store.shutdown()
        throw error
    }
}

/// The error of a call that should fail.
func failure<Value>(
    at location: SourceLocation = #_sourceLocation, _ body: () async throws(ObjectStoreError) -> Value
) async throws -> ObjectStoreError {
    do throws(ObjectStoreError) {
        let value = try await body()
        Issue.record("no error, but \(value)", sourceLocation: location)
        throw ObjectStoreError(.unexpectedAnswer, "no error")
    } catch {
        let shown = "\(error) \(String(reflecting: error)) \(error.localizedDescription)"
        for secret in Hidden.all { #expect(!shown.contains(secret), sourceLocation: location) }
        return error
    }
}

extension ObjectStore {
    /// An object as text.
    func text(_ key: String, limit: Int = 1 << 20) async throws(ObjectStoreError) -> String? {
        try await get(key, limit: limit).map { String(buffer: $0) }
    }
}
