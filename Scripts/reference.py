#!/usr/bin/env python3
"""Writes docs/reference.md, and manual pages, from what the programs themselves say of their flags.

    Scripts/reference.py FOLDER            the page, to standard output
    Scripts/reference.py FOLDER --check    exits with 1 and the differences where docs/reference.md is another
    Scripts/reference.py FOLDER --man OUT  one manual page per program into the folder OUT

FOLDER is the one with the programs, .build/release unless given.
"""
import argparse
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference.md"
PROGRAMS = ["wallet-backend", "wallet-backend-fetcher", "wallet-backend-writer", "ledger-simulator"]

INTRODUCTION = """\
# Reference

Every command and every flag. This page is made from the programs by `make reference`; a test compares the two.

A flag wins over its environment variable. An empty variable counts as unset. Everything is checked before anything starts.
What the settings mean in practice: [operations.md](operations.md).

"""

EXIT_STATUSES = [
    ("0", "Done. `ingest`, the fetcher and the writer end with 0 at SIGTERM and SIGINT, too."),
    ("1", "Failed. The last lines of the log say why."),
    ("64", "Usage: a flag, a variable or a combination of them is wrong. The message names it. Nothing was started."),
    ("130", "SIGINT (Ctrl-C) ended a migration; it goes on where it stopped when it is started again. Any other program: it had to be ended at once."),
    ("143", "The same, by SIGTERM."),
]
EXIT_NOTE = (
    "A signal ends a program within ten seconds, whatever the database or the RPC do. A second signal ends it at once. That is as safe: what is committed is whole."
)


class Flag:
    """One argument of a command, as ToolInfo has it."""

    def __init__(self, argument):
        self.kind = argument["kind"]
        self.value = argument.get("valueName", "")
        self.repeats = argument.get("isRepeating", False)
        self.many = argument.get("parsingStrategy") == "upToNextOption"
        self.names = [{"long": "--", "short": "-", "longWithSingleDash": "-"}[n["kind"]] + n["name"] for n in argument.get("names", [])]
        text = " ".join((argument.get("abstract", "") + " " + argument.get("discussion", "")).split())
        variable = re.search(r"\s*\[env: ([A-Z][A-Z0-9_]*)(=[^\]]*)?\]", text)
        self.variable = variable.group(1) + (variable.group(2) or "") if variable else None
        if variable:
            text = text[: variable.start()] + text[variable.end() :]
        self.default = argument.get("defaultValue")
        # The programs' own settings tell their default in the text. It may hold parentheses.
        default = re.search(r"\s*\(default: (.*)\)\s*$", text)
        if default:
            self.default = default.group(1)
            text = text[: default.start()]
        if self.kind == "flag" and self.default == "false":
            self.default = None
        self.text = text.strip()

    @property
    def synopsis(self):
        """--batch-size <n>"""
        if self.kind == "positional":
            return f"<{self.value}>" + ("..." if self.repeats else "")
        text = ", ".join(self.names)
        return text if self.kind == "flag" else f"{text} <{self.value}>" + ("..." if self.many else "")


class Command:
    """A command and the commands below it."""

    def __init__(self, info, path=(), default=False):
        self.path = (*path, info["commandName"])
        self.name = " ".join(self.path)
        self.is_default = default
        self.abstract = info.get("abstract", "")
        self.discussion = info.get("discussion", "")
        shown = [a for a in info.get("arguments", []) if a.get("shouldDisplay", True)]
        self.flags = [Flag(a) for a in shown if not {n["name"] for n in a.get("names", [])} & {"help", "version"}]
        self.has_version = any(n["name"] == "version" for a in shown for n in a.get("names", []))
        below = [c for c in info.get("subcommands", []) if c.get("shouldDisplay", True) and c["commandName"] != "help"]
        self.commands = [Command(c, self.path, c["commandName"] == info.get("defaultSubcommand")) for c in below]

    @property
    def usage(self):
        """The first line: wallet-backend ingest [flags]"""
        parts = [self.name]
        if self.flags:
            parts.append("[flags]")
        parts += [flag.synopsis for flag in self.flags if flag.kind == "positional"]
        return " ".join(parts)

    def all(self):
        """This command and all below it, in the order of the help."""
        yield self
        for command in self.commands:
            yield from command.all()


def read(folder, program):
    """The commands of a program."""
    # The answer must not depend on what the environment says.
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "LD_LIBRARY_PATH") if key in os.environ}
    path = pathlib.Path(folder) / program
    try:
        done = subprocess.run([path, "--experimental-dump-help"], capture_output=True, text=True, timeout=60, env=environment, check=False)
    except OSError as error:
        sys.exit(f"reference: {path}: {error.strerror}: make build")
    if done.returncode != 0:
        sys.exit(f"reference: {path} --experimental-dump-help: exit status {done.returncode}: {done.stderr.strip()}")
    return Command(json.loads(done.stdout)["command"])


# Markdown


def cell(text):
    """Text for a cell of a table."""
    # Angle brackets would be HTML, bars would end the cell.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|").replace("\n", " ")


def code(text):
    """Code for a cell of a table."""
    return "`" + text.replace("|", "\\|") + "`" if text else ""


def paragraphs(text):
    """Text whose lines were broken for a terminal: one line a paragraph."""
    return ["\n".join(line.rstrip() for line in part.splitlines()) for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]


