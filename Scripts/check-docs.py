#!/usr/bin/env python3
"""Compares the documents with the sources. Exits with 1 and what is wrong:

  - each log message of level warning and above stands in docs/troubleshooting.md, in one pair of backticks, its variable parts written in any way;
  - each metric that Sources registers stands in docs/metrics.md, and each that stands there is registered;
  - each relative link and anchor of each Markdown file leads somewhere.

With --messages it prints the messages instead.
"""
import bisect
import pathlib
import re
import subprocess
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "Sources"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
METRICS = ROOT / "docs" / "metrics.md"
# The simulator is no part of a migration.
NOT_OPERATED = ("Simulator",)
LEVELS = {"warning", "error", "critical"}


# Swift


class Text:
    """A string literal: its constant parts, with what is interpolated between them."""

    def __init__(self, parts, line):
        self.parts = parts
        self.line = line

    @property
    def shown(self):
        return "...".join(self.parts)


class Token:
    def __init__(self, kind, value, line):
        self.kind = kind  # name, mark, text
        self.value = value
        self.line = line


ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", '"': '"', "'": "'", "\\": "\\"}


class Lexer:
    """As much of Swift as is needed to find string literals and what stands around them."""

    def __init__(self, source, name):
        self.source = source
        self.name = name
        self.at = 0
        self.line_starts = [match.end() for match in re.finditer("\n", source)]

    @property
    def line(self):
        return bisect.bisect_right(self.line_starts, self.at) + 1

    def tokens(self, closing=None):
        """The tokens up to the end, or to a closing parenthesis of an interpolation."""
        source, out, depth = self.source, [], 0
        while self.at < len(source):
            if source.startswith("//", self.at):
                end = source.find("\n", self.at)
                self.at = len(source) if end < 0 else end
            elif source.startswith("/*", self.at):
                self.comment()
            elif match := re.compile(r'(#*)("""|")').match(source, self.at):
                out.append(Token("text", self.text(*match.groups()), self.line))
            elif match := re.compile(r"[A-Za-z_]\w*|`\w+`|\d[\w.]*").match(source, self.at):
                out.append(Token("name", match.group(), self.line))
                self.at = match.end()
            else:
                mark = source[self.at]
                if closing and mark == "(":
                    depth += 1
                if closing and mark == closing:
                    if depth == 0:
                        self.at += 1
                        return out
                    depth -= 1
                if not mark.isspace():
                    out.append(Token("mark", mark, self.line))
                self.at += 1
        if closing:
            sys.exit(f"check-docs: {self.name}: an interpolation does not end")
        return out

    def comment(self):
        depth = 0
        while self.at < len(self.source):
            if self.source.startswith("/*", self.at):
                depth, self.at = depth + 1, self.at + 2
            elif self.source.startswith("*/", self.at):
                depth, self.at = depth - 1, self.at + 2
                if depth == 0:
                    return
            else:
                self.at += 1

    def text(self, pounds, quote):
        """The literal at hand."""
        line = self.line
        self.at += len(pounds) + len(quote)
        escape, end = "\\" + pounds, quote + pounds
        parts = [""]
        while not self.source.startswith(end, self.at):
            if self.at >= len(self.source):
                sys.exit(f"check-docs: {self.name}:{line}: a string does not end")
            if not self.source.startswith(escape, self.at):
                parts[-1] += self.source[self.at]
                self.at += 1
                continue
            self.at += len(escape)
            following = self.source[self.at]
            if following == "(":
                self.at += 1
                self.tokens(closing=")")
                parts.append("")
            elif following == "u":
                match = re.compile(r"u\{([0-9A-Fa-f]+)\}").match(self.source, self.at)
                parts[-1] += chr(int(match.group(1), 16))
                self.at = match.end()
            elif following in "\n ":
                # The end of a line that goes on in the next one.
                self.at = self.source.index("\n", self.at) + 1
                while self.source[self.at] in " \t":
                    self.at += 1
            else:
                parts[-1] += ESCAPES[following]
                self.at += 1
        self.at += len(end)
        return Text([" ".join(part.split()) for part in parts], line)


