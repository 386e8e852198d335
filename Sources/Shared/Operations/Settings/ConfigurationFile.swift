internal import Foundation
internal import Glibc
internal import Yams

/// A YAML file of settings: `batch-size: 200`, one key for each flag, without its dashes.
///
/// Every value is taken as the text that stands there: YAML itself would make a boolean of `network: no` and a number of `1e3`.
public struct ConfigurationFile: Sendable {
    /// A value as it stands in the file.
    public struct Entry: Hashable, Sendable {
        /// The text; of a list its items, separated by commas.
        public let text: String
        /// Where it stands, counted from 1.
        public let line: Int
    }

    /// All that is wrong with a file.
    public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// One sentence each, with file and line.
        public let problems: [String]

        /// All of them on one line.
        public var description: String { problems.joined(separator: "; ") }
    }

    /// As it was given.
    public let path: String
    /// By the key's name. A key without a value has none here: it counts as unset.
    public let entries: [String: Entry]
    /// Users other than the owner may read it.
    public let isReadableByOthers: Bool

    private static let longest = 1 << 20

    /// Reads a file.
    public init(path: String) throws(Refusal) {
        let (bytes, mode) = try Self.read(path)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Refusal(problems: ["\(path): is not UTF-8 text"]) }
        // What is no file, such as a pipe of the shell, is nobody else's.
        try self.init(path: path, text: text, isReadableByOthers: mode & S_IFMT == S_IFREG && mode & 0o044 != 0)
    }

    package init(path: String, text: String, isReadableByOthers: Bool = false) throws(Refusal) {
        self.path = path
        self.isReadableByOthers = isReadableByOthers
        entries = try Self.parse(text, path)
    }

    /// The keys whose values hold a password or a key, as far as that can be seen.
    var keysWithSecrets: [String] { entries.filter { Secrets.isIn($0.value.text) }.keys.sorted() }

    private static func read(_ path: String) throws(Refusal) -> (bytes: [UInt8], mode: mode_t) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw refusal(path, errno) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw refusal(path, errno) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return (bytes, status.st_mode) }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw refusal(path, errno)
            }
            bytes += buffer.prefix(count)
            guard bytes.count <= longest else { throw Refusal(problems: ["\(path): is longer than \(longest) bytes"]) }
        }
    }

    private static func refusal(_ path: String, _ code: Int32) -> Refusal {
        Refusal(problems: ["\(path): cannot be read: \(unsafe String(cString: strerror(code)))"])
    }

    private static func parse(_ text: String, _ path: String) throws(Refusal) -> [String: Entry] {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw Refusal(problems: ["\(path)\(describe(error))"])
        }
        // An empty file, or one of comments.
        guard let root else { return [:] }
        guard case .mapping(let mapping) = root else {
            throw Refusal(problems: ["\(path): is not a list of settings of the form 'key: value'"])
        }
        var entries: [String: Entry] = [:]
        var problems: [String] = []
        for (key, value) in mapping {
            let line = (key.mark ?? value.mark)?.line ?? 0
            let place = "\(path):\(line)"
            guard let name = key.scalar?.string, let known = ConfigurationKey.byName[name] else {
                problems.append("\(place): \(unknown(key.scalar?.string))")
                continue
            }
            do throws(Mismatch) {
                let text = try self.text(of: value, as: known)
                if !text.isEmpty { entries[name] = Entry(text: text, line: line) }
            } catch {
                problems.append("\(place): \(name) \(error.reason)")
            }
        }
        guard problems.isEmpty else { throw Refusal(problems: problems) }
        return entries
    }

    private struct Mismatch: Error { let reason: String }

    private static func text(of value: Node, as key: ConfigurationKey) throws(Mismatch) -> String {
        switch value {
        case .scalar(let scalar): return scalar.string
        case .sequence(let items) where key.isList:
            var texts: [String] = []
            for item in items {
                guard let scalar = item.scalar else { throw Mismatch(reason: "is a list of something other than single values") }
                texts.append(scalar.string)
            }
            return texts.joined(separator: ",")
        case .sequence: throw Mismatch(reason: "is a list, and takes a single value")
        case .mapping: throw Mismatch(reason: "has keys below it: settings are not nested")
        case .alias: throw Mismatch(reason: "is an alias: write the value itself")
        }
    }

    private static func unknown(_ name: String?) -> String {
        guard let name else { return "a key that is not a plain word" }
        if ["rebuild", "yes", "accept-convergence", "json", "watch", "config", "worker-token"].contains(name) {
            return "\(name) is asked for once, with the flag --\(name): it cannot stand in a file"
        }
        let nearest = ConfigurationKey.nearest(to: name)
        return "\(quotedForLogs(name)) is no setting\(nearest.map { "; is \($0) meant?" } ?? ": a key is a flag without its dashes")"
    }

    /// The place and the complaint, without the piece of the file that Yams would show: it may hold a password.
    private static func describe(_ error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            ":\(mark.line): is not YAML: \(problem)"
        case .duplicatedKeysInMapping(let duplicates, let context):
            ":\(context.mark.line): has a key twice: \(duplicates.sorted().joined(separator: ", "))"
        default: ": is not YAML"
        }
    }
}
