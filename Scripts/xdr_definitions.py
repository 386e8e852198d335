"""The XDR definitions of Stellar: Sources/Shared/StellarXDR/Definitions/Stellar.x, parsed (RFC 4506, the part of it that Stellar uses) into the few
kinds of `Type` below.

    pip install stellar-sdk && python3 Scripts/xdr_definitions.py > Sources/Shared/StellarXDR/Definitions/Stellar.x

writes that file again when the network gets a new protocol: every class of `stellar_sdk.xdr` carries the XDR source that it was generated from.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "Sources/Shared/StellarXDR/Definitions/Stellar.x"
# What a ledger is made of is reachable from here.
ROOT = "LedgerCloseMeta"
UNBOUNDED = 0xFFFFFFFF


@dataclass
class Type:
    """kind: word (4 or 8 plain bytes), bool, opaque (fixed), bytes (variable opaque or string), ref, array (fixed),
    list (variable array), optional, enum, struct, union, void"""

    kind: str
    size: int = 0  # word, opaque: bytes; array: elements; bytes, list: greatest length
    name: str = ""  # ref: the name of the definition
    element: "Type | None" = None  # array, list, optional
    values: dict = field(default_factory=dict)  # enum: name -> number
    fields: list = field(default_factory=list)  # struct: (name, Type)
    discriminant: "Type | None" = None  # union
    discriminant_name: str = ""
    arms: list = field(default_factory=list)  # union: ([labels], name, Type)
    default: "Type | None" = None  # union


TOKEN = re.compile(r"0x[0-9A-Fa-f]+|-?\d+|[A-Za-z_]\w*|[{}()<>\[\];:,=*]")


class Parser:
    def __init__(self, source: str, constants: dict):
        source = re.sub(r"/\*.*?\*/", " ", source, flags=re.S)
        source = re.sub(r"//[^\n]*", " ", source)
        rest = TOKEN.sub("", source).strip()
        if rest:
            raise ValueError(f"not XDR: {rest!r} in {source!r}")
        self.tokens = TOKEN.findall(source)
        self.at = 0
        self.constants = constants

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, token: str) -> None:
        found = self.next()
        if found != token:
            raise ValueError(f"expected {token!r}, found {found!r} in {' '.join(self.tokens)}")

    def accept(self, token: str) -> bool:
        if self.peek() == token:
            self.at += 1
            return True
        return False

    def number(self) -> int:
        token = self.next()
        return int(token, 0) if re.match(r"-?\d", token) else self.constants[token]

    def definitions(self) -> "dict[str, Type]":
        """All definitions up to the end. Constants and enumerators count from where they stand on."""
        found = {}
        while self.peek():
            word = self.next()
            if word == "const":
                name = self.next()
                self.expect("=")
                self.constants[name] = self.number()
                self.expect(";")
                continue
            if word == "typedef":
                name, result = self.declaration()
            elif word in ("struct", "enum", "union"):
                name = self.next()
                result = getattr(self, word)()
            else:
                raise ValueError(f"no definition begins with {word!r}")
            self.accept(";")
            self.constants |= result.values
            found[name] = result
        return found

    def enum(self) -> Type:
        values, last = {}, -1
        self.expect("{")
        while not self.accept("}"):
            name = self.next()
            last = self.number() if self.accept("=") else last + 1
            values[name] = last
            self.accept(",")
        return Type("enum", values=values)

    def struct(self) -> Type:
        fields = []
        self.expect("{")
        while not self.accept("}"):
            fields.append(self.declaration())
            self.expect(";")
        return Type("struct", fields=fields)

    def union(self) -> Type:
        self.expect("switch")
        self.expect("(")
        discriminant_name, discriminant = self.declaration()
        self.expect(")")
        self.expect("{")
        result = Type("union", discriminant=discriminant, discriminant_name=discriminant_name)
        while not self.accept("}"):
            labels, is_default = [], False
            while self.peek() in ("case", "default"):
                if self.next() == "default":
                    is_default = True
                else:
                    labels.append(self.next())
                self.expect(":")
            name, arm = self.declaration()
            self.expect(";")
            if is_default:
                result.default = arm
            if labels:
                result.arms.append((labels, name, arm))
        return result

    def declaration(self) -> "tuple[str, Type]":
        base = self.type_specifier()
        if base.kind == "void":
            return "", base
        if self.accept("*"):
            return self.next(), Type("optional", element=base)
        name = self.next()
        if self.accept("["):
            size = self.number()
            self.expect("]")
            return name, Type("opaque", size=size) if base.kind == "raw" else Type("array", size=size, element=base)
        if self.accept("<"):
            size = UNBOUNDED if self.peek() == ">" else self.number()
            self.expect(">")
            return name, Type("bytes", size=size) if base.kind == "raw" else Type("list", size=size, element=base)
        if base.kind == "raw":
            raise ValueError(f"{name} has no length")
        return name, base

    def type_specifier(self) -> Type:
        word = self.next()
        if word == "unsigned":
            return Type("word", size={"int": 4, "hyper": 8}[self.next()])
        if word in ("int", "hyper"):
            return Type("word", size=4 if word == "int" else 8)
        if word in ("opaque", "string"):
            return Type("raw")
        if word in ("bool", "void"):
            return Type(word)
        if word in ("struct", "enum", "union"):
            return getattr(self, word)()
        return Type("ref", name=word)


def load() -> "dict[str, Type]":
    """All definitions by name."""
    return Parser(SOURCE.read_text(), {}).definitions()


def parts(t: "Type | None"):
    """A type and the types that it is made of, as far as they have no names of their own."""
    if t is None:
        return
    yield t
    for part in [t.element, t.discriminant, *(f for _, f in t.fields), *(arm for _, _, arm in t.arms)]:
        yield from parts(part)


def references(t: Type) -> "set[str]":
    return {part.name for part in parts(t) if part.kind == "ref"}


def sources_of_sdk() -> str:
    """The definitions that a ledger needs, out of the docstrings of the PyPI package stellar-sdk: constants, enums, then all others by name."""
    import importlib
    import inspect
    import pkgutil
    import textwrap
    from enum import IntEnum

    import stellar_sdk.xdr as package

    constants = {k: v for k, v in vars(importlib.import_module("stellar_sdk.xdr.constants")).items() if isinstance(v, int)}
    sources, known = {}, dict(constants)
    classes = []
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"stellar_sdk.xdr.{module_info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ == module.__name__ and "XDR Source Code::" in (cls.__doc__ or ""):
                classes.append(cls)
                # An enumerator may be given as another one: envelope and key types do that.
                if issubclass(cls, IntEnum):
                    known |= {name: int(value) for name, value in cls.__members__.items()}
    definitions = {}
    for cls in classes:
        source = textwrap.dedent(cls.__doc__.split("XDR Source Code::", 1)[1]).strip()
        # A type that is declared inside another has no name of its own here and is part of its parent's source.
        if re.match(r"(union\s+switch|struct\s*\{|enum\s*\{)", source):
            continue
        (name, definition), = Parser(source, dict(known)).definitions().items()
        definitions[name] = definition
        sources[name] = "\n".join(line.rstrip() for line in source.split("\n"))
    needed, todo = set(), [ROOT]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += references(definitions[name])
    enums = sorted((n for n in needed if definitions[n].kind == "enum"), key=lambda n: (not is_plain(sources[n]), n))
    # Of constants, those that the definitions name; an enumerator may be one of an enum that no ledger contains.
    own = {value for n in enums for value in definitions[n].values}
    text = "\n\n".join(sources[n] for n in enums + sorted(needed - set(enums)))
    words = set(re.findall(r"[A-Za-z_]\w*", re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)))
    used = sorted((words & set(known)) - own)
    return "\n".join(f"const {name} = {known[name]};" for name in used) + "\n\n" + text + "\n"


def is_plain(source: str) -> bool:
    """Whether no enumerator is given as another one."""
    return not re.search(r"=\s*[A-Za-z_]", source)


NOTICE = """// The XDR definitions of Stellar as far as a ledger (LedgerCloseMeta) needs them, from https://github.com/stellar/stellar-xdr by way of the PyPI
// package stellar-sdk {version}. Licensed under the Apache License 2.0, see LICENSE beside this file; put together here in another order, otherwise
// unchanged. Scripts/xdr_definitions.py writes this file, Scripts/generate-xdr.py reads it.

"""

if __name__ == "__main__":
    from importlib.metadata import version

    sys.stdout.write(NOTICE.format(version=version("stellar-sdk")) + sources_of_sdk())
