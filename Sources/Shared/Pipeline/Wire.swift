private import Foundation

/// Control messages as bytes: JSON, one frame each. Rows never pass here.
public enum Wire {
    /// A frame that is not a message of this version.
    public struct Malformed: Error, Sendable, CustomStringConvertible {
        /// What was expected.
        public let expected: String
        /// Why it is none.
        public let reason: String

        /// A malformed frame.
        public init(expected: String, reason: String) {
            self.expected = expected
            self.reason = reason
        }

        /// What an operator reads.
        public var description: String { "a message that is no \(expected): \(reason)" }
    }

    /// The bytes of a message.
    public static func encode(_ value: some Encodable) throws(Malformed) -> [UInt8] {
        do {
            return Array(try JSONEncoder().encode(value))
        } catch {
            throw Malformed(expected: "\(type(of: value))", reason: String(describing: error))
        }
    }

    /// A message from its bytes; anything may come in, nothing but an error may come of it.
    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws(Malformed) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw Malformed(expected: "\(type)", reason: String(describing: error))
        }
    }
}
