internal import Foundation
internal import NIOCore
internal import NIOPosix

/// A small file with credentials: a token, a profile, a key.
package struct CredentialFile: Sendable {
    package let path: String

    /// The text; nil where there is no such file.
    /// - Throws: `noCredentials` where it cannot be read.
    package func textIfThere() async throws(ObjectStoreError) -> String? {
        let path = path
        do {
            let bytes = try await NIOThreadPool.singleton.runIfActive { try BlockingFile.read(path, limit: CredentialLimit.bytes) }
            return bytes.map { String(buffer: $0) }
        } catch is CancellationError {
            throw ObjectStoreError(.cancelled, "cancelled")
        } catch {
            throw ObjectStoreError(.noCredentials, "the file \(path) cannot be read: \(BlockingFile.reason(error))")
        }
    }

    /// - Throws: `noCredentials` where there is no such file or it cannot be read.
    package func text() async throws(ObjectStoreError) -> String {
        guard let text = try await textIfThere() else { throw ObjectStoreError(.noCredentials, "there is no file \(path)") }
        return text
    }

    /// A token alone in its file.
    package func token() async throws(ObjectStoreError) -> Secret {
        let token = try await text().trimmingCharacters(in: .whitespacesAndNewlines)
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ObjectStoreError(.noCredentials, "the file \(path) holds no token")
        }
        return Secret(token)
    }
}
