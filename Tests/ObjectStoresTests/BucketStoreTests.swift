import Foundation
import NIOCore
import TestSupport
import Testing

import ObjectStores

/// What a bucket does on its own: regions, expired credentials, the right to list, pages.
@Suite(.timeLimit(.minutes(2)))
struct BucketStoreTests {
    @Test func unsignedRequestsCarryNothing() async throws {
        try await LocalService.run({ _, _ in .text("x") }) { service in
            var options = localOptions(service.url + "/s3/", environment: Hidden.environment)
            options.unsigned = true
            try await withStore("s3://bucket/some path/", options) { store async throws in
                #expect(try await store.text("a/b") == "x")
                #expect(store.address == "s3://bucket/some path at \(service.url)/s3")
                #expect(service.seen.map(\.target) == ["/s3/bucket/some%20path/a/b"])
                #expect(service.seen[0].headers.keys.sorted().allSatisfy { !$0.hasPrefix("x-amz") && $0 != "authorization" })
            }
        }
    }

    @Test(arguments: [
        Reply.s3(301, "PermanentRedirect", headers: ["x-amz-bucket-region": "eu-west-1"]),
        .text("", status: 301, headers: ["x-amz-bucket-region": "eu-west-1"]),
        .s3(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
    ])
    func theRegionIsCorrectedOnce(_ refusal: Reply) async throws {
        let log = LogRecorder()
        try await LocalService.run({ request, _ in request.signedRegion == "eu-west-1" ? .text("x") : refusal }) { service in
            try await withStore("bucket", localOptions(service.url, environment: Hidden.environment, log: log)) { store async throws in
                #expect(try await store.text("a") == "x")
                #expect(try await store.text("b") == "x")
                #expect(service.seen.map(\.signedRegion) == ["us-east-2", "eu-west-1", "eu-west-1"])
                #expect(log.lines.filter { $0.text.contains("another region") && $0.description.contains("eu-west-1") }.count == 1)
            }
        }
    }

    @Test func aBucketThatIsNowhere() async throws {
        try await LocalService.run({ request, _ in
            .s3(301, "PermanentRedirect", headers: ["x-amz-bucket-region": request.signedRegion == "a-1" ? "b-1" : "a-1"])
        }) { service in
            try await withStore("bucket", localOptions(service.url, environment: Hidden.environment)) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                #expect(error.code == .wrongRegion)
                #expect(error.detail.contains("--datastore-region"))
                #expect(service.seen.count == 2)
            }
        }
    }

