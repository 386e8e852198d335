#!/usr/bin/env python3
"""Writes Sources/Shared/StellarXDR/Generated/XDRSkip.swift: a function that skips a value, for every XDR type that a ledger can contain.

    python3 Scripts/generate-xdr.py [--check]

It reads Sources/Shared/StellarXDR/Definitions/Stellar.x. With --check it writes nothing and fails unless the file is what it would write.

What is generated:

  - `name(at[, depth])` of XDRSkip for types of variable size: checks the value at `at` and gives the offset behind it, or `XDRSkip.failed`.
  - For the types that LedgerReader names, a static function around it, which throws.
  - Nothing for types of fixed size: where one is part of another, it is stepped over by its size, and what can be wrong in it
    (discriminants, enums, bools) is checked there.

Neighbouring fields of fixed size share one bounds check, together with the discriminant, length or flag that follows them.

No function looks whether a call failed before it goes on: `failed` lies beyond the end of all bytes, so that the next bounds check finds it,
and each run of reads begins with one. Only loops stop at once. A failure is then never more than a jump, and most functions, ending in
another call or in none, keep nothing on the stack. Keep it so: what is read behind a call must be asked for behind the call.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from xdr_definitions import UNBOUNDED, Type, load, parts

# What LedgerReader steps over. The types around these (LedgerCloseMeta, TransactionMeta V3 and V4, counted contract events) it walks itself,
# field by field. Each gets a function that throws.
ROOTS = [
    "LedgerCloseMetaExt", "LedgerHeader", "StellarValue", "TransactionSet", "GeneralizedTransactionSet", "UpgradeEntryMeta", "SCPHistoryEntry", "LedgerKey",
    "LedgerEntry", "LedgerEntryChanges", "TransactionResult", "OperationResult", "OperationMeta", "TransactionMetaV1", "TransactionMetaV2",
    "SorobanTransactionMetaExt", "SorobanTransactionMetaV2", "SCVal", "ContractEvent", "DiagnosticEvent", "TransactionEvent",
]
TARGET = Path(__file__).resolve().parent.parent / "Sources/Shared/StellarXDR/Generated/XDRSkip.swift"

definitions = load()


# What is known of a type


def resolve(t: Type) -> Type:
    """Follows typedefs to a type that is not merely another name: a hash is 32 opaque bytes wherever it is called Hash."""
    while t.kind == "ref" and definitions[t.name].kind not in ("struct", "union", "enum", "list"):
        t = definitions[t.name]
    return t


def body(t: Type) -> Type:
    t = resolve(t)
    return definitions[t.name] if t.kind == "ref" else t


sizes: dict = {}


def fixed_size(t: Type) -> "int | None":
    """Bytes of every value of the type, or None if they differ from value to value."""
    t = resolve(t)
    if t.kind == "ref":
        if t.name not in sizes:
            sizes[t.name] = None  # a type that contains itself has no fixed size
            sizes[t.name] = fixed_size(definitions[t.name])
        return sizes[t.name]
    if t.kind == "void":
        return 0
    if t.kind in ("bool", "enum"):
        return 4
    if t.kind == "word":
        return t.size
    if t.kind == "opaque":
        if t.size % 4:
            raise NotImplementedError("fixed opaque with padding")
        return t.size
    if t.kind == "array":
        size = fixed_size(t.element)
        if size is None:
            raise NotImplementedError("fixed array of elements of variable size")
        return size * t.size
    if t.kind == "struct":
        parts = [fixed_size(f) for _, f in t.fields]
        return None if None in parts else sum(parts)
    if t.kind == "union":
        if t.default:
            raise NotImplementedError("union with a default arm")
        arms = {fixed_size(arm) for _, _, arm in t.arms}
        return 4 + arms.pop() if len(arms) == 1 and None not in arms else None
    return None


def needs_check(t: Type) -> bool:
    """Whether a value of fixed size can be wrong."""
    b = body(t)
    if b.kind in ("bool", "enum", "union"):
        return True
    if b.kind == "struct":
        return any(needs_check(f) for _, f in b.fields)
    if b.kind == "array":
        if needs_check(b.element):
            raise NotImplementedError("fixed array of checked elements")
    return False


def least_size(t: Type, inside: frozenset = frozenset()) -> int:
    """Bytes of the smallest value of the type."""
    if (size := fixed_size(t)) is not None:
        return size
    t = resolve(t)
    if t.kind == "ref":
        return 4 if t.name in inside else least_size(definitions[t.name], inside | {t.name})
    if t.kind == "struct":
        return sum(least_size(f, inside) for _, f in t.fields)
    if t.kind == "union":
        return 4 + min(least_size(arm, inside) for _, _, arm in t.arms)
    return 4


def references(name: str) -> set:
    return {p.name for p in parts(definitions[name]) if p.kind == "ref"}


def reachable(names, without=frozenset()) -> set:
    seen, todo = set(), [n for n in names if n not in without]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += [n for n in references(name) if n not in without]
    return seen


def recursion_heads(names: set) -> set:
    """The fewest types that every cycle of definitions passes through: depth is counted in them alone."""
    heads: set = set()
    while True:
        cyclic = {n for n in names - heads if n in reachable(references(n), heads)}
        if not cyclic:
            return heads
        in_cycle = lambda n: sum(n in references(m) for m in cyclic) + len(references(n) & cyclic)
        heads.add(max(sorted(cyclic), key=in_cycle))


names = reachable(ROOTS)
heads = recursion_heads(names)
deep = {n for n in names if reachable([n]) & heads}


# Swift


def camel(name: str) -> str:
    """LedgerEntry: ledgerEntry, SCVal: scVal, TTLEntry: ttlEntry"""
    run = re.match(r"[A-Z]*", name).group()
    if len(run) <= 1 or len(run) == len(name):
        return name[:1].lower() + name[1:]
    keep = len(run) - 1 if name[len(run)].islower() else len(run)
    return name[:keep].lower() + name[keep:]


def plus(offset: int) -> str:
    return f"at &+ {offset}" if offset else "at"


def labels_text(union: Type, labels: list) -> str:
    if body(union.discriminant).kind != "enum":
        return ", ".join(labels)
    values = body(union.discriminant).values
    return ", ".join(str(values[label]) for label in labels)


class Writer:
    def __init__(self):
        self.lines: list = []
        self.indent = 1

    def line(self, text: str = "") -> None:
        self.lines.append("    " * self.indent + text if text else "")

    def block(self, head: str):
        writer = self

        class Block:
            def __enter__(self):
                writer.line(head + " {")
                writer.indent += 1

            def __exit__(self, *_):
                writer.indent -= 1
                writer.line("}")

        return Block()

    def guard(self, condition: str, failure: str) -> None:
        text = f"guard {condition} else {{ return {failure} }}"
        if 4 * self.indent + len(text) <= 140:
            self.line(text)
            return
        with self.block(f"guard {condition} else"):
            self.line(f"return {failure}")

    # Values of fixed size, whose bytes are known to be there.

    def check(self, t: Type, offset: int, label: str) -> None:
        if not needs_check(t):
            return
        t = resolve(t)
        named = t.kind == "ref" and definitions[t.name].kind != "enum"
        self.check_body(body(t), offset, t.name if named else label)

    def check_body(self, t: Type, offset: int, label: str) -> None:
        if t.kind == "bool":
            self.guard(f"uint32({plus(offset)}) <= 1", f'badBool({plus(offset)}, "{label}")')
        elif t.kind == "enum":
            values = sorted(t.values.values())
            if values != list(range(values[0], values[-1] + 1)):
                raise NotImplementedError(f"{label}: enum with gaps as a field")
            self.guard(f"({values[0]}...{values[-1]}).contains(int32({plus(offset)}))", f'badEnumValue({plus(offset)}, "{label}")')
        elif t.kind == "struct":
            for name, f in t.fields:
                self.check(f, offset, f"{label}.{name}")
                offset += fixed_size(f)
        elif t.kind == "union":
            label = f"{label}.{t.discriminant_name}"
            if len(t.arms) == 1 and len(t.arms[0][0]) == 1:
                self.guard(f"int32({plus(offset)}) == {labels_text(t, t.arms[0][0])}", f'badDiscriminant({plus(offset)}, "{label}")')
                self.check(t.arms[0][2], offset + 4, label)
                return
            self.line(f"switch int32({plus(offset)}) {{")
            for labels, name, arm in t.arms:
                self.line(f"case {labels_text(t, labels)}:")
                self.indent += 1
                before = len(self.lines)
                self.check(arm, offset + 4, f"{label}.{name}")
                if len(self.lines) == before:
                    self.line("break")
                self.indent -= 1
            self.line(f'default: return badDiscriminant({plus(offset)}, "{label}")')
            self.line("}")

    # Values of any size at `at`.

    def sequence(self, fields: list, lead: int = 0) -> None:
        """Skips fields one after the other. The first `lead` bytes at `at` are known to be there and are stepped over with them."""
        flat: list = []
        for label, t in fields:
            r = resolve(t)
            if r.kind == "struct":
                flat += [(f"{label}.{name}", f) for name, f in r.fields]
            else:
                flat.append((label, t))
        index = 0
        while index < len(flat) or lead:
            run = []
            while index < len(flat) and fixed_size(flat[index][1]) is not None:
                run.append(flat[index])
                index += 1
            run_size = sum(fixed_size(t) for _, t in run)
            following = flat[index] if index < len(flat) else None
            head = 4 if following and resolve(following[1]).kind != "ref" else 0
            if run_size + head:
                self.require(lead + run_size + head, (run or [following])[0][0])
            offset = lead
            for label, t in run:
                self.check(t, offset, label)
                offset += fixed_size(t)
            if offset:
                self.line(f"at &+= {offset}")
            lead = 0
            if following:
                self.variable(following[1], following[0])
                index += 1

    def require(self, size: int, label: str) -> None:
        self.guard(f"has(at, {size})", f'endsEarly(at, {size}, "{label}")')

    def variable(self, t: Type, label: str) -> None:
        """Skips a value of variable size; unless it has a function of its own, its first four bytes are known to be there."""
        t = resolve(t)
        if t.kind == "ref":
            depth = ", depth" if t.name in deep else ""
            self.line(f"at = {camel(t.name)}(at{depth})")
        elif t.kind == "bytes":
            limit = f", max: {t.size}" if t.size != UNBOUNDED else ""
            self.guard(f"let end = endOfBytes(at{limit})", f'badBytes(at{limit}, "{label}")')
            self.line("at = end")
        elif t.kind == "list":
            self.list(t, label)
        elif t.kind == "optional":
            self.line("switch uint32(at) {")
            self.line("case 0: at &+= 4")
            self.line("case 1:")
            self.indent += 1
            self.sequence([(label, t.element)], lead=4)
            self.indent -= 1
            self.line(f'default: return badOptionalFlag(at, "{label}")')
            self.line("}")
        elif t.kind == "union":
            self.union(t, label)
        else:
            raise NotImplementedError(t.kind)

    def list(self, t: Type, label: str) -> None:
        limit = f", max: {t.size}" if t.size != UNBOUNDED else ""
        size = fixed_size(t.element)
        # A function may skip several lists one after the other.
        count = camel(label.split(".")[-1]) + "Count"
        least = least_size(t.element)
        variable = size is None or needs_check(t.element)
        self.guard(f"{'var' if variable else 'let'} {count} = count(at, elementSize: {least}{limit})", f'badCount(at{limit}, "{label}")')
        if not variable:
            self.line(f"at &+= 4 &+ {count} &* {size}")
            return
        self.line("at &+= 4")
        with self.block(f"while {count} > 0"):
            self.line(f"{count} &-= 1")
            if size is not None:
                self.check(t.element, 0, label)
                self.line(f"at &+= {size}")
            else:
                self.sequence([(label, t.element)])
                self.line("if at > 0 { return at }")

    def union(self, t: Type, label: str) -> None:
        self.line("switch int32(at) {")
        for labels, name, arm in t.arms:
            self.line(f"case {labels_text(t, labels)}:")
            self.indent += 1
            self.sequence([(f"{label}.{name}" if name else label, arm)] if arm.kind != "void" else [], lead=4)
            self.indent -= 1
        self.line(f'default: return badDiscriminant(at, "{label}.{t.discriminant_name}")')
        self.line("}")

    # Functions

    def skip_function(self, name: str) -> None:
        t = definitions[name]
        depth = ", _ depth: Int" if name in deep else ""
        self.line(f"/// {name}")
        with self.block(f"mutating func {camel(name)}(_ start: Int{depth}) -> Int"):
            if name in heads:
                self.guard("depth > 0", f'depthLimitExceeded(start, "{name}")')
                self.line("let depth = depth &- 1")
            self.line("var at = start")
            if t.kind == "struct":
                self.sequence([(f"{name}.{field}", f) for field, f in t.fields])
            else:
                self.sequence([(name, t)])
            self.line("return at")

    def throwing_function(self, name: str) -> None:
        depth = (", _ depth: Int", ", depth") if name in deep else ("", "")
        self.line(f"/// {name}")
        with self.block(f"static func {camel(name)}(_ b: XDRBytes, _ at: Int{depth[0]}) throws(XDRError) -> Int"):
            self.line("var skip = XDRSkip(b)")
            self.line(f"return try skip.offset(skip.{camel(name)}(at &- b.count{depth[1]}))")


def functions(wanted, write) -> list:
    result = []
    for name in sorted(wanted, key=str.lower):
        if definitions[name].kind in ("struct", "union", "list") and fixed_size(Type("ref", name=name)) is None:
            writer = Writer()
            write(writer, name)
            result.append("\n".join(writer.lines))
    return result


def main() -> None:
    skipping = functions(names, Writer.skip_function)
    throwing = functions(ROOTS, Writer.throwing_function)
    text = "\n".join([
        "// Generated by Scripts/generate-xdr.py from Definitions/Stellar.x. Do not edit.",
        "",
        "extension XDRSkip {",
        "\n\n".join(skipping),
        "}",
        "",
        "// What LedgerReader asks for, with offsets from the beginning.",
        "extension XDRSkip {",
        "\n\n".join(throwing),
        "}",
        "",
    ])
    if sys.argv[1:] == ["--check"]:
        if not TARGET.exists() or TARGET.read_text() != text:
            sys.exit(f"{TARGET} is not what Scripts/generate-xdr.py makes of the definitions: run it again")
        return
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text)
    print(f"{len(skipping)} functions; depth is counted in {', '.join(sorted(heads))}", file=sys.stderr)


if __name__ == "__main__":
    main()
