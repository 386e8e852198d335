#!/usr/bin/env python3
"""Makes ledgers out of nothing but the XDR definitions: every type, every arm of every union, sooner or later.

    python3 Scripts/make-random-ledgers.py --seed 1 --count 6 --out Tests/StellarXDRTests/Fixtures/random

They make no sense as ledgers, but are valid XDR; stellar-sdk decodes every one before it is written. Results lean to successful contract
invocations and metas to the newest ones, so that many events count.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from stellar_sdk import xdr

from xdr_definitions import Type, load

definitions = load()

# How often an arm is taken in place of an even choice: (union, discriminant) -> probability.
LEANINGS = {
    "TransactionResult": (["txSUCCESS", "txFEE_BUMP_INNER_SUCCESS"], 0.8),
    "InnerTransactionResult": (["txSUCCESS"], 0.8),
    "OperationResult": (["opINNER"], 0.9),
    "OperationResult.tr": (["INVOKE_HOST_FUNCTION"], 0.6),
    "TransactionMeta": (["3", "4"], 0.7),
}


class Maker:
    """Random values of XDR types, as bytes."""

    def __init__(self, seed: int, size: int):
        self.random = random.Random(seed)
        self.left = size  # bytes after which lists stay empty and options absent

    def word(self, value: int) -> bytes:
        self.left -= 4
        return (value & 0xFFFFFFFF).to_bytes(4, "big")

    def raw(self, size: int) -> bytes:
        self.left -= size
        return self.random.randbytes(size)

    def value(self, t: Type, path: str, depth: int = 0) -> bytes:
        if t.kind == "ref":
            return self.value(definitions[t.name], t.name, depth + 1)
        if t.kind == "void":
            return b""
        if t.kind == "bool":
            return self.word(self.random.randrange(2))
        if t.kind == "enum":
            return self.word(self.random.choice(list(t.values.values())))
        if t.kind in ("word", "opaque"):
            return self.raw(t.size)
        if t.kind == "array":
            return b"".join(self.value(t.element, path, depth) for _ in range(t.size))
        if t.kind == "bytes":
            length = self.random.randint(0, min(t.size, 13))
            return self.word(length) + self.raw(length) + bytes(-length % 4)
        if t.kind == "optional":
            present = self.random.random() < self.appetite(depth)
            return self.word(present) + (self.value(t.element, path, depth) if present else b"")
        if t.kind == "list":
            length = self.random.choice([1, 1, 2, 3]) if self.random.random() < self.appetite(depth) else 0
            length = min(length, t.size)
            return self.word(length) + b"".join(self.value(t.element, path, depth) for _ in range(length))
        if t.kind == "struct":
            return b"".join(self.value(f, f"{path}.{name}", depth) for name, f in t.fields)
        return self.union(t, path, depth)

    def appetite(self, depth: int) -> float:
        return 0.0 if self.left < 0 or depth > 60 else 0.7 if depth < 25 else 0.35

    def union(self, t: Type, path: str, depth: int) -> bytes:
        choices = [(label, name, arm) for labels, name, arm in t.arms for label in labels]
        leaning = LEANINGS.get(path.removesuffix(".result"))
        if leaning and self.random.random() < leaning[1]:
            choices = [c for c in choices if c[0] in leaning[0]] or choices
        elif depth > 40 and any(arm.kind == "void" for _, _, arm in choices):
            choices = [c for c in choices if c[2].kind == "void"]
        label, name, arm = self.random.choice(choices)
        discriminant = t.discriminant
        while discriminant.kind == "ref":
            discriminant = definitions[discriminant.name]
        number = discriminant.values[label] if discriminant.kind == "enum" else int(label)
        return self.word(number) + self.value(arm, f"{path}.{name}", depth)


def ledger(seed: int, version: int, size: int) -> bytes:
    """One LedgerCloseMeta of a version. Each part has a share of the size to itself, so that none starves the others."""
    maker = Maker(seed, size)
    result = version.to_bytes(4, "big")
    for name, t in definitions[f"LedgerCloseMetaV{version}"].fields:
        if name == "txProcessing":
            count = 12
            result += count.to_bytes(4, "big")
            for _ in range(count):
                maker.left = size // count
                result += maker.value(t.element, name)
        else:
            maker.left = size // 8
            result += maker.value(t, name)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--size", type=int, default=12000, help="bytes, roughly")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for index in range(arguments.count):
        data = ledger(arguments.seed * 1000 + index, index % 3, arguments.size)
        if xdr.LedgerCloseMeta.from_xdr_bytes(data).to_xdr_bytes() != data:
            raise SystemExit(f"stellar-sdk does not give back the bytes of ledger {index}")
        (arguments.out / f"random-{index:02}-v{index % 3}.xdr").write_bytes(data)


if __name__ == "__main__":
    main()
