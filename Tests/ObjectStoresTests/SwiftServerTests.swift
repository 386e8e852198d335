import Foundation
import NIOCore
import TestSupport
import Testing

import ObjectStores

/// Against the S3 interface of OpenStack Swift, which verifies signatures, regions and dates.
@Suite(
    .enabled(if: LakeServers.hasSwift, "no OpenStack Swift, or no user attributes in the temporary folder: \(LakeServers.hint)"),
    .timeLimit(.minutes(10)))
struct SwiftServerTests {
    private static let script = LakeServers.package + "/Scripts/s3_swift.sh"
    private static let keys = ["a b+c/ä&=d", "p/1", "p/2", "p/3", "p/4", "x~y!*'()"]

    /// One server for all: it takes its time to start.
    @Test func signedRequests() async throws {
        try await RunningServer.with("exec \"\(Self.script)\" \"$DIR/swift\" $PORT us-east-2", ports: 4) { server in
            try await server.boto3(
                """
                s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
                for key in \(Self.keys): s3.put_object(Bucket="lake", Key="path/" + key, Body=("of " + key).encode())
                s3.put_object(Bucket="lake", Key="path/large", Body=bytes(range(256)) * 20000)
                """)
            func options(
                region: String = "us-east-2", key: String = "test:tester", secret: String = "testing", log: LogRecorder? = nil
            ) -> ObjectStoreOptions {
                var options = localOptions(
                    server.url, environment: ["AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret], log: log)
                options.region = region
                return options
            }
            try await withStore("s3://lake/path", options()) { store async throws in
                for key in Self.keys { #expect(try await store.text(key) == "of \(key)") }
                #expect(try await store.text("none") == nil)
                #expect(try await store.list(prefix: "p/", limit: 3) == ["p/1", "p/2", "p/3"])
                #expect(try await store.list(prefix: "", limit: 10) == Self.keys.prefix(1) + ["large"] + Self.keys.dropFirst())
                let large = try await store.get("large", limit: 5_120_000)
                #expect(large == ByteBuffer(bytes: (0..<20_000).flatMap { _ in UInt8.min...UInt8.max }))
                #expect(
                    try await failure { () throws(ObjectStoreError) in try await store.get("large", limit: 5_119_999) }.code == .tooLarge)
                try await withThrowingTaskGroup(of: String?.self) { group in
                    for _ in 0..<60 { group.addTask { try await store.text("p/1") } }
                    for try await text in group { #expect(text == "of p/1") }
                }
            }
            // The store itself names its region.
            let log = LogRecorder()
            try await withStore("s3://lake/path", options(region: "eu-west-1", log: log)) { store async throws in
                #expect(try await store.text("p/1") == "of p/1")
                #expect(log.lines.contains { $0.metadata["region"] == "us-east-2" })
            }
            try await withStore("s3://lake/path", options(secret: "wrong")) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("p/1") }
                #expect(error.code == .badCredentials)
                #expect(error.detail.contains("SignatureDoesNotMatch"))
            }
            try await withStore("s3://lake/path", options(key: "test:nobody")) { store async throws in
                let found = try await failure { () throws(ObjectStoreError) in try await store.text("p/1") }.code
                #expect(found == .badCredentials)
            }
            var late = options()
            late.now = { Date() + 3600 }
            try await withStore("s3://lake/path", late) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("p/1") }
                #expect(error.code == .clockSkew)
                #expect(error.detail.contains("clock"))
            }
            try await withStore("s3://no-such-bucket/path", options()) { store async throws in
                let found = try await failure { () throws(ObjectStoreError) in try await store.text("k") }.code
                #expect(found == .noSuchBucket)
            }
        }
    }
}
