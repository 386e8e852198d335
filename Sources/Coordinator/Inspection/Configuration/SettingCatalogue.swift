import ConnectionOptions
import Coordinator
import LiveIngest
import Membership
import Operations

/// The settings of all programs of the group, each once: what a configuration file may hold.
enum SettingCatalogue {
    static let all: [AnySetting] =
        [HistoryCommand.protocols] + DatabaseOptions.settings + NetworkOptions.settings + [HistoryCommand.network.erased]
        + CursorNameOptions.settings
        + [
            HistoryCommand.batchSize.erased, HistoryCommand.fetchers.erased, HistoryCommand.endpoint.erased, RowsEndpoint.setting.erased,
            HistoryCommand.wait.erased, HistoryCommand.compressed.erased, IngestCommand.startLedger.erased,
        ] + RPCLimitSettings.settings + ProgressOptions.settings + MetricsOptions.settings + LoggingOptions.settings

    static func setting(named flag: String) -> AnySetting? { all.first { $0.flag == flag } }
}

extension HistoryCommand {
    /// `--protocol-id`, whose values are checked together.
    static let protocols = AnySetting("protocol-id", variable: "PROTOCOL_ID") { text throws(UsageError) in
        try IdentifierList.parse([text], flag: "protocol-id").joined(separator: ",")
    }
}
