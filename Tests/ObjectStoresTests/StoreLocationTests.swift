import Testing

import ObjectStores

struct StoreLocationTests {
    @Test(arguments: [
        ("s3://bucket/a/b", StoreLocation.s3(bucket: "bucket", path: "a/b")),
        ("aws-public-blockchain/v1.1/stellar/ledgers/pubnet/", .s3(bucket: "aws-public-blockchain", path: "v1.1/stellar/ledgers/pubnet")),
        (" bucket ", .s3(bucket: "bucket", path: "")),
        ("S3://bucket//a/", .s3(bucket: "bucket", path: "a")),
        ("gs://my_bucket/x", .gcs(bucket: "my_bucket", path: "x")),
        ("https://host/v1/", .http("https://host/v1/")),
        ("HTTP://host", .http("http://host")),
        ("file:///srv/my%20lake/", .folder("/srv/my lake")),
        ("file://localhost/srv", .folder("/srv")),
        ("file:///", .folder("/")),
    ])
    func names(_ text: String, _ expected: StoreLocation) throws {
        #expect(try StoreLocation(text) == expected)
    }

    @Test(arguments: [
        "", "s3://", "s3:///path", "/srv/lake", "../lake", "ftp://user:password@host/x", "s3://bucket/a/../b", "s3://user:password@host/b",
        "file://srv/lake", "file://", "bucket?x", "s3://bucket/a\nb",
    ])
    func refused(_ text: String) {
        #expect {
            _ = try StoreLocation(text)
        } throws: { error in
            (error as? ObjectStoreError)?.code == .invalidAddress && !"\(error)".contains("password")
        }
    }

    @Test(arguments: [
        ("http://user:pa%73s@Host:8080/a/b/?token=t", "http://host:8080/a/b"),
        ("https://host:443", "https://host"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
        ("https://host/8f14e45fceea167a5a36dedd4bea2543/lake", "https://host/(hidden)/lake"),
        ("https://host/123e4567-e89b-12d3-a456-426614174000/", "https://host/(hidden)"),
        ("https://host/2025-12-18/ledgers-of-the-network-of-1", "https://host/2025-12-18/ledgers-of-the-network-of-1"),
    ])
    func endpointsAreShownWithoutSecrets(_ url: String, _ shown: String) throws {
        #expect(try Endpoint(url, name: "URL").shown == shown)
    }

    @Test func basicAuthorization() throws {
        #expect(try Endpoint("http://user:pa%73s@host", name: "URL").authorization?.value == "Basic dXNlcjpwYXNz")
    }

    @Test(arguments: ["localhost:9000", "ftp://host", "http://", "http://host:99999", "http://host/../x", "not a url"])
    func endpointRefused(_ url: String) {
        #expect(throws: ObjectStoreError.self) { try Endpoint(url, name: "URL") }
    }

    @Test(arguments: [
        ("bucket/p", "http://user:hidden@host", "user"), ("bucket", "host:9000", "scheme"), ("https://", nil, "host"),
    ])
    func notOpened(_ path: String, _ endpoint: String?, _ word: String) {
        #expect {
            _ = try ObjectStores.open(path, localOptions(endpoint))
        } throws: { error in
            (error as? ObjectStoreError)?.code == .invalidAddress && "\(error)".contains(word) && !"\(error)".contains("hidden@")
        }
    }
}
