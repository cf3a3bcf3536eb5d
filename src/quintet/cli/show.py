"""Printing: results on standard output, everything else on standard error.

All text from a directory or a file goes through `printable` before it reaches a terminal, and is put
in `rich.text.Text`, where markup has no effect. No value is ever folded or cut: a terminal wraps a long line
itself, and what is copied from there is whole. What is not printed to a terminal has no boxes, no padding and
one line for each row, with tabs between the values.
"""

import json
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from quintet.diagnostics import Severity
from quintet.directory import ConnectionStatus

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
    # Escaped before its width is measured, so that the columns of a table are aligned.
    shown = printable(value).encode(encoding, "backslashreplace").decode(encoding)
    return Text(shown, style=style)


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


def print_line(*parts: str | tuple[str, str] | Text) -> None:
    """One line on standard output; a pair is text with its style."""
    out().print(Text.assemble(*parts), soft_wrap=True)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """A label and its value on each line."""
    labels, values = zip(*fields, strict=True)
    if out().is_terminal:
        _print_record(labels, [_cell(value) for value in values])
    else:
        for label, value in zip(labels, values, strict=True):
            _print_values(label, value)


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    below: Mapping[str, str] = MappingProxyType({}),
    right: Collection[str] = (),
) -> None:
    """Rows of text from outside on standard output; a `Text` keeps its style, None is a dash.

    `below` names further columns, and for each the heading under which a terminal shows it, on a line of its
    own: that is the place for DNs. A row has the values of `headings`, then those of `below`. `right` are
    columns of numbers. A table that is too wide for the terminal becomes a block of lines for each row.
    """
    if not out().is_terminal:
        for row in ((*headings, *below), *rows):
            _print_values(*row)
        return
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [
        max([cell_len(heading), *(_width(row[at]) for row in cells)]) for at, heading in enumerate(headings)
    ]
    print_line()
    if sum(widths[:-1]) + len(_GAP) * len(widths) + _LEAST_LAST_COLUMN <= out().width:
        _print_columns(headings, cells, widths, below, right)
    else:
        for row in cells:
            _print_record((*headings, *below), row)
            print_line()
        return
    print_line()


_GAP = "   "
_LEAST_LAST_COLUMN = 12


def _print_columns(
    headings: Sequence[str],
    rows: Sequence[Sequence[Text]],
    widths: Sequence[int],
    below: Mapping[str, str],
    right: Collection[str],
) -> None:
    aligned = [width if heading in right else -width for heading, width in zip(headings, widths, strict=True)]
    _print_row([Text(heading, "bold") for heading in headings], aligned)
    wide = min(sum(widths) + len(_GAP) * (len(widths) - 1), out().width - 2)
    print_line(" ", ("─" if _takes_unicode() else "-") * wide)
    for row in rows:
        lines = [cell.split("\n", allow_blank=True) for cell in row[: len(headings)]]
        for nth in range(max(map(len, lines))):
            _print_row([line[nth] if nth < len(line) else Text() for line in lines], aligned)
        for heading, cell in zip(below.values(), row[len(headings) :], strict=True):
            at = headings.index(heading)
            if cell.plain != row[at].plain:
                before = sum(widths[:at]) + len(_GAP) * at
                print_line(" " * (before + 1), Text(cell.plain, style="dim"))


def _print_row(cells: Sequence[Text], aligned: Sequence[int]) -> None:
    """`aligned` are the widths of the columns, negative where text is at the left."""
    line = Text(" ")
    for cell, width in zip(cells, aligned, strict=True):
        padding = " " * (abs(width) - cell_len(cell.plain))
        line.append_text(Text.assemble(*((cell, padding) if width < 0 else (padding, cell)), _GAP))
    line.rstrip()
    out().print(line, soft_wrap=True)


def _print_record(labels: Sequence[str], values: Sequence[Text]) -> None:
    width = max(map(cell_len, labels), default=0)
    for label, value in zip(labels, values, strict=True):
        for nth, line in enumerate(value.split("\n", allow_blank=True)):
            head = label if nth == 0 else ""
            print_line(" ", (head + " " * (width - cell_len(head)), "bold"), _GAP, line)


def _cell(value: object) -> Text:
    return value if isinstance(value, Text) else text(value)


def _print_values(*values: object) -> None:
    """With tabs between them, which rich would turn into blanks; nothing for None."""
    plain = ("" if value is None else " ".join(_cell(value).plain.split("\n")) for value in values)
    sys.stdout.write("\t".join(plain) + "\n")


def _width(cell: Text) -> int:
    return max(cell_len(line) for line in cell.plain.split("\n"))


def say(message: RenderableType) -> None:
    """A note, on standard error."""
    err().print(text(message) if isinstance(message, str) else message, soft_wrap=True)


def warn(message: str) -> None:
    labelled("warning", COLOURS[Severity.WARNING], message)


def hint(message: str) -> None:
    """The fix of what was reported before it."""
    labelled("fix", "bold green", message)


def labelled(label: str, style: str, message: str) -> None:
    first, *others = message.splitlines() or [""]
    shown = Text.assemble((f"{label}: ", style), printable(first))
    for line in others:
        shown.append(f"\n  {printable(line)}")
    err().print(shown, soft_wrap=True)
