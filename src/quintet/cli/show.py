"""Printing: results on standard output, everything else on standard error.

All text from a directory or a file goes through `printable` before it reaches a terminal, and is put
in `rich.text.Text`, where markup has no effect.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from quintet.diagnostics import Severity
from quintet.directory.records import ConnectionStatus

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite FILE if it exists.")]

# Joiners that some scripts need; they do not control a terminal.
_HARMLESS = frozenset("\u200c\u200d")
_BEYOND_ASCII = re.compile("[^\n -~]")
COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}


def out() -> Console:
    """Standard output, for results."""
    return Console(highlight=False, markup=False, emoji=False)


def err() -> Console:
    """Standard error, for all else."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def printable(value: object) -> str:
    """`value` on one line, without characters that control a terminal or the direction of text."""
    return "".join(c if c.isprintable() or c in _HARMLESS else _visible(c) for c in str(value))


def _visible(character: str) -> str:
    return " " if character.isspace() else character.encode("unicode_escape").decode()


def text(value: object, style: str = "") -> Text:
    """Text from outside, printable. None is a dash."""
    if value is None:
        return Text("–" if _takes_unicode() else "-", style="dim")
    encoding = sys.stdout.encoding or "utf-8"
    # Escaped before it is measured, or the columns of a table would not stand one below the other.
    shown = printable(value).encode(encoding, "backslashreplace").decode(encoding)
    return Text(shown, style=style)


def named(name: str, dn: str) -> Text:
    """A name, and below it the DN."""
    return Text.assemble(text(name), "\n", text(dn, "dim")) if name != dn else text(name)


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document, and nothing else, on standard output."""
    written = json.dumps(document, ensure_ascii=not _takes_unicode(), indent=2)
    sys.stdout.write(_BEYOND_ASCII.sub(_escaped, written) + "\n")
    sys.stdout.flush()


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() or character in _HARMLESS else json.dumps(character)[1:-1]


def _takes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def encryption(status: ConnectionStatus) -> Text:
    """How a connection is encrypted, in a word."""
    if status.error is not None and status.tls_version is None and status.encrypted:
        return text("failed", "bold red")
    return text(status.tls_version or "TLS", "green") if status.encrypted else text("unencrypted", "yellow")


def table(*headings: str, title: str | None = None) -> Table:
    """An empty table in the one style that all commands have."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows of text from outside on standard output; a `Text` keeps its style."""
    made = table(*headings)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else text(cell) for cell in row))
    out().print(made)


def say(message: RenderableType) -> None:
    """A note, on standard error."""
    err().print(text(message) if isinstance(message, str) else message, soft_wrap=True)


def warn(message: str) -> None:
    labelled("warning", COLOURS[Severity.WARNING], message)


def hint(message: str) -> None:
    """The fix, or what to do next."""
    labelled("fix", "bold green", message)


def labelled(label: str, style: str, message: str) -> None:
    first, *others = message.splitlines() or [""]
    shown = Text.assemble((f"{label}: ", style), printable(first))
    for line in others:
        shown.append(f"\n  {printable(line)}")
    err().print(shown, soft_wrap=True)