def anchor(title):
    """The anchor that a heading gets."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def markdown(commands):
    """The whole page."""
    out = [INTRODUCTION]
    runnable = [c for program in commands for c in program.all() if not c.commands]
    out.append("| command | |\n|---|---|\n")
    out += [f"| [`{c.name}`](#{anchor(c.name)}) | {cell(c.abstract)} |\n" for c in runnable]
    out.append("| [Exit statuses](#exit-statuses) | |\n\n")
    for command in runnable:
        out.append(f"## {command.name}\n\n{command.abstract}\n\n    {command.usage}\n\n")
        for paragraph in paragraphs(command.discussion):
            # Each program tells its statuses; the page tells them once.
            if not paragraph.startswith("Exit status"):
                out.append(cell_free(paragraph) + "\n\n")
        if command.is_default:
            out.append(f"`{' '.join(command.path[:-1])}` without a command is this one.\n\n")
        if command.flags:
            out.append("| flag | variable | default | meaning |\n|---|---|---|---|\n")
            out += [f"| {code(f.synopsis)} | {code(f.variable)} | {code(f.default)} | {cell(meaning(f))} |\n" for f in command.flags]
            out.append("\n")
    out.append("Every command also has `-h` and `--help`")
    out.append(", every program `--version`" if all(p.has_version for p in commands) else "")
    out.append(", and `--generate-completion-script bash|zsh|fish` prints completions for a shell (`make install` installs them).\n\n")
    out.append("## Exit statuses\n\n| status | |\n|---|---|\n")
    out += [f"| {status} | {text} |\n" for status, text in EXIT_STATUSES]
    out.append(f"\n{EXIT_NOTE}\n")
    return "".join(out)


def cell_free(text):
    """Text outside of tables."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def meaning(flag):
    """What a flag does, with what its synopsis does not tell."""
    text = flag.text
    if flag.repeats and not flag.many and "repeated" not in text:
        text += " May be repeated."
    return text


# Manual pages


def roff(text):
    """Text as roff takes it literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    # A dot or an apostrophe at the beginning of a line would be a request.
    return "\n".join(("\\&" + line) if line[:1] in (".",) or line.startswith("\\(aq") else line for line in text.splitlines())


def manual(program, version):
    """A program's manual page."""
    name = program.name
    # No date: the same programs must give the same pages.
    out = [f'.TH {roff(name.upper())} 1 "" "wallet-backend{" " + version if version else ""}" "User Commands"\n']
    out.append(f".SH NAME\n{roff(name)} \\- {roff(program.abstract.rstrip('.'))}\n.SH SYNOPSIS\n")
    runnable = [c for c in program.all() if not c.commands]
    for index, command in enumerate(runnable):
        out.append((".br\n" if index else "") + f".B {roff(command.name)}\n" + (f"{roff(command.usage[len(command.name):].strip())}\n" if command.usage != command.name else ""))
    if program.discussion:
        out.append(".SH DESCRIPTION\n" + "\n.PP\n".join(roff(p) for p in paragraphs(program.discussion)) + "\n")
    single = len(runnable) == 1 and runnable[0] is program
    if not single:
        out.append(".SH COMMANDS\n")
    for command in runnable:
        if not single:
            out.append(f".SS {roff(command.name)}\n{roff(command.abstract)}\n")
            for paragraph in paragraphs(command.discussion):
                if not paragraph.startswith("Exit status"):
                    out.append(f".PP\n{roff(paragraph)}\n")
        elif command.flags:
            out.append(".SH OPTIONS\n")
        for flag in command.flags:
            out.append(f".TP\n.B {roff(flag.synopsis)}\n{roff(meaning(flag)) or chr(92) + '&'}\n")
            notes = ([f"Environment: {flag.variable}."] if flag.variable else []) + ([f"Default: {flag.default}."] if flag.default else [])
            if notes:
                out.append(f".br\n{roff(' '.join(notes))}\n")
    out.append(".SH EXIT STATUS\n")
    for status, text in EXIT_STATUSES:
        out.append(f".TP\n.B {status}\n{roff(text.replace('`', ''))}\n")
    out.append(f".PP\n{roff(EXIT_NOTE)}\n")
    others = [p for p in PROGRAMS if p != name]
    out.append(".SH SEE ALSO\n" + ",\n".join(f".BR {roff(p)} (1)" for p in others).replace(",\n", " ,\n") + "\n")
    return "".join(out)


def version(folder):
    """What `wallet-backend --version` prints; nothing where it cannot."""
    done = subprocess.run([pathlib.Path(folder) / "wallet-backend", "--version"], capture_output=True, text=True, timeout=60, check=False)
    words = done.stdout.split()
    return words[-1] if done.returncode == 0 and words and words[-1][0].isdigit() else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=".build/release")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--man", metavar="OUT", type=pathlib.Path)
    arguments = parser.parse_args()
    commands = [read(arguments.folder, program) for program in PROGRAMS]

    if arguments.man:
        arguments.man.mkdir(parents=True, exist_ok=True)
        number = version(arguments.folder)
        for command in commands:
            (arguments.man / f"{command.name}.1").write_text(manual(command, number), encoding="utf-8")
        return
    page = markdown(commands)
    if not arguments.check:
        sys.stdout.write(page)
        return
    committed = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if committed != page:
        sys.stdout.writelines(
            difflib.unified_diff(committed.splitlines(True), page.splitlines(True), "docs/reference.md as committed", "as the programs say")
        )
        print("reference: docs/reference.md is not what the programs say: make reference", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
