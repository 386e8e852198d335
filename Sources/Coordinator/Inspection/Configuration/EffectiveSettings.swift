import Operations

/// What each setting of all programs comes to, and from where; secrets hidden.
struct EffectiveSettings: Sendable, Hashable {
    struct Entry: Sendable, Hashable {
        let flag: String
        /// As it may be shown; nil where nothing is given and there is no default.
        let value: String?
        /// Where it was found; nil where nothing is given and there is no default.
        let origin: String?
    }

    let entries: [Entry]
    /// Values that are wrong, one sentence each.
    let problems: [String]
    /// What works, and should be mended.
    let warnings: [String]

    /// - Parameters:
    ///   - flags: given on the command line, by name.
    ///   - environment: the variables, and the file below them.
    init(flags: [String: String], environment: SettingEnvironment, settings: [AnySetting] = SettingCatalogue.all) {
        var entries: [Entry] = []
        var problems: [String] = []
        for setting in settings {
            let found: (text: String, origin: String)?
            if let text = flags[setting.flag] {
                found = (text, "flag")
            } else if let given = setting.variable.flatMap({ environment.find($0) }) {
                found = (given.text, "\(given.origin)")
            } else {
                found = setting.defaultText.map { ($0, "default") }
            }
            do {
                entries.append(Entry(flag: setting.flag, value: try found.map { try setting.shown($0.text) }, origin: found?.origin))
            } catch {
                let origin = found?.origin ?? ""
                problems.append("\(origin == "flag" ? "" : origin + ": ")--\(setting.flag): \(error)")
                entries.append(Entry(flag: setting.flag, value: nil, origin: found?.origin))
            }
        }
        self.entries = entries
        self.problems = problems
        warnings = [environment.warning].compactMap { $0 }
    }
}

/// Flags of any program, as `config check` takes them: `--batch-size 5`, `--batch-size=5`.
struct GivenFlags: Sendable, Hashable {
    let values: [String: String]
    let problems: [String]

    init(_ arguments: [String]) {
        var values: [String: String] = [:]
        var problems: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--") else {
                problems.append("\(argument) is no flag")
                continue
            }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let name = parts[0]
            guard SettingCatalogue.setting(named: name) != nil else {
                problems.append("--\(name) is no setting of any program")
                continue
            }
            if name == "datastore-unsigned", parts.count == 1 {
                values[name] = "true"
            } else if parts.count == 2 {
                values[name] = parts[1]
            } else if name == "protocol-id" {
                let ids = rest.prefix { !$0.hasPrefix("--") }
                rest = rest.dropFirst(ids.count)
                values[name] = ([values[name]].compactMap { $0 } + ids).joined(separator: ",")
            } else if let value = rest.popFirst() {
                values[name] = value
            } else {
                problems.append("--\(name) has no value")
            }
        }
        self.values = values
        self.problems = problems
    }
}
