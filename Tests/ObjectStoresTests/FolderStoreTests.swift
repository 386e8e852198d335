import Foundation
import NIOCore
import TestSupport
import Testing

import ObjectStores

@Suite(.timeLimit(.minutes(1)))
struct FolderStoreTests {
    private let files = [
        ".config.json": "manifest", "FFFFFFFF--0-63999/FFFFFFFA--5.xdr.zst": "5", "FFFFFFFF--0-63999/FFFFFFF9--6.xdr.zst": "6",
        "FFFF05FF--64000-127999/FFFF05FE--64001.xdr.zst": "64001", "a-1": "x", "a/1": "y", "a/b/c": "z", "empty": "",
    ]

    @Test func reads() async throws {
        try await withFolder(files) { folder in
            try await withStore("file://\(folder)/", localOptions()) { store async throws in
                #expect(store.address == "file://\(folder)")
                #expect(try await store.text("FFFFFFFF--0-63999/FFFFFFFA--5.xdr.zst") == "5")
                #expect(try await store.text("empty") == "")
                #expect(try await store.text("none") == nil)
                #expect(try await store.text("a") == nil)
                #expect(try await store.text("a-1/none") == nil)
                #expect(try await store.text(".config.json", limit: 8) == "manifest")
                let error = try await failure { () throws(ObjectStoreError) in try await store.text(".config.json", limit: 7) }
                #expect(error.code == .tooLarge)
            }
        }
    }

    @Test(arguments: ["../x", "a/../../x", "/etc/passwd", "", "a//b", "."])
    func keysOutside(_ key: String) async throws {
        try await withFolder { folder in
            try await withStore("file://\(folder)", localOptions()) { store async throws in
                let found = try await failure { () throws(ObjectStoreError) in try await store.text(key) }.code
                #expect(found == .invalidKey)
            }
        }
    }

    @Test(arguments: [
        ("", 3, [".config.json", "FFFF05FF--64000-127999/FFFF05FE--64001.xdr.zst", "FFFFFFFF--0-63999/FFFFFFF9--6.xdr.zst"]),
        ("FFFFFFFF--0-63999/", 5, ["FFFFFFFF--0-63999/FFFFFFF9--6.xdr.zst", "FFFFFFFF--0-63999/FFFFFFFA--5.xdr.zst"]),
        ("FFFFFFFF--0-63999/FFFFFFFA", 5, ["FFFFFFFF--0-63999/FFFFFFFA--5.xdr.zst"]),
        ("a", 9, ["a-1", "a/1", "a/b/c"]),
        ("a/b/", 9, ["a/b/c"]),
        ("none/", 9, []), ("", 0, []),
    ])
    func lists(_ prefix: String, _ limit: Int, _ expected: [String]) async throws {
        try await withFolder(files) { folder in
            try await withStore("file://\(folder)", localOptions()) { store async throws in
                let found = try await store.list(prefix: prefix, limit: limit)
                #expect(found == expected)
            }
        }
    }

    @Test func linksAreFollowed() async throws {
        try await withFolder(files) { folder in
            try await withFolder { lake in
                try FileManager.default.createSymbolicLink(atPath: "\(lake)/p", withDestinationPath: "\(folder)/a")
                try await withStore("file://\(lake)", localOptions()) { store async throws in
                    #expect(try await store.list(prefix: "", limit: 9) == ["p/1", "p/b/c"])
                    #expect(try await store.text("p/1") == "y")
                }
            }
        }
    }

    @Test func noFolder() async throws {
        try await withStore("file:///nowhere/lake", localOptions()) { store async throws in
            for error in [
                try await failure { () throws(ObjectStoreError) in try await store.text("k") },
                try await failure { () throws(ObjectStoreError) in try await store.list(prefix: "", limit: 1) },
            ] {
                #expect(error.code == .noSuchBucket)
                #expect(error.description.contains("file:///nowhere/lake"))
            }
        }
    }

    @Test func nothingIsReadAfterTheEnd() async throws {
        try await withFolder(files) { folder in
            let store = try ObjectStores.open("file://\(folder)", localOptions())
            await store.shutdown()
            #expect(try await failure { () throws(ObjectStoreError) in try await store.text("a-1") }.code == .closed)
            await store.shutdown()
        }
    }

    @Test func manyAtOnce() async throws {
        let text = String(repeating: "0123456789", count: 10_000)
        try await withFolder(["f": text]) { folder in
            try await withStore("file://\(folder)", localOptions()) { store async throws in
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for _ in 0..<500 { group.addTask { try await store.text("f") == text } }
                    for try await isRight in group { #expect(isRight) }
                }
            }
        }
    }
}
