/// A setting of any type, for whoever lists them all.
public struct AnySetting: Sendable {
    /// The flag without its dashes.
    public let flag: String
    /// The environment variable; nil where there is none.
    public let variable: String?
    /// The value where nothing is given, as an operator would write it.
    public let defaultText: String?
    /// The value as it may be shown: secrets hidden.
    private let show: @Sendable (String) throws -> String

    /// - Parameters:
    ///   - flag: without its dashes.
    ///   - variable: the environment variable.
    ///   - defaultText: the value where nothing is given.
    ///   - show: the value as it may be shown; throws what is wrong with it.
    public init(
        _ flag: String, variable: String?, default defaultText: String? = nil, show: @escaping @Sendable (String) throws -> String
    ) {
        self.flag = flag
        self.variable = variable
        self.defaultText = defaultText
        self.show = show
    }

    /// A value as it may be shown.
    /// - Throws: what is wrong with the text; a secret is not part of it.
    public func shown(_ text: String) throws -> String { try show(text) }
}

extension Setting {
    /// Without its type.
    public var erased: AnySetting {
        AnySetting(flag, variable: variable, default: defaultText) { [format] text throws(UsageError) in
            do throws(SettingFormat<Value>.Mismatch) {
                let value = try format.parse(text)
                // What is secret describes itself without its secrets, or is not shown at all.
                guard format.isSecret else { return Secrets.hidden(in: text) }
                return (value as? any CustomStringConvertible)?.description ?? "***"
            } catch {
                throw UsageError(format.isSecret ? error.reason : "\(quotedForLogs(Secrets.hidden(in: text))) \(error.reason)")
            }
        }
    }
}