    @Test func noRightToListMakesARefusalMean404() async throws {
        try await LocalService.run({ request, _ in request.target.contains("there") ? .text("x") : .s3(403, "AccessDenied") }) { service in
            try await withStore("bucket/p", localOptions(service.url, environment: Hidden.environment)) { store async throws in
                // All wait for the same question to the store.
                try await withThrowingTaskGroup(of: String?.self) { group in
                    for number in 0..<20 { group.addTask { try await store.text("missing-\(number)") } }
                    for try await text in group { #expect(text == nil) }
                }
                #expect(try await store.text("missing") == nil)
                #expect(try await store.text("there") == "x")
                #expect(service.seen.filter(\.isListing).count == 1)
                let error = try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) }
                #expect(error.code == .denied)
                #expect(error.detail.contains("right to list"))
            }
        }
    }

    @Test func aRefusalIsOneWhereListingIsAllowed() async throws {
        try await LocalService.run({ request, _ in request.isListing ? .listing([]) : .s3(403, "AccessDenied") }) { service in
            try await withStore("bucket", localOptions(service.url, environment: Hidden.environment)) { store async throws in
                for _ in 0..<2 {
                    let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                    #expect(error.code == .denied)
                    #expect(error.key == "k")
                }
                #expect(service.seen.filter(\.isListing).count == 1)
            }
        }
    }

    @Test func whetherListingIsAllowedIsAskedAgainAfterAFailure() async throws {
        try await LocalService.run({ request, number in
            request.isListing ? (number == 2 ? .s3(503, "SlowDown") : .s3(403, "AccessDenied")) : .s3(403, "AccessDenied")
        }) { service in
            try await withStore("bucket", localOptions(service.url, environment: Hidden.environment)) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                #expect(error.code == .overloaded)
                #expect(try await store.text("k") == nil)
            }
        }
    }

    @Test func badKeysOfAPublicBucket() async throws {
        try await LocalService.run({ _, _ in .s3(403, "InvalidAccessKeyId", "<AWSAccessKeyId>\(Hidden.key)</AWSAccessKeyId>") }) {
            service in
            try await withStore("bucket", localOptions(service.url, environment: Hidden.environment)) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                #expect(error.code == .badCredentials)
                #expect(error.detail.contains("--datastore-unsigned"))
                #expect(service.seen.count == 1)
            }
        }
    }

    @Test func expiredKeysThatNobodyRenews() async throws {
        try await LocalService.run({ _, _ in .s3(400, "ExpiredToken", "<Token-0>\(Hidden.token)</Token-0>") }) { service in
            let environment = Hidden.environment.merging(["AWS_SESSION_TOKEN": Hidden.token]) { $1 }
            try await withStore("bucket", localOptions(service.url, environment: environment)) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                #expect(error.code == .expiredCredentials)
                #expect(service.seen.count == 1)
                #expect(service.seen[0].headers["x-amz-security-token"] == Hidden.token)
            }
        }
    }

    @Test func listingsAreReadToTheLimit() async throws {
        try await LocalService.run({ request, _ in
            request.target.contains("continuation-token=more%2F%3D")
                ? .listing(["p/c", "p/d"]) : .listing(["p/", "p/a", "p/b&amp;c"], continuation: "more/=")
        }) { service in
            var options = localOptions(service.url)
            options.unsigned = true
            try await withStore("bucket/p", options) { store async throws in
                #expect(try await store.list(prefix: "", limit: 10) == ["a", "b&c", "c", "d"])
                #expect(try await store.list(prefix: "x y", limit: 2) == ["a", "b&c"])
                #expect(try await store.list(prefix: "", limit: 3) == ["a", "b&c", "c"])
                #expect(
                    service.seen.map(\.target).prefix(3) == [
                        "/bucket?list-type=2&max-keys=10&prefix=p%2F",
                        "/bucket?continuation-token=more%2F%3D&list-type=2&max-keys=8&prefix=p%2F",
                        "/bucket?list-type=2&max-keys=2&prefix=p%2Fx%20y",
                    ])
            }
        }
    }

    @Test func anEndpointThatIsNoObjectStore() async throws {
        try await LocalService.run({ _, _ in .text("<html>welcome</html>") }) { service in
            try await withStore("bucket", localOptions(service.url)) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) }
                #expect(error.code == .unexpectedAnswer)
            }
        }
        try await LocalService.run({ _, _ in .text("<html>what?</html>", status: 404) }) { service in
            try await withStore("bucket", localOptions(service.url)) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) }
                #expect(error.code == .noSuchBucket)
            }
        }
    }

    @Test(arguments: [("us-east-2", "https://s3.us-east-2.amazonaws.com"), ("cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn")])
    func ownAddresses(_ region: String, _ expected: String) throws {
        let s3 = try BucketRequest(dialect: .s3, bucket: "b", endpoint: nil)
            .make(.object("k"), .unsigned, region: region, date: Date())
        #expect(s3.url == "\(expected)/b/k")
        let gcs = try BucketRequest(dialect: .gcs, bucket: "b", endpoint: nil)
            .make(.object("k"), .bearer(Secret("t")), region: "auto", date: Date())
        #expect(gcs.url == "https://storage.googleapis.com/b/k")
        #expect(gcs.headers.contains { $0 == ("authorization", "Bearer t") })
    }

    @Test func tokensDoNotLeaveTheMachineUnencrypted() throws {
        let endpoint = try Endpoint("http://storage.example", name: "endpoint")
        #expect(throws: ObjectStoreError.self) {
            try BucketRequest(dialect: .gcs, bucket: "b", endpoint: endpoint)
                .make(.object("k"), .bearer(Secret("t")), region: "auto", date: Date())
        }
    }
}
