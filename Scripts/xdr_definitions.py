"""Reads the XDR definitions of Stellar out of the docstrings of the PyPI package stellar-sdk.

Every class of `stellar_sdk.xdr` carries the XDR source that it was generated from. This module parses that source (RFC 4506, the
part of it that Stellar uses) into the few kinds of `Type` below.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass, field
from enum import IntEnum

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

    def definition(self) -> "tuple[str, Type]":
        word = self.next()
        if word == "typedef":
            name, result = self.declaration()
            self.expect(";")
        elif word in ("struct", "enum", "union"):
            name = self.next()
            result = getattr(self, word)()
            self.accept(";")
        else:
            raise ValueError(f"no definition begins with {word!r}")
        if self.at != len(self.tokens):
            raise ValueError(f"more than one definition in {' '.join(self.tokens)}")
        return name, result

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


def load() -> "tuple[dict, str]":
    """All definitions by name, and the version of the package that they were read from."""
    import stellar_sdk
    import stellar_sdk.xdr as package

    constants = {k: v for k, v in vars(importlib.import_module("stellar_sdk.xdr.constants")).items() if isinstance(v, int)}
    classes = []
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"stellar_sdk.xdr.{module_info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ == module.__name__ and "XDR Source Code::" in (cls.__doc__ or ""):
                classes.append(cls)
    # An enumerator may be given as another one: ENVELOPE and key types do that.
    for cls in classes:
        if issubclass(cls, IntEnum):
            constants |= {name: int(value) for name, value in cls.__members__.items()}
    definitions = {}
    for cls in classes:
        source = cls.__doc__.split("XDR Source Code::", 1)[1]
        # A type that is declared inside another has no name of its own here and is part of its parent's source.
        if re.match(r"\s*(union\s+switch|struct\s*\{|enum\s*\{)", source):
            continue
        name, definition = Parser(source, constants).definition()
        definitions[name] = definition
    return definitions, stellar_sdk.__version__
