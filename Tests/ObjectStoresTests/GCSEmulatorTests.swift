import Foundation
import NIOCore
import TestSupport
import Testing

import ObjectStores

/// Against gcp-storage-emulator: Google's addresses and JSON, without authentication.
@Suite(.enabled(if: LakeServers.hasGCS, "no gcp-storage-emulator: \(LakeServers.hint)"), .timeLimit(.minutes(10)))
struct GCSEmulatorTests {
    @Test func readsAndLists() async throws {
        let command = "exec \"$PYTHON\" -m gcp_storage_emulator start --host 127.0.0.1 --port $PORT --in-memory --default-bucket lake"
        try await RunningServer.with(command) { server in
            let upload = "\(server.url)/upload/storage/v1/b/lake/o?uploadType=media&name="
            for name in ["p/.config.json", "p/a%20b%2Bc", "p/q/1", "other"] {
                try await LakeServers.run("/usr/bin/curl", ["-sf", "-X", "POST", "--data-binary", "of \(name)", upload + name])
            }
            var options = localOptions(server.url)
            options.unsigned = true
            try await withStore("gs://lake/p", options) { store async throws in
                #expect(try await store.text(".config.json") == "of p/.config.json")
                #expect(try await store.text("a b+c") == "of p/a%20b%2Bc")
                #expect(try await store.text("none") == nil)
                #expect(try await store.list(prefix: "", limit: 10) == [".config.json", "a b+c", "q/1"])
                #expect(try await store.list(prefix: "q/", limit: 1) == ["q/1"])
            }
            try await withStore("gs://none/p", options) { store async throws in
                let found = try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) }.code
                #expect(found == .noSuchBucket)
            }
        }
    }
}
