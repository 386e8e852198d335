/// COPY tuples of state changes.
public enum StateChangeTuple {
    /// The columns, in order.
    public static let columns = [
        "to_id", "operation_id", "state_change_id", "state_change_category", "state_change_reason", "ledger_number", "account_id", "token_id",
        "amount", "spender_account_id", "key_value", "to_muxed_id", "ledger_created_at",
    ]
}
