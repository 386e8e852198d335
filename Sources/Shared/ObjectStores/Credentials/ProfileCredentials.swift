internal import Foundation

/// Keys that stand in `~/.aws/credentials` or `~/.aws/config`, in the profile `AWS_PROFILE` or `default`.
package struct ProfileCredentials: AuthorizationProvider {
    package let environment: [String: String]
    package let name = "the profile files"

    package init(environment: [String: String]) { self.environment = environment }

    package func authorization() async throws(ObjectStoreError) -> Expiring<Authorization>? {
        let asked = environment.setting("AWS_PROFILE")
        let profile = asked ?? "default"
        let home = environment.setting("HOME")
        func path(_ variable: String, _ file: String) -> String? {
            let path = environment.setting(variable) ?? home.map { "\($0)/.aws/\(file)" }
            guard let path, path.hasPrefix("~/"), let home else { return path }
            return home + path.dropFirst()
        }
        let files = [
            (path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), profile),
            (path("AWS_CONFIG_FILE", "config"), profile == "default" ? profile : "profile \(profile)"),
        ]
        for case (let file?, let section) in files {
            guard let text = try await CredentialFile(path: file).textIfThere(), let keys = Self.section(section, of: text) else {
                continue
            }
            guard let key = keys["aws_access_key_id"], let secret = keys["aws_secret_access_key"] else { continue }
            return Expiring(value: .keys(AccessKeys(key, secret, sessionToken: keys["aws_session_token"])))
        }
        guard asked != nil else { return nil }
        throw ObjectStoreError(
            .noCredentials,
            "AWS_PROFILE is \(ServerWords.shown(profile)), and no keys of that profile stand in "
                + "\(files.compactMap(\.0).joined(separator: " or "));"
                + " SSO and roles are not followed: put keys into the environment with `aws configure export-credentials --format env`")
    }

    /// The settings of a section, names in lower case; nil where there is no such section. Nested settings (indented) are left out.
    package static func section(_ name: String, of text: String) -> [String: String]? {
        var settings: [String: String]?
        var isInside = false
        for line in text.split(whereSeparator: \.isNewline) {
            let trimmed = line.trimmingCharacters(in: .whitespaces)
            if trimmed.isEmpty || trimmed.hasPrefix("#") || trimmed.hasPrefix(";") { continue }
            if trimmed.hasPrefix("["), let end = trimmed.firstIndex(of: "]") {
                let title = trimmed[trimmed.index(after: trimmed.startIndex)..<end].split(whereSeparator: \.isWhitespace).joined(
                    separator: " ")
                isInside = title == name
                if isInside { settings = settings ?? [:] }
            } else if isInside, line.first?.isWhitespace == false, let mark = trimmed.firstIndex(of: "=") {
                let value = trimmed[trimmed.index(after: mark)...].trimmingCharacters(in: .whitespaces)
                if !value.isEmpty { settings?[trimmed[..<mark].trimmingCharacters(in: .whitespaces).lowercased()] = value }
            }
        }
        return settings
    }
}
