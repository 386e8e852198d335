#!/usr/bin/env python3
"""Says what stellar-sdk, an implementation of XDR that is not ours, finds in ledgers: JSON that the tests compare our reader with.

    python3 Scripts/witness-ledgers.py Tests/Fixtures/synthetic/*.xdr Tests/StellarXDRTests/Fixtures/random/*.xdr > Tests/StellarXDRTests/Fixtures/witness.json

Ledgers are LedgerCloseMeta files, .xdr or .xdr.gz. An event is [transaction, operation, type, contract, topics, FNV-1a of the topics' XDR,
FNV-1a of the data's XDR]; its contract is an index into `contracts`, or null.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from pathlib import Path

from stellar_sdk import xdr

SUCCESS = {xdr.TransactionResultCode.txSUCCESS, xdr.TransactionResultCode.txFEE_BUMP_INNER_SUCCESS}


def fnv1a(data: bytes) -> str:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def counted(result: xdr.TransactionResult) -> "list[bool]":
    """Which operations are successful invocations."""
    outcome = result.result
    if outcome.code not in SUCCESS:
        return []
    if outcome.code == xdr.TransactionResultCode.txFEE_BUMP_INNER_SUCCESS:
        outcome = outcome.inner_result_pair.result.result
        if outcome.code != xdr.TransactionResultCode.txSUCCESS:
            return []
    inner, invoke = xdr.OperationResultCode.opINNER, xdr.OperationType.INVOKE_HOST_FUNCTION
    return [op.code == inner and op.tr.type == invoke for op in outcome.results]


def operations_events(meta: xdr.TransactionMeta) -> "list[list[xdr.ContractEvent]]":
    if meta.v == 3:
        return [meta.v3.soroban_meta.events] if meta.v3.soroban_meta else []
    if meta.v == 4:
        return [operation.events for operation in meta.v4.operations]
    return []


def witness(data: bytes, contracts: list) -> dict:
    meta = xdr.LedgerCloseMeta.from_xdr_bytes(data)
    if meta.to_xdr_bytes() != data:
        raise ValueError("stellar-sdk does not give the same bytes back")
    body = (meta.v0, meta.v1, meta.v2)[meta.v]
    entry = body.ledger_header
    header = entry.header.to_xdr_bytes()
    start = 4 + (len(body.ext.to_xdr_bytes()) if meta.v else 0) + 32
    if data[start : start + len(header)] != header:
        raise ValueError("the header is not where it should be")
    events = []
    for number, transaction in enumerate(body.tx_processing, 1):
        flags = counted(transaction.result.result)
        for operation, found in enumerate(operations_events(transaction.tx_apply_processing), 1):
            if operation > len(flags) or not flags[operation - 1]:
                continue
            for event in found:
                contract = event.contract_id.contract_id.hash.hex() if event.contract_id else None
                if contract and contract not in contracts:
                    contracts.append(contract)
                topics = event.body.v0.topics
                events.append([
                    number, operation, event.type.value, contracts.index(contract) if contract else None, len(topics),
                    fnv1a(b"".join(t.to_xdr_bytes() for t in topics)), fnv1a(event.body.v0.data.to_xdr_bytes()),
                ])
    return {
        "sequence": entry.header.ledger_seq.uint32,
        "closeTime": entry.header.scp_value.close_time.time_point.uint64,
        "protocolVersion": entry.header.ledger_version.uint32,
        "previousLedgerHash": entry.header.previous_ledger_hash.hash.hex(),
        "hash": entry.hash.hash.hex(),
        "hashIsRight": hashlib.sha256(header).digest() == entry.hash.hash,
        "headerStart": start,
        "headerEnd": start + len(header),
        "transactionCount": len(body.tx_processing),
        "events": events,
    }


def main() -> None:
    contracts: list = []
    ledgers = {}
    for name in sys.argv[1:]:
        path = Path(name)
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        ledgers[path.name.removesuffix(".gz")] = witness(data, contracts)
    print('{"contracts": ' + json.dumps(contracts, indent=0) + ',\n"ledgers": {')
    print(",\n".join(f"{json.dumps(name)}: {json.dumps(found, separators=(',', ':'))}" for name, found in ledgers.items()))
    print("}}")


if __name__ == "__main__":
    main()
