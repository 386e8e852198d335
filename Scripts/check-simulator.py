#!/usr/bin/env python3
"""Checks a running ledger-simulator with the public Python Stellar SDK: its client must be able to use the server, and must decode every ledger.

  check-simulator.py http://127.0.0.1:PORT [contracts.json expected.jsonl]

Checks each ledger's sequence, header hash, predecessor's hash, and that encoding it again gives the same bytes; with the two files, that the ledgers'
events give exactly the expected rows. Prints how many were checked.
"""
import hashlib
import json
import sys

from stellar_sdk import SorobanServer, xdr

from expected_rows import rows_of

server = SorobanServer(sys.argv[1])
health = server.get_health()
assert health.status == "healthy", health
assert server.get_network().passphrase
latest = server.get_latest_ledger()
assert latest.sequence >= health.latest_ledger, (latest.sequence, health)

contracts, expected = {}, None
if len(sys.argv) > 2:
    with open(sys.argv[2]) as file:
        contracts = {contract: protocol for protocol, ids in json.load(file).items() for contract in ids}
    with open(sys.argv[3]) as file:
        expected = [json.loads(line) for line in file]

checked, previous, rows = 0, None, []
page = server.get_ledgers(start_ledger=health.oldest_ledger, limit=7)
while True:
    for ledger in page.ledgers:
        meta = xdr.LedgerCloseMeta.from_xdr(ledger.metadata_xdr)
        assert meta.to_xdr() == ledger.metadata_xdr, f"ledger {ledger.sequence} is not encoded canonically"
        entry = (meta.v0 or meta.v1 or meta.v2).ledger_header
        assert entry.to_xdr() == ledger.header_xdr
        digest = hashlib.sha256(entry.header.to_xdr_bytes()).digest()
        assert digest == entry.hash.hash and digest.hex() == ledger.hash, f"ledger {ledger.sequence}: wrong hash"
        assert entry.header.ledger_seq.uint32 == ledger.sequence == health.oldest_ledger + checked
        assert previous in (None, entry.header.previous_ledger_hash.hash), f"ledger {ledger.sequence}: broken chain"
        previous = digest
        rows += rows_of(meta, contracts)
        checked += 1
    if page.ledgers[-1].sequence >= page.latest_ledger:
        break
    page = server.get_ledgers(cursor=page.cursor, limit=7)
print(f"{checked} ledgers checked")
if expected is not None:
    for got, wanted in zip(rows, expected):
        assert got == wanted, f"the ledger gives {got}, expected was {wanted}"
    assert len(rows) == len(expected), f"{len(rows)} rows in the ledgers, {len(expected)} expected"
    print(f"{len(rows)} rows agree")