OPENING, CLOSING = {"(": ")", "[": "]", "{": "}"}, set(")]}")


def arguments(tokens, opening):
    """The arguments after an opening parenthesis, each a list of tokens with those of nested parentheses in it, and where it closes."""
    out, depth, at = [[]], 0, opening + 1
    while at < len(tokens):
        value = tokens[at].value if tokens[at].kind == "mark" else None
        if value in OPENING:
            depth += 1
        elif value in CLOSING:
            if depth == 0:
                return out, at
            depth -= 1
        if value == "," and depth == 0:
            out.append([])
        else:
            out[-1].append(tokens[at])
        at += 1
    return out, at


def texts(argument):
    """The string literals of an argument that are not in parentheses, brackets or closures within it."""
    out, depth = [], 0
    for token in argument:
        if token.kind == "mark" and token.value in OPENING:
            depth += 1
        elif token.kind == "mark" and token.value in CLOSING:
            depth -= 1
        elif token.kind == "text" and depth == 0:
            out.append(token.value)
    return out


def is_mark(tokens, at, value):
    return 0 <= at < len(tokens) and tokens[at].kind == "mark" and tokens[at].value == value


def enclosing(tokens, at):
    """The opening parenthesis around a token; nil for none before a brace."""
    depth = 0
    for index in range(at - 1, -1, -1):
        if tokens[index].kind != "mark":
            continue
        value = tokens[index].value
        if value in CLOSING:
            depth += 1
        elif value in OPENING:
            if depth == 0:
                return index if value == "(" else None
            depth -= 1
    return None


def function_with_message(tokens, at):
    """The name of the function around a token that takes its message as a parameter."""
    for index in range(at, -1, -1):
        if tokens[index].kind == "name" and tokens[index].value == "func":
            taken, _ = arguments(tokens, index + 2)
            is_message = any(any(t.value == "Logger" for t in a) and any(t.value == "Message" for t in a) for a in taken)
            return tokens[index + 1].value if is_message else None
    return None


def messages(tokens, name):
    """The messages of level warning and above in a file; what cannot be told ends the program."""
    found = []
    for at, token in enumerate(tokens):
        if token.kind != "name" or token.value not in LEVELS or not is_mark(tokens, at - 1, "."):
            continue
        before = tokens[at - 2] if at >= 2 else None
        if is_mark(tokens, at + 1, "("):
            # logger.warning("...")
            if before is None or before.kind != "name" or not re.search(r"log(ger)?$", before.value, re.IGNORECASE):
                continue
            first = arguments(tokens, at + 1)[0][0]
            said = texts(first)
            if not said and len(first) == 1 and first[0].kind == "name":
                # A message that callers give.
                function = function_with_message(tokens, at)
                for call, called in enumerate(tokens):
                    if called.value == function and called.kind == "name" and is_mark(tokens, call + 1, "(") and tokens[call - 1].value != "func":
                        for argument in arguments(tokens, call + 1)[0]:
                            said += texts(argument)
            if not said:
                sys.exit(f"check-docs: {name}:{token.line}: no message can be found for logger.{token.value}")
            found += said
            continue
        # (.warning, "..."), Notice(level: .warning, text: "..."), and the like
        if before is not None and before.kind == "name" and before.value not in ("return", "case", "in", "level"):
            continue
        opening = enclosing(tokens, at)
        if opening is None:
            continue
        group, _ = arguments(tokens, opening)
        place = next(index for index, argument in enumerate(group) if any(t is token for t in argument))
        after = [texts(argument) for argument in group[place + 1 : place + 2]]
        said = next((t for t in after + [texts(a) for a in group[:place]] if t), [])
        # A pattern of a switch, (.error, "code"), is no message: messages have several words.
        found += [t for t in said if " " in t.shown]
    return found


def sources():
    for path in sorted(SOURCES.rglob("*.swift")):
        if path.relative_to(SOURCES).parts[0] not in NOT_OPERATED:
            yield path, Lexer(path.read_text(encoding="utf-8"), path.relative_to(ROOT)).tokens()


