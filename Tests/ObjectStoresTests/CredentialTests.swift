import Foundation
import Logging
import NIOCore
import Synchronization
import TestSupport
import Testing

import ObjectStores

/// Where credentials come from, in which order, and when they are renewed.
@Suite(.timeLimit(.minutes(2)))
struct CredentialTests {
    /// A service that is bucket, STS, container, instance and metadata service at once.
    private static func answer(_ request: SeenRequest, _ time: ManualTime) -> Reply {
        func json(_ key: String) -> Reply {
            .text(#"{"Code":"Success","AccessKeyId":"\#(key)","SecretAccessKey":"s","Token":"t","Expiration":"\#(time.text(in: 3600))"}"#)
        }
        switch (request.method, request.target) {
        case ("POST", "/"):
            guard request.body.contains("WebIdentityToken=web-token") else { return .s3(400, "InvalidIdentityToken") }
            return .text(
                """
                <AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>FROMSTS</AccessKeyId>
                <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
                <Expiration>\(time.text(in: 3600))</Expiration></Credentials>
                </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>
                """)
        case ("PUT", "/latest/api/token"): return .text("session")
        case ("GET", "/latest/meta-data/iam/security-credentials/"):
            return request.headers["x-aws-ec2-metadata-token"] == "session" ? .text("role\n") : .text("", status: 401)
        case ("GET", "/latest/meta-data/iam/security-credentials/role"):
            return request.headers["x-aws-ec2-metadata-token"] == "session" ? json("FROMINSTANCE") : .text("", status: 401)
        case ("GET", "/container"): return json("FROMCONTAINER")
        default: return .text(request.signer ?? "unsigned")
        }
    }

    /// Each is found before those after it.
    @Test(arguments: 0...5)
    func order(_ first: Int) async throws {
        let time = ManualTime()
        let expected = ["FROMENVIRONMENT", "FROMSTS", "FROMCONTAINER", "FROMPROFILE", "FROMINSTANCE", "unsigned"]
        try await withFolder([
            "token": "web-token\n", "credentials": "[default]\naws_access_key_id = FROMPROFILE\naws_secret_access_key=s\n",
        ]) { folder in
            try await LocalService.run({ request, _ in Self.answer(request, time) }) { service in
                let settings: [[String: String]] = [
                    ["AWS_ACCESS_KEY_ID": "FROMENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "s"],
                    [
                        "AWS_WEB_IDENTITY_TOKEN_FILE": "\(folder)/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
                        "AWS_ENDPOINT_URL_STS": service.url,
                    ],
                    ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(service.url)/container"],
                    ["AWS_SHARED_CREDENTIALS_FILE": "\(folder)/credentials"],
                    ["AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url],
                ]
                let log = LogRecorder()
                let environment = settings.dropFirst(first).reduce(into: [:]) { $0.merge($1) { $1 } }
                try await withStore("bucket", localOptions(service.url, environment: environment, log: log)) { store async throws in
                    let found = try await store.text("k")
                    #expect(found == expected[first])
                }
                #expect(
                    log.lines.filter { $0.level == .info && $0.text.contains(first == 5 ? "no credentials found" : "credentials found") }
                        .count == 1)
            }
        }
    }

    @Test func unsignedIsFirst() async throws {
        try await LocalService.run({ request, _ in .text(request.signer ?? "unsigned") }) { service in
            var options = localOptions(service.url, environment: Hidden.environment)
            options.unsigned = true
            try await withStore("bucket", options) { store async throws in
                let found = try await store.text("k")
                #expect(found == "unsigned")
            }
        }
    }

    static let incomplete: [([String: String], ObjectStoreError.Code, String)] = [
        (["AWS_ACCESS_KEY_ID": Hidden.key], .noCredentials, "AWS_SECRET_ACCESS_KEY"),
        (["AWS_SECRET_ACCESS_KEY": Hidden.secret], .noCredentials, "AWS_ACCESS_KEY_ID"),
        (["AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"], .noCredentials, "AWS_ROLE_ARN"),
        (["AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": "r"], .noCredentials, "/nowhere"),
        (["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/x"], .noCredentials, "https"),
        (["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x"], .connection, "127.0.0.1:1"),
        (["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"], .connection, "127.0.0.1:1"),
        (["AWS_PROFILE": "other", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"], .noCredentials, "other"),
    ]

    @Test(arguments: incomplete.indices)
    func whatIsConfiguredAndCannotBeHadIsSaid(_ index: Int) async throws {
        let (environment, code, word) = Self.incomplete[index]
        try await withStore("bucket", localOptions("http://127.0.0.1:1", environment: environment)) { store async throws in
            let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
            #expect(error.code == code, "\(error)")
            #expect(error.detail.contains(word), "\(error)")
            #expect(error.detail.contains("no credentials from"), "\(error)")
        }
    }

    @Test(arguments: [(400, "InvalidIdentityToken", ObjectStoreError.Code.badCredentials), (503, "ServiceUnavailable", .serverFailure)])
    func theSTSRefuses(_ status: Int, _ storeCode: String, _ code: ObjectStoreError.Code) async throws {
        try await withFolder(["token": Hidden.token]) { folder in
            try await LocalService.run({ _, _ in
                .text(
                    "<ErrorResponse><Error><Code>\(storeCode)</Code><Message>\(Hidden.token)</Message></Error></ErrorResponse>",
                    status: status)
            }) { service in
                let environment = [
                    "AWS_WEB_IDENTITY_TOKEN_FILE": "\(folder)/token", "AWS_ROLE_ARN": "arn:role", "AWS_ENDPOINT_URL_STS": service.url,
                ]
                try await withStore("bucket", localOptions(service.url, environment: environment)) { store async throws in
                    let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                    #expect(error.code == code)
                    #expect(error.detail.contains("arn:role") && error.detail.contains(storeCode))
                }
            }
        }
    }

    @Test func containerTokensAreReadAnewEachTime() async throws {
        let time = ManualTime()
        try await withFolder(["token": "first"]) { folder in
            try await LocalService.run({ request, _ in Self.answer(request, time) }) { service in
                var options = localOptions(
                    service.url,
                    environment: [
                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "not this one",
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "\(folder)/token",
                    ])
                options.services.container = service.url
                options.now = { time.now }
                try await withStore("bucket", options) { store async throws in
                    #expect(try await store.text("k") == "FROMCONTAINER")
                    try Data("second\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/token"))
                    time.advance(by: 4000)
                    #expect(try await store.text("k") == "FROMCONTAINER")
                    #expect(service.seen.filter { $0.target == "/container" }.map { $0.headers["authorization"] } == ["first", "second"])
                }
            }
        }
    }

    @Test(
        arguments: [
            (
                "[default]\naws_access_key_id=A\naws_secret_access_key = S=/+\n", "default",
                ["aws_access_key_id": "A", "aws_secret_access_key": "S=/+"]
            ),
            ("# c\n[a]\nx=1\n[ b ]\r\nY = 2\r\n  nested = 3\n;c\n[a]\nz=4", "b", ["y": "2"]),
            ("[profile b]\ns3 =\n  region = x\nk=v", "profile b", ["k": "v"]),
            ("k=v", "default", nil),
        ] as [(String, String, [String: String]?)])
    func profiles(_ text: String, _ name: String, _ expected: [String: String]?) {
        #expect(ProfileCredentials.section(name, of: text) == expected)
    }

    @Test func aProfileOfTheConfiguration() async throws {
        try await withFolder([
            ".aws/credentials": "[default]\naws_access_key_id=WRONG\naws_secret_access_key=s\n",
            ".aws/config": "[profile other]\naws_access_key_id=OTHER\naws_secret_access_key=s\n",
        ]) { home in
            let found = try await ProfileCredentials(environment: ["HOME": home, "AWS_PROFILE": "other"]).authorization()
            #expect(found?.value == .keys(AccessKeys("OTHER", "s")))
            let byDefault = try await ProfileCredentials(environment: ["HOME": home]).authorization()
            #expect(byDefault?.value == .keys(AccessKeys("WRONG", "s")))
        }
    }

    @Test func renewedBeforeTheyExpireOnceForAll() async throws {
        let time = ManualTime()
        try await LocalService.run({ request, number in
            guard request.target == "/container" else { return .text(request.signer ?? "unsigned") }
            return .text(#"{"AccessKeyId":"KEY\#(number)","SecretAccessKey":"s","Token":"t","Expiration":"\#(time.text(in: 3600))"}"#)
        }) { service in
            var options = localOptions(service.url, environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(service.url)/container"])
            options.now = { time.now }
            try await withStore("bucket", options) { store async throws in
                func fetched() -> Int { service.seen.filter { $0.target == "/container" }.count }
                func ask(_ times: Int) async throws -> Set<String?> {
                    try await withThrowingTaskGroup(of: String?.self) { group in
                        for number in 0..<times { group.addTask { try await store.text("k\(number)") } }
                        return try await group.reduce(into: []) { $0.insert($1) }
                    }
                }
                #expect(try await ask(30) == ["KEY1"])
                time.advance(by: 3600 - 301)
                #expect(try await ask(10) == ["KEY1"])
                #expect(fetched() == 1)
                // Requests go on with the old keys while one renewal goes on beside them.
                time.advance(by: 2)
                _ = try await ask(10)
                while try await store.text("k") == "KEY1" { try await Task.sleep(for: .milliseconds(5)) }
                #expect(fetched() == 2)
                // Past their end, all wait for one renewal.
                time.advance(by: 3700)
                #expect(try await ask(30).count == 1)
                #expect(fetched() == 3)
            }
        }
    }

    @Test func expiredKeysAreFetchedAnewOnce() async throws {
        try await LocalService.run({ request, number in
            if request.target == "/container" { return .text(#"{"AccessKeyId":"KEY\#(number)","SecretAccessKey":"s","Token":"t"}"#) }
            return request.signer == "KEY1" ? .s3(400, "ExpiredToken") : .text(request.signer ?? "")
        }) { service in
            let options = localOptions(service.url, environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(service.url)/container"])
            try await withStore("bucket", options) { store async throws in
                #expect(try await store.text("k") == "KEY3")
                #expect(service.seen.count == 4)
            }
        }
    }

    @Test func aFailedRenewalIsLoggedAndTheOldKeysServe() async throws {
        let time = ManualTime()
        let log = LogRecorder()
        try await LocalService.run({ request, number in
            guard request.target == "/container" else { return .text(request.signer ?? "unsigned") }
            if number > 1 { return .text("", status: 500) }
            return .text(#"{"AccessKeyId":"KEY","SecretAccessKey":"s","Token":"t","Expiration":"\#(time.text(in: 3600))"}"#)
        }) { service in
            var options = localOptions(
                service.url, environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(service.url)/container"], log: log)
            options.now = { time.now }
            try await withStore("bucket", options) { store async throws in
                #expect(try await store.text("k") == "KEY")
                time.advance(by: 3400)
                #expect(try await store.text("k") == "KEY")
                while !log.lines.contains(where: { $0.text.contains("not renewed") }) { try await Task.sleep(for: .milliseconds(5)) }
                // Not again at once.
                #expect(try await store.text("k") == "KEY")
                #expect(service.seen.filter { $0.target == "/container" }.count == 2)
                time.advance(by: 200)
                let error = try await failure { () throws(ObjectStoreError) in try await store.text("k") }
                #expect(error.code == .serverFailure)
                #expect(error.isTransient)
            }
        }
    }

    @Test func whereNothingWasFoundARefusalIsAReasonToLookAgain() async throws {
        let time = ManualTime()
        let isThere = Mutex(false)
        try await LocalService.run({ request, _ in
            if request.target == "/latest/api/token", !isThere.withLock({ $0 }) { return .text("", status: 404) }
            let reply = Self.answer(request, time)
            return request.target.hasPrefix("/bucket") && request.signer == nil ? .s3(403, "AccessDenied") : reply
        }) { service in
            var options = localOptions(
                service.url, environment: ["AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url])
            options.now = { time.now }
            try await withStore("bucket", options) { store async throws in
                let error = try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) }
                #expect(error.code == .noCredentials)
                isThere.withLock { $0 = true }
                _ = try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) }
                time.advance(by: 61)
                _ = try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) }
                #expect(try await store.text("k") == "FROMINSTANCE")
            }
        }
    }

    @Test func theInstanceServiceThatHangsIsNotWaitedFor() async throws {
        try await LocalService.run({ request, _ in request.method == "PUT" ? .silence : .text(request.signer ?? "unsigned") }) { service in
            var options = localOptions(
                service.url, environment: ["AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url])
            options.services.patience = .milliseconds(100)
            try await withStore("bucket", options) { store async throws in
                let found = try await store.text("k")
                #expect(found == "unsigned")
            }
        }
    }

    @Test func waitingForCredentialsCanBeCancelled() async throws {
        let (begun, signal) = AsyncStream<Void>.makeStream()
        try await LocalService.run({ _, _ in
            signal.yield()
            return .silence
        }) { service in
            let options = localOptions(service.url, environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "\(service.url)/container"])
            try await withStore("bucket", options) { store async throws in
                let task = Task { await Result { () async throws(ObjectStoreError) in try await store.text("k") } }
                var requests = begun.makeAsyncIterator()
                await requests.next()
                task.cancel()
                guard case .failure(let error) = await task.value else { throw ObjectStoreError(.unexpectedAnswer, "not cancelled") }
                #expect(error.code == .cancelled)
            }
        }
    }

    @Test func secretsAreHidden() {
        let keys = Authorization.keys(AccessKeys(Hidden.key, Hidden.secret, sessionToken: Hidden.token))
        var dumped = "\(keys) \(String(reflecting: keys))"
        dump(keys, to: &dumped)
        for secret in Hidden.all { #expect(!dumped.contains(secret)) }
        #expect(keys == .keys(AccessKeys(Hidden.key, Hidden.secret, sessionToken: Hidden.token)))
    }
}
