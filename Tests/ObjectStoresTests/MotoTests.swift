import Foundation
import NIOCore
import TestSupport
import Testing

import ObjectStores

/// Against moto: public and private buckets, denied and missing objects, temporary keys and STS.
@Suite(.enabled(if: LakeServers.hasMoto, "no moto: \(LakeServers.hint)"), .timeLimit(.minutes(10)), .serialized)
struct MotoTests {
    private static let policy = """
        for bucket in ("public", "getonly"):
            actions = ["s3:GetObject"] + (["s3:ListBucket"] if bucket == "public" else [])
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": "*", "Action": actions,
                 "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]}))
        """
    private static let buckets = """
        for bucket in ("public", "private", "getonly"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
            for key in (".config.json", "FFFFFFFF--0-63999/FFFFFFFA--5.xdr.zst", "a b+c/ä&d"):
                s3.put_object(Bucket=bucket, Key="lake/" + key, Body=("of " + key).encode(),
                    **({} if bucket == "private" else {"ACL": "public-read"}))
        """

    private func withMoto(_ body: (RunningServer) async throws -> Void) async throws {
        try await RunningServer.with("exec \"$PYTHON\" -m moto.server -H 127.0.0.1 -p $PORT", body)
    }

    private func unsigned(_ server: RunningServer) -> ObjectStoreOptions {
        var options = localOptions(server.url)
        options.unsigned = true
        return options
    }

    @Test func unsignedReads() async throws {
        try await withMoto { server in
            try await server.boto3(Self.buckets + "\n" + Self.policy)
            try await withStore("s3://public/lake", unsigned(server)) { store async throws in
                #expect(try await store.text(".config.json") == "of .config.json")
                #expect(try await store.text("a b+c/ä&d") == "of a b+c/ä&d")
                #expect(try await store.text("none") == nil)
                #expect(try await store.list(prefix: "", limit: 2) == [".config.json", "FFFFFFFF--0-63999/FFFFFFFA--5.xdr.zst"])
                #expect(try await store.list(prefix: "a b", limit: 2) == ["a b+c/ä&d"])
                #expect(try await store.list(prefix: "none", limit: 2) == [])
            }
            try await withStore("s3://private/lake", unsigned(server)) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text(".config.json") }
                #expect(error.code == .denied)
                #expect(error.detail.contains("--datastore-unsigned"))
            }
            try await withStore("s3://nobody-has-this/lake", unsigned(server)) { store async throws in
                #expect(try await failure { () throws(ObjectStoreError) in try await store.text("k") }.code == .noSuchBucket)
                #expect(
                    try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) }.code == .noSuchBucket)
            }
        }
    }

    @Test func credentialsFromTheSTS() async throws {
        try await withMoto { server in
            try await server.boto3(Self.buckets)
            try await withFolder(["token": "a.web.identity"]) { folder in
                let environment = [
                    "AWS_WEB_IDENTITY_TOKEN_FILE": "\(folder)/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/reader",
                    "AWS_ENDPOINT_URL_STS": server.url,
                ]
                let time = ManualTime(Date().formatted(.iso8601))
                var options = localOptions(server.url, environment: environment)
                options.now = { time.now }
                try await withStore("s3://private/lake", options) { store async throws in
                    #expect(try await store.text(".config.json") == "of .config.json")
                    // Moto's keys live an hour.
                    time.advance(by: 7200)
                    #expect(try await store.text(".config.json") == "of .config.json")
                }
            }
        }
    }

    /// Moto verifies keys and tokens once told to, and knows rights then.
    @Test func deniedAndBadKeys() async throws {
        try await withMoto { server in
            let made = try await server.boto3(
                Self.buckets + """

                    iam = client("iam")
                    keys = {}
                    for user in ("reader", "nobody"):
                        iam.create_user(UserName=user)
                        keys[user] = iam.create_access_key(UserName=user)["AccessKey"]
                    iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps({
                        "Version": "2012-10-17", "Statement": [
                        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}))
                    import urllib.request
                    urllib.request.urlopen(urllib.request.Request(os.environ["URL"] + "/moto-api/reset-auth", data=b"0",
                        headers={"Content-Type": "text/plain"}))
                    print(json.dumps({user: [key["AccessKeyId"], key["SecretAccessKey"]] for user, key in keys.items()}))
                    """)
            let keys = try JSONDecoder().decode([String: [String]].self, from: Data(made.utf8))
            func options(_ user: String, secret: String? = nil) -> ObjectStoreOptions {
                let pair = keys[user] ?? ["AKIAUNKNOWN", "x"]
                return localOptions(server.url, environment: ["AWS_ACCESS_KEY_ID": pair[0], "AWS_SECRET_ACCESS_KEY": secret ?? pair[1]])
            }
            try await withStore("s3://private/lake", options("reader")) { store async throws in
                #expect(try await store.text(".config.json") == "of .config.json")
                #expect(try await store.text("a b+c/ä&d") == "of a b+c/ä&d")
                #expect(try await store.text("none") == nil)
                #expect(try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) }.code == .denied)
            }
            try await withStore("s3://private/lake", options("nobody")) { store async throws in
                #expect(try await store.text(".config.json") == nil)
                let error = try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) }
                #expect(error.code == .denied)
                #expect(error.detail.contains("right to list"))
            }
            try await withStore("s3://private/lake", options("reader", secret: "wrong")) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                #expect(error.code == .badCredentials)
                #expect(error.detail.contains("SignatureDoesNotMatch") && error.detail.contains("--datastore-unsigned"))
            }
            try await withStore("s3://private/lake", options("unknown")) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                #expect(error.code == .badCredentials)
                #expect(error.detail.contains("InvalidAccessKeyId"))
            }
        }
    }
}
