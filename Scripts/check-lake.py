#!/usr/bin/env python3
"""Checks a data lake in a folder with the public Python Stellar SDK and zstandard: no code of ours reads its names or bytes.

  check-lake.py LAKE [--ledgers-per-file N] [--files-per-partition N] [--ledgers FOLDER]

Checks the name of each file (SEP-54), that it is one frame with a checksum, that it is full, and of each ledger its sequence, header hash,
predecessor's hash and that encoding it again gives the same bytes. The layout comes from the manifest unless it is given. With --ledgers,
each ledger must have the bytes of ledger-SEQUENCE.xdr in that folder, and the folder no others. Prints how many were checked.
"""
import argparse
import hashlib
import json
from pathlib import Path

import zstandard
from stellar_sdk import xdr

LAST = 0xFFFFFFFF
parser = argparse.ArgumentParser()
parser.add_argument("lake", type=Path)
parser.add_argument("--ledgers-per-file", type=int)
parser.add_argument("--files-per-partition", type=int)
parser.add_argument("--ledgers", type=Path)
options = parser.parse_args()

manifest = options.lake / ".config.json"
if manifest.exists():
    said = json.loads(manifest.read_text())
    assert said["compression"] == "zstd" and said["version"] == "1.0" and said["networkPassphrase"], said
    options.ledgers_per_file = options.ledgers_per_file or said["ledgersPerBatch"]
    options.files_per_partition = options.files_per_partition or said["batchesPerPartition"]
per_file, per_partition = options.ledgers_per_file, options.files_per_partition
assert per_file and per_partition, "no manifest: give --ledgers-per-file and --files-per-partition"


def key(ledger):
    """The name without its extension."""
    first = ledger - ledger % per_file
    last = min(first + per_file - 1, LAST)
    name = f"{LAST - first:08X}--{first}" + (f"-{last}" if per_file > 1 else "")
    if per_partition == 1:
        return name
    size = per_file * per_partition
    start = ledger - ledger % size
    return f"{LAST - start:08X}--{start}-{min(start + size - 1, LAST)}/{name}"


def contents(file):
    """What a file's one frame holds."""
    frame = file.read_bytes()
    parameters = zstandard.get_frame_parameters(frame)
    assert parameters.has_checksum and parameters.window_size <= 8 << 20, f"{file}: {parameters}"
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    content = unpacker.decompress(frame)
    assert unpacker.eof and not unpacker.unused_data, f"{file} is not one whole frame"
    # As in real lakes: only what is one block has its size stated.
    stated = len(content) if len(content) <= 128 << 10 else zstandard.CONTENTSIZE_UNKNOWN
    assert parameters.content_size == stated, f"{file} states a size of {parameters.content_size} for {len(content)} bytes"
    return content


paths = [str(path.relative_to(options.lake)) for path in options.lake.rglob("*") if path.is_file()]
paths = sorted(path for path in paths if path != ".config.json")
previous, following, checked = None, None, set()
for path in reversed(paths):  # newest first is how names sort
    content = contents(options.lake / path)
    batch = xdr.LedgerCloseMetaBatch.from_xdr_bytes(content)
    assert batch.to_xdr_bytes() == content, f"{path} is not encoded canonically"
    first, last = batch.start_sequence.uint32, batch.end_sequence.uint32
    assert path in (key(first) + ".xdr.zst", key(first) + ".xdr.zstd"), f"{path} holds ledgers {first}-{last}"
    named = first - first % per_file
    assert first == max(named, 2) and last == named + per_file - 1, f"{path} is not full: {first}-{last}"
    assert len(batch.ledger_close_metas) == last - first + 1, f"{path} holds {len(batch.ledger_close_metas)} ledgers"
    assert following is None or first >= following, f"{path} is not newer than the file before"
    for sequence, meta in enumerate(batch.ledger_close_metas, first):
        entry = (meta.v0 or meta.v1 or meta.v2).ledger_header
        digest = hashlib.sha256(entry.header.to_xdr_bytes()).digest()
        assert entry.header.ledger_seq.uint32 == sequence, f"{path}: ledger {entry.header.ledger_seq.uint32} in the place of {sequence}"
        assert digest == entry.hash.hash, f"ledger {sequence}: wrong hash"
        if sequence == following:
            assert entry.header.previous_ledger_hash.hash == previous, f"ledger {sequence}: broken chain"
        if options.ledgers:
            made = (options.ledgers / f"ledger-{sequence}.xdr").read_bytes()
            assert meta.to_xdr_bytes() == made, f"ledger {sequence} differs from its file"
        previous, following = digest, sequence + 1
        checked.add(sequence)
if options.ledgers:
    made = {int(path.stem.removeprefix("ledger-")) for path in options.ledgers.glob("ledger-*.xdr")}
    assert checked == made, f"in one of the two only: {sorted(checked ^ made)}"
print(f"{len(paths)} files, {len(checked)} ledgers checked")
