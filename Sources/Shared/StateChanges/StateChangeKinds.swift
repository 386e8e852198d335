/// What a state change is about: `state_changes.state_change_category`. The raw value is the text in the database, of any length; a new one is
/// a line here, once the table's constraint allows it.
public enum StateChangeCategory: String, CaseIterable, Sendable {
    case balance = "BALANCE"
    case account = "ACCOUNT"
    case signer = "SIGNER"
    case signatureThreshold = "SIGNATURE_THRESHOLD"
    case dataEntry = "DATA_ENTRY"
    case homeDomain = "HOME_DOMAIN"
    case allowance = "ALLOWANCE"
    case flags = "FLAGS"
    case trustline = "TRUSTLINE"
    case balanceAuthorization = "BALANCE_AUTHORIZATION"
}

/// What happened: `state_changes.state_change_reason`. The raw value is the text in the database, of any length; a new one is a line here, once
/// the table's constraint allows it.
public enum StateChangeReason: String, CaseIterable, Sendable {
    case create = "CREATE"
    case merge = "MERGE"
    case debit = "DEBIT"
    case credit = "CREDIT"
    case mint = "MINT"
    case burn = "BURN"
    case add = "ADD"
    case remove = "REMOVE"
    case update = "UPDATE"
    case set = "SET"
    case clear = "CLEAR"
}
