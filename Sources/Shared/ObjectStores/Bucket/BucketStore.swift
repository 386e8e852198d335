internal import Foundation
internal import Logging
package import NIOCore
internal import Synchronization

/// A bucket of S3, of a server like it, or of Google Cloud Storage.
package final class BucketStore: ObjectStore {
    package let address: String
    private let path: String
    private let requests: BucketRequest
    private let transport: HTTPTransport
    private let authorizations: RenewedValue<Authorization>
    private let now: @Sendable () -> Date
    private let logger: Logger
    private let state: Mutex<State>
    private let listing = SingleFlight<Bool>()

    private struct State {
        var region: String
        /// Whether the caller may list the bucket; nil: not known.
        var mayList: Bool?
    }

    /// What came of a question.
    private enum Outcome {
        case answer(Answer, Authorization)
        case refusal(BucketRefusal, Authorization, region: String)
    }

    /// Most keys that a store lists in one answer.
    private static let keysPerAnswer = 1000
    /// Longest listing in bytes: a thousand keys of a kilobyte, with as much around them.
    private static let listingBytes = 4 << 20
    /// After so many seconds a refusal is a reason to look for credentials again, where none were found.
    private static let lookAgain: TimeInterval = 60

    /// - Throws: `invalidAddress`.
    package init(_ dialect: BucketDialect, bucket: String, path: String, _ options: ObjectStoreOptions) throws(ObjectStoreError) {
        let endpoint: Endpoint?
        if let url = options.endpointURL, !url.isEmpty {
            let given = try Endpoint(url, name: "endpoint URL")
            guard given.authorization == nil, given.query == nil else {
                throw ObjectStoreError(
                    .invalidAddress, "the endpoint URL holds a user or a query; credentials are given as AWS's and Google's tools take them"
                )
            }
            endpoint = given
        } else {
            endpoint = nil
        }
        let region = dialect == .gcs ? "auto" : options.region
        guard !region.isEmpty, region.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }) else {
            throw ObjectStoreError(.invalidAddress, "the region is not the name of one; it should look like us-east-2")
        }
        let shown = "\(dialect.rawValue)://\(bucket)" + (path.isEmpty ? "" : "/\(path)")
        let transport = HTTPTransport(options)
        let requests = BucketRequest(dialect: dialect, bucket: bucket, endpoint: endpoint)
        let chain = CredentialChain(dialect, options, transport)
        address = endpoint.map { "\(shown) at \($0.shown)" } ?? shown
        self.path = path
        self.requests = requests
        self.transport = transport
        now = options.now
        logger = options.logger
        state = Mutex(State(region: region))
        authorizations = RenewedValue(now: options.now, logger: options.logger) { () throws(ObjectStoreError) in
            try await chain.authorization()
        }
    }

    package func get(
        _ key: String, limit: Int, onArrival: @escaping @Sendable () -> Void
    ) async throws(ObjectStoreError) -> ByteBuffer? {
        try HTTPStore.requirePlain(key, address)
        do throws(ObjectStoreError) {
            switch try await ask(.object(path.isEmpty ? key : "\(path)/\(key)"), limit: limit, onArrival: onArrival) {
            case .answer(let answer, _): return answer.body
            case .refusal(let refusal, let authorization, let region):
                if refusal.meansNoSuchKey { return nil }
                if refusal.meansNoAccess, try await !mayList() { return nil }
                throw refusal.error(authorization, region: region, action: "read")
            }
        } catch {
            throw error.asked(of: address, key: key)
        }
    }

    package func list(prefix: String, limit: Int) async throws(ObjectStoreError) -> [String]? {
        do throws(ObjectStoreError) {
            var keys: [String] = []
            var continuation: String?
            repeat {
                let page = try await page(prefix, limit: min(limit - keys.count, Self.keysPerAnswer), continuation)
                // Two stores list the path itself, where somebody made it as a folder: a key without a name.
                keys += page.keys.compactMap(relative)
                continuation = page.continuation
            } while continuation != nil && keys.count < limit
            return Array(keys.prefix(limit))
        } catch {
            throw error.asked(of: address, key: nil)
        }
    }

    package func shutdown() async { await transport.shutdown() }

    private func page(_ prefix: String, limit: Int, _ continuation: String?) async throws(ObjectStoreError) -> BucketListing {
        let whole = path.isEmpty ? prefix : "\(path)/\(prefix)"
        let question = BucketQuestion.keys(prefix: whole, limit: max(1, limit), continuation: continuation)
        switch try await ask(question, limit: Self.listingBytes) {
        case .answer(let answer, let authorization):
            let json = requests.isListedInJSON(authorization)
            guard let listing = json ? BucketListing(json: answer.body) : BucketListing(xml: answer.body) else {
                throw ObjectStoreError(.unexpectedAnswer, "the answer is no listing of an object store; check the endpoint", status: 200)
            }
            state.withLock { $0.mayList = true }
            return listing
        case .refusal(let refusal, let authorization, let region):
            if refusal.meansNoAccess { state.withLock { $0.mayList = false } }
            if refusal.status == 404, refusal.storeCode == nil || refusal.storeCode == "notFound" {
                throw ObjectStoreError(.noSuchBucket, "HTTP 404: there is no such bucket; check the path and the endpoint", status: 404)
            }
            throw refusal.error(authorization, region: region, action: "list")
        }
    }

    private func relative(_ key: String) -> String? {
        guard !path.isEmpty else { return key }
        let prefix = path + "/"
        guard key.utf8.starts(with: prefix.utf8), key.utf8.count > prefix.utf8.count else { return nil }
        return String(decoding: key.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }

    /// Whether the caller may list, asked of the store once: where it may not, a 403 is all that the store says of a key that is not there.
    private func mayList() async throws(ObjectStoreError) -> Bool {
        if let known = state.withLock({ $0.mayList }) { return known }
        return try await listing.value { [self] in
            if let known = state.withLock({ $0.mayList }) { return .success(known) }
            do throws(ObjectStoreError) {
                _ = try await page("", limit: 1, nil)
                return .success(true)
            } catch {
                // What `page` has learned is remembered; anything else says nothing of the right to list.
                return state.withLock { $0.mayList }.map(Result.success) ?? .failure(error.during("asked whether the bucket may be listed"))
            }
        }
    }

    /// Asks, and once more where the store says what to change: the region, or credentials that have expired.
    private func ask(
        _ question: BucketQuestion, limit: Int, onArrival: @escaping @Sendable () -> Void = {}
    ) async throws(ObjectStoreError) -> Outcome {
        var isCorrected = false
        var isRenewed = false
        var authorization = try await authorizations.current()
        while true {
            let region = state.withLock { $0.region }
            let date = now()
            let answer = try await transport.send(
                requests.make(question, authorization, region: region, date: date), limit: limit, onArrival: onArrival)
            if answer.status == 200 { return .answer(answer, authorization) }
            let refusal = BucketRefusal(answer, now: date)
            if refusal.meansOtherRegion, let right = refusal.region, right != region, !isCorrected {
                isCorrected = true
                let isNews = state.withLock { state in
                    defer { state.region = right }
                    return state.region != right
                }
                if isNews {
                    logger.info(
                        "the bucket is in another region", metadata: ["store": "\(address)", "asked": "\(region)", "region": "\(right)"])
                }
                continue
            }
            if refusal.meansExpired, authorization.isRenewable, !isRenewed {
                isRenewed = true
                let renewed = try await authorizations.renewed(insteadOf: authorization)
                if renewed != authorization {
                    authorization = renewed
                    continue
                }
            }
            if refusal.meansNoAccess, authorization == .nothingFound {
                authorizations.forget(authorization, olderThan: Self.lookAgain)
            }
            return .refusal(refusal, authorization, region: region)
        }
    }
}
