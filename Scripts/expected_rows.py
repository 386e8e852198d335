"""The rows that ledgers must give, read from their XDR with the public Python Stellar SDK: a witness for what `ledger-simulator expect` says.

The rules follow SEP-41, SEP-50 and CAP-67. Rows are dictionaries as in expected.jsonl.
"""
from stellar_sdk import StrKey, xdr as X

BASES = {"SEP41": 1 << 40, "SEP50": 3 << 40}
T = X.SCValType


class Shape(Exception):
    """The event is none that gives rows."""


def need(condition):
    if not condition:
        raise Shape


def address(value):
    need(value.type == T.SCV_ADDRESS)
    a, kinds = value.address, X.SCAddressType
    if a.type == kinds.SC_ADDRESS_TYPE_ACCOUNT:
        return StrKey.encode_ed25519_public_key(a.account_id.account_id.ed25519.uint256)
    if a.type == kinds.SC_ADDRESS_TYPE_CONTRACT:
        return StrKey.encode_contract(a.contract_id.contract_id.hash)
    if a.type == kinds.SC_ADDRESS_TYPE_MUXED_ACCOUNT:
        # Its base account: the id is not kept.
        return StrKey.encode_ed25519_public_key(a.muxed_account.ed25519.uint256)
    if a.type == kinds.SC_ADDRESS_TYPE_CLAIMABLE_BALANCE:
        return StrKey.encode_claimable_balance(b"\0" + a.claimable_balance_id.v0.hash)
    return StrKey.encode_liquidity_pool(a.liquidity_pool_id.pool_id.hash)


def i128(value):
    need(value.type == T.SCV_I128)
    return value.i128.hi.int64 << 64 | value.i128.lo.uint64


def u32(value):
    need(value.type == T.SCV_U32)
    return value.u32.uint32


def unsigned(value):
    if value.type == T.SCV_U32:
        return value.u32.uint32
    if value.type == T.SCV_U64:
        return value.u64.uint64
    if value.type == T.SCV_U128:
        return value.u128.hi.uint64 << 64 | value.u128.lo.uint64
    if value.type == T.SCV_U256:
        v = value.u256
        return v.hi_hi.uint64 << 192 | v.hi_lo.uint64 << 128 | v.lo_hi.uint64 << 64 | v.lo_lo.uint64
    number = i128(value)
    need(number >= 0)
    return number


def fields(value):
    """A map's values by symbol key; the last of equals counts."""
    need(value.type == T.SCV_MAP and value.map is not None)
    return {e.key.sym.sc_symbol.decode(): e.val for e in value.map.sc_map if e.key.type == T.SCV_SYMBOL}


def strict_fields(value, *names):
    """The values of a map that must have these keys, and whose keys must all be symbols that occur once."""
    need(value.type == T.SCV_MAP and value.map is not None)
    entries = value.map.sc_map
    need(all(e.key.type == T.SCV_SYMBOL for e in entries))
    found = {e.key.sym.sc_symbol: e.val for e in entries}
    need(len(found) == len(entries) and all(name.encode() in found for name in names))
    return [found[name.encode()] for name in names]


def elements(value, names):
    """The values of a vector or of a map with these keys."""
    if value.type == T.SCV_VEC:
        need(value.vec is not None)
        need(len(value.vec.sc_vec) == len(names))
        return value.vec.sc_vec
    found = fields(value)
    need(all(name in found for name in names))
    return [found[name] for name in names]


def sep41(name, topics, data):
    def transferred():
        if data.type != T.SCV_MAP:
            return i128(data), None
        found = fields(data)
        need("amount" in found)
        muxed = found.get("to_muxed_id")
        return i128(found["amount"]), str(muxed.u64.uint64) if muxed is not None and muxed.type == T.SCV_U64 else None

    def balance(reason, who, amount, muxed=None):
        return dict(state_change_category="BALANCE", state_change_reason=reason, account_id=who, amount=str(amount), to_muxed_id=muxed)

    who = [address(t) for t in topics]
    if name == "transfer" and len(who) == 2:
        amount, muxed = transferred()
        return [balance("DEBIT", who[0], amount), balance("CREDIT", who[1], amount, muxed)]
    if name == "mint" and len(who) in (1, 2):
        return [balance("MINT", who[-1], *transferred())]
    if name == "burn" and len(who) == 1 or name == "clawback" and len(who) in (1, 2):
        return [balance("BURN", who[-1], i128(strict_fields(data, "amount")[0] if data.type == T.SCV_MAP else data))]
    need(name == "approve" and len(who) == 2)
    if data.type == T.SCV_MAP:
        amount, until = strict_fields(data, "amount", "live_until_ledger")
    else:
        need(data.type == T.SCV_VEC and data.vec is not None and len(data.vec.sc_vec) == 2)
        amount, until = data.vec.sc_vec
    return [dict(state_change_category="ALLOWANCE", state_change_reason="UPDATE", account_id=who[0], spender_account_id=who[1],
                 amount=str(i128(amount)), key_value={"live_until_ledger": u32(until)})]


