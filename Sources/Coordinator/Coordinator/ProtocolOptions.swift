import ArgumentParser
package import Operations
package import StateChanges

/// `--protocol-id`.
package struct ProtocolOptions: ParsableArguments {
    @Option(
        name: .customLong("protocol-id"), parsing: .upToNextOption,
        help: ArgumentHelp(
            "Protocols to migrate: several after the flag, the flag repeated, or comma-separated. [env: PROTOCOL_ID]", valueName: "id"))
    var protocolID: [String] = []

    /// Nothing given.
    package init() {}

    /// The ids in the order given, each once; whether there are such protocols is not looked at.
    /// - Throws: `UsageError`.
    package func resolve(environment: SettingEnvironment) throws(UsageError) -> [ProtocolID] {
        let texts = protocolID.isEmpty ? [environment["PROTOCOL_ID"]].compactMap { $0 } : protocolID
        return try IdentifierList.parse(texts, flag: "protocol-id").map { ProtocolID(rawValue: $0) }
    }
}
