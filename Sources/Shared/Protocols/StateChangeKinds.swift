/// What a state change is about: `state_changes.state_change_category`.
public enum StateChangeCategory: Int, CaseIterable, Sendable {
    case balance, account, signer, signatureThreshold, dataEntry, homeDomain, allowance, flags, trustline, balanceAuthorization

    /// The text in the database.
    public var text: String {
        switch self {
        case .balance: "BALANCE"
        case .account: "ACCOUNT"
        case .signer: "SIGNER"
        case .signatureThreshold: "SIGNATURE_THRESHOLD"
        case .dataEntry: "DATA_ENTRY"
        case .homeDomain: "HOME_DOMAIN"
        case .allowance: "ALLOWANCE"
        case .flags: "FLAGS"
        case .trustline: "TRUSTLINE"
        case .balanceAuthorization: "BALANCE_AUTHORIZATION"
        }
    }
}

/// What happened: `state_changes.state_change_reason`.
public enum StateChangeReason: Int, CaseIterable, Sendable {
    case create, merge, debit, credit, mint, burn, add, remove, update, set, clear

    /// The text in the database.
    public var text: String {
        switch self {
        case .create: "CREATE"
        case .merge: "MERGE"
        case .debit: "DEBIT"
        case .credit: "CREDIT"
        case .mint: "MINT"
        case .burn: "BURN"
        case .add: "ADD"
        case .remove: "REMOVE"
        case .update: "UPDATE"
        case .set: "SET"
        case .clear: "CLEAR"
        }
    }
}

/// The two text columns of a row as COPY wants them (`int32 length, category, int32 length, reason`), encoded once and stored into each row
/// word by word.
struct KindTemplate: Sendable {
    /// At most 4 + 21 + 4 + 6 bytes, the first in the lowest byte of the first word.
    let words: InlineArray<5, UInt64>
    let count: Int

    /// Every combination, at ``index(_:_:)``.
    static let all: [KindTemplate] = StateChangeCategory.allCases.flatMap { category in
        StateChangeReason.allCases.map { KindTemplate(category, $0) }
    }

    static func index(_ category: StateChangeCategory, _ reason: StateChangeReason) -> Int {
        category.rawValue * reasonCount + reason.rawValue
    }

    private static let reasonCount = StateChangeReason.allCases.count

    private init(_ category: StateChangeCategory, _ reason: StateChangeReason) {
        var bytes: [UInt8] = []
        for text in [category.text, reason.text] {
            bytes += [0, 0, 0, UInt8(text.utf8.count)] + Array(text.utf8)
        }
        var words = InlineArray<5, UInt64>(repeating: 0)
        for (index, byte) in bytes.enumerated() { words[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8) }
        self.words = words
        count = bytes.count
    }
}