def sep50(name, topics, data):
    def token():
        if data.type in (T.SCV_MAP, T.SCV_VEC):
            return unsigned(elements(data, ["token_id"])[0])
        return unsigned(data)

    def balance(reason, who, amount, key_value):
        return dict(state_change_category="BALANCE", state_change_reason=reason, account_id=who, amount=str(amount), key_value=key_value)

    def allowance(who, spender, amount, until, **more):
        return dict(state_change_category="ALLOWANCE", state_change_reason="UPDATE", account_id=who, spender_account_id=spender,
                    amount=amount, key_value={**more, "live_until_ledger": until})

    if name == "transfer" and len(topics) == 2:
        held = {"token_id": str(token())}
        return [balance("DEBIT", address(topics[0]), 1, held), balance("CREDIT", address(topics[1]), 1, held)]
    if name in ("mint", "burn") and len(topics) == 1:
        return [balance(name.upper(), address(topics[0]), 1, {"token_id": str(token())})]
    if name == "consecutive_mint" and len(topics) == 1:
        low, high = map(unsigned, elements(data, ["from_token_id", "to_token_id"]))
        return [balance("MINT", address(topics[0]), high - low + 1, {"from_token_id": str(low), "to_token_id": str(high)})]
    if name == "approve" and len(topics) == 2:
        spender, until = elements(data, ["approved", "live_until_ledger"])
        return [allowance(address(topics[0]), address(spender), "1", u32(until), token_id=str(unsigned(topics[1])))]
    need(name == "approve_for_all" and len(topics) == 1)
    operator, until = elements(data, ["operator", "live_until_ledger"])
    return [allowance(address(topics[0]), address(operator), None, u32(until))]


def invocations(element):
    """(operation from 1, events) of each contract invocation of a successful transaction."""
    codes, result = X.TransactionResultCode, element.result.result.result
    if result.code == codes.txFEE_BUMP_INNER_SUCCESS:
        results = result.inner_result_pair.result.result.results
    elif result.code == codes.txSUCCESS:
        results = result.results
    else:
        return
    meta = element.tx_apply_processing
    for number, operation in enumerate(results, 1):
        if operation.code != X.OperationResultCode.opINNER or operation.tr.type != X.OperationType.INVOKE_HOST_FUNCTION:
            continue
        if meta.v == 4:
            yield number, meta.v4.operations[number - 1].events
        elif meta.v == 3 and meta.v3.soroban_meta is not None:
            yield number, meta.v3.soroban_meta.events


def rows_of(meta, contracts):
    """The rows of a LedgerCloseMeta. `contracts`: contract id (hex) to protocol."""
    body = meta.v0 or meta.v1 or meta.v2
    header = body.ledger_header.header
    sequence = header.ledger_seq.uint32
    for transaction, element in enumerate(body.tx_processing, 1):
        for operation, events in invocations(element):
            made = {protocol: [] for protocol in BASES}
            for event in events:
                contract = event.contract_id and event.contract_id.contract_id.hash
                protocol = contract and contracts.get(contract.hex())
                topics = event.body.v0.topics
                if not protocol or event.type != X.ContractEventType.CONTRACT or not topics or topics[0].type != T.SCV_SYMBOL:
                    continue
                try:
                    rows = (sep41 if protocol == "SEP41" else sep50)(topics[0].sym.sc_symbol.decode(), topics[1:], event.body.v0.data)
                except Shape:
                    continue
                made[protocol] += [(StrKey.encode_contract(contract), row) for row in rows]
            to_id = sequence << 32 | transaction << 12
            for protocol, rows in made.items():
                for ordinal, (token, row) in enumerate(rows, 1):
                    yield {**dict(spender_account_id=None, key_value=None, to_muxed_id=None), **row, "token_id": token, "to_id": to_id,
                           "operation_id": to_id | operation, "state_change_id": BASES[protocol] + ordinal, "protocol": protocol,
                           "ledger_number": sequence, "ledger_created_at": header.scp_value.close_time.time_point.uint64}
