import Foundation
import Glibc
import Operations
import TestSupport
import Testing

@Suite struct PrivateFolderTests {
    /// What the folders are made in.
    private final class Parent {
        let path = "/tmp/private-\(UInt32.random(in: 0 ... .max))"

        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false) }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

        func make(_ name: String, mode: Int, files: [String]) throws {
            try FileManager.default.createDirectory(
                atPath: "\(path)/\(name)", withIntermediateDirectories: false, attributes: [.posixPermissions: mode])
            for file in files { try Data().write(to: URL(filePath: "\(path)/\(name)/\(file)")) }
        }
    }

    @Test func onlyItsUserEntersIt() throws {
        let parent = try Parent()
        // Whatever the umask would allow.
        let before = umask(0)
        defer { umask(before) }
        let folder = try PrivateFolder(prefix: "x-", in: parent.path)
        var status = stat()
        try #require(lstat(folder.path, &status) == 0)
        #expect(status.st_mode & S_IFMT == S_IFDIR)
        #expect(status.st_mode & 0o7777 == 0o700)
        #expect(status.st_uid == geteuid())
    }

    @Test func goesWithItsFiles() throws {
        let parent = try Parent()
        let folder = try PrivateFolder(prefix: "x-", in: parent.path)
        try Data().write(to: URL(filePath: folder.path + "/socket"))
        folder.remove()
        folder.remove()
        #expect(parent.names == [])
        do { _ = try PrivateFolder(prefix: "x-", in: parent.path) }
        #expect(parent.names == [])
    }

    /// Only what holds the lock counts: the other process has an id that means nothing here.
    @Test func aLiveFolderStaysAndADeadOneGoes() async throws {
        let parent = try Parent()
        let program = try RunningProgram("operations-probe", ["private-folder", "x-", parent.path])
        let line = try #require(await program.line(containing: "folder "))
        let path = String(line.dropFirst("folder ".count))
        try Data().write(to: URL(filePath: path + "/socket"))
        do { _ = try PrivateFolder(prefix: "x-", in: parent.path) }
        #expect(FileManager.default.fileExists(atPath: path + "/socket"))
        program.send(SIGKILL)
        #expect(await program.exit() == 128 + SIGKILL)
        #expect(FileManager.default.fileExists(atPath: path + "/socket"))
        PrivateFolder.removeDead(prefix: "x-", in: parent.path)
        #expect(parent.names == [])
    }

    /// As a container sees it that shares the temporary folder: there, no process of this one exists.
    @Test func aLiveFolderStaysForAnotherPIDNamespace() async throws {
        let parent = try Parent()
        let folder = try PrivateFolder(prefix: "x-", in: parent.path)
        let other = try RunningProgram(
            executable: URL(filePath: "/usr/bin/env"),
            ["unshare", "--pid", "--fork", RunningProgram.folder.path + "/operations-probe", "remove-dead", "x-", parent.path])
        guard await other.line(containing: "removed") != nil else {
            // Only root may, and not everywhere.
            _ = await other.exit()
            try #require(other.log.contains("unshare"), "\(other.log)")
            return
        }
        #expect(FileManager.default.fileExists(atPath: folder.path + "/lock"))
    }

    @Test func removesNothingElse() throws {
        let parent = try Parent()
        try parent.make("other", mode: 0o700, files: ["lock"])
        try parent.make("x-open", mode: 0o755, files: ["lock"])
        try parent.make("x-no-lock", mode: 0o700, files: ["file"])
        try parent.make("x-tree", mode: 0o700, files: ["lock"])
        try parent.make("x-tree/inside", mode: 0o700, files: ["precious"])
        try parent.make("x-dead", mode: 0o700, files: ["lock", "socket"])
        try FileManager.default.createSymbolicLink(atPath: "\(parent.path)/x-link", withDestinationPath: "\(parent.path)/other")
        try FileManager.default.createSymbolicLink(atPath: "\(parent.path)/x-dead/link", withDestinationPath: "\(parent.path)/other/lock")
        try parent.make("x-linked-lock", mode: 0o700, files: ["file"])
        try FileManager.default.createSymbolicLink(
            atPath: "\(parent.path)/x-linked-lock/lock", withDestinationPath: "\(parent.path)/other/lock")
        PrivateFolder.removeDead(prefix: "x-", in: parent.path)
        #expect(parent.names == ["other", "x-link", "x-linked-lock", "x-no-lock", "x-open", "x-tree"])
        #expect(FileManager.default.fileExists(atPath: "\(parent.path)/other/lock"))
        #expect(FileManager.default.fileExists(atPath: "\(parent.path)/x-tree/inside/precious"))
    }

    @Test func whoeverMakesFoldersAtTheSameTimeGetsOne() async throws {
        let parent = try Parent()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { [path = parent.path] in
                    for _ in 0..<100 {
                        let folder = try PrivateFolder(prefix: "x-", in: path)
                        guard FileManager.default.fileExists(atPath: folder.path + "/lock") else { return false }
                        folder.remove()
                    }
                    return true
                }
            }
            for try await kept in group { #expect(kept) }
        }
        #expect(parent.names == [])
    }

    @Test func namesWhatCannotBeMade() {
        #expect {
            try PrivateFolder(prefix: "x-", in: "/nonexistent/folder")
        } throws: {
            "\($0)".contains("/nonexistent/folder/x-") && "\($0)".contains("No such file")
        }
    }
}