def pattern(text):
    """What finds a message in a document: its constant parts in order, anything between them."""
    parts = [re.escape(part) for part in text.parts if re.search(r"\w{2}", part)]
    return re.compile(r".*?".join(parts)) if parts else None


def check_messages(all_messages):
    document = TROUBLESHOOTING.read_text(encoding="utf-8") if TROUBLESHOOTING.exists() else ""
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", document)]
    for path, text in all_messages:
        wanted = pattern(text)
        if wanted and not any(wanted.search(span) for span in spans):
            yield f"{path.relative_to(ROOT)}:{text.line}: not in docs/troubleshooting.md: {text.shown}"


# Metrics


def check_metrics(tokens_by_path):
    document = METRICS.read_text(encoding="utf-8") if METRICS.exists() else ""
    name = re.compile(r"(?:wallet_(?:build|migration|fetcher|writer|ingest)|process)_[a-z0-9_]*[a-z0-9]")
    # A histogram's series are not metrics of their own.
    described = {re.sub(r"_(bucket|sum|count)$", "", found) for found in name.findall(document)}
    registered = {}
    for path, tokens in tokens_by_path:
        for token in tokens:
            if token.kind == "text" and len(token.value.parts) == 1 and name.fullmatch(token.value.parts[0]):
                registered.setdefault(token.value.parts[0], f"{path.relative_to(ROOT)}:{token.line}")
    for found, place in sorted(registered.items()):
        if found not in described:
            yield f"{place}: not in docs/metrics.md: {found}"
    for found in sorted(described - set(registered)):
        yield f"docs/metrics.md: no metric of Sources: {found}"


# Links


def documents():
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]
    return [path for path in ROOT.rglob("*.md") if not any(part.startswith(".build") for part in path.parts)]


def without_code(text):
    """The text with the same lines, code blanked out."""
    text = re.sub(r"^(```|~~~).*?^\1", lambda m: "\n" * m.group().count("\n"), text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"(?m)^ {4,}(?![-*\d]).*$", "", text)
    return re.sub(r"(`+)(?!`)[^\n]*?\1", "", text)


def anchors(path):
    """The anchors of a document's headings, as GitHub makes them."""
    found = set()
    text = re.sub(r"^(```|~~~).*?^\1", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"(?m)^#{1,6} +(.*?) *#*$", text):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number, name = 0, slug
        while name in found:
            number += 1
            name = f"{slug}-{number}"
        found.add(name)
    return found | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def check_links():
    for path in documents():
        text = without_code(path.read_text(encoding="utf-8"))
        for number, line in enumerate(text.split("\n"), 1):
            targets = re.findall(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)", line) + re.findall(r"""(?:src|href)="([^"]+)\"""", line)
            for target in targets:
                if re.match(r"[a-z][a-z0-9+.-]*:", target):
                    continue
                file, _, anchor = target.partition("#")
                place = (path.parent / urllib.parse.unquote(file)).resolve() if file else path
                where = f"{path.relative_to(ROOT)}:{number}"
                if not place.exists():
                    yield f"{where}: no such file: {target}"
                elif anchor and place.suffix == ".md" and urllib.parse.unquote(anchor) not in anchors(place):
                    yield f"{where}: no such heading: {target}"


def main():
    tokens_by_path = list(sources())
    all_messages = [(path, text) for path, tokens in tokens_by_path for text in messages(tokens, path.relative_to(ROOT))]
    if sys.argv[1:] == ["--messages"]:
        for path, text in all_messages:
            print(f"{path.relative_to(ROOT)}:{text.line}: {text.shown}")
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    # A change of the logging calls must not go unnoticed by finding nothing.
    wrong = [] if len(all_messages) > 30 else ["check-docs: hardly any message was found in Sources: has the way they are logged changed?"]
    wrong += [*check_messages(all_messages), *check_metrics(tokens_by_path), *check_links()]
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
