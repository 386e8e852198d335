import Foundation
import TestSupport
import Testing

/// What a command that answers a question has printed as JSON.
struct Answer: Sendable {
    private let text: String

    /// The only document of a program that has ended.
    init(_ program: RunningProgram, sourceLocation: SourceLocation = #_sourceLocation) throws {
        text = try #require(program.lines.first { $0.hasPrefix("{") }, "\(program.log)", sourceLocation: sourceLocation)
    }

    /// A document on one line.
    init(line: String) { text = line }

    /// A value by its path, such as `protocols.0.history.cursor`; nil for null.
    subscript(path: String) -> Any? {
        var value: Any? = try? JSONSerialization.jsonObject(with: Data(text.utf8))
        for key in path.split(separator: ".") {
            if let index = Int(key) {
                let items = value as? [Any] ?? []
                value = items.indices.contains(index) ? items[index] : nil
            } else {
                value = (value as? [String: Any])?[String(key)]
            }
        }
        return value is NSNull ? nil : value
    }

    func number(_ path: String) -> Double? { (self[path] as? NSNumber)?.doubleValue }
    func text(_ path: String) -> String? { self[path] as? String }
    func texts(_ path: String) -> [String] { self[path] as? [String] ?? [] }
    func objects(_ path: String) -> [[String: Any]] { self[path] as? [[String: Any]] ?? [] }
}

extension Stage {
    /// Runs a command that answers a question, with the stage's settings, and expects its exit status.
    func ask(
        _ arguments: [String], environment: [String: String] = [:], exits status: Int32 = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> RunningProgram {
        var settings = [
            "DATABASE_URL": databaseText, "RPC_URL": rpcURL, "NETWORK_PASSPHRASE": Self.passphrase, "NETWORK": "test",
            "PROTOCOL_ID": "SEP50,SEP41",
        ]
        settings.merge(environment) { $1 }
        let program = try RunningProgram("wallet-backend", arguments, environment: settings)
        #expect(await program.exit() == status, "\(program.log)", sourceLocation: sourceLocation)
        #expect(!program.log.contains(PrivatePostgres.password), sourceLocation: sourceLocation)
        return program
    }
}
