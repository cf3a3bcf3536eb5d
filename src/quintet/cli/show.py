"""Printing: results on standard output, everything else on standard error.

Whatever comes from a directory or a file goes through `printable` before it reaches a terminal, and is put
into `rich.text.Text`, where no markup is read.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from quintet.cli.exit_codes import ExitCode, exit_of
from quintet.diagnostics import Diagnostic, SettingsError, Severity
from quintet.directory import ConnectionStatus, DirectoryUnavailableError

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

# Joiners between letters, which some scripts need; they steer nothing.
_HARMLESS = frozenset("\u200c\u200d")
_MOST_OF_A_NAME = 300
_BEYOND_ASCII = re.compile("[^\n -~]")
_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}


def out() -> Console:
    """Where results go."""
    return Console(highlight=False, markup=False, emoji=False)


def err() -> Console:
    """Where everything else goes."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def printable(value: object) -> str:
    """`value` on one line, without characters that would steer a terminal or turn text around."""
    return "".join(c if c.isprintable() or c in _HARMLESS else _visible(c) for c in str(value))


def _visible(character: str) -> str:
    return " " if character.isspace() else character.encode("unicode_escape").decode()


def text(value: object, style: str = "") -> Text:
    """Foreign text, fit to be shown. None is a dash."""
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


@contextmanager
def asking(about: str, *, as_json: bool, no: Mapping[str, Any]) -> Iterator[None]:
    """Around a question. When the answer is no, `--json` prints `no`; the error tells who was asked for."""
    try:
        yield
    except Exception as error:  # looked at on its way, and raised again
        if exit_of(error) is ExitCode.NO:
            error.add_note(f"asked for: {_shortened(about) or 'an empty name'}")
            if as_json:
                print_json(no)
        raise


def encryption(status: ConnectionStatus) -> Text:
    """How a connection is protected, in a word."""
    if status.error is not None and status.tls_version is None and status.encrypted:
        return text("failed", "bold red")
    return text(status.tls_version or "TLS", "green") if status.encrypted else text("clear", "yellow")


def _shortened(name: str) -> str:
    return name if len(name) <= _MOST_OF_A_NAME else name[: _MOST_OF_A_NAME - 1] + "…"


def table(*headings: str, title: str | None = None) -> Table:
    """An empty table in the one style that all commands have."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows of foreign text on standard output; a `Text` keeps its style."""
    made = table(*headings)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else text(cell) for cell in row))
    out().print(made)


def say(message: RenderableType) -> None:
    """A remark, on standard error."""
    err().print(text(message) if isinstance(message, str) else message, soft_wrap=True)


def warn(message: str) -> None:
    _labelled("warning", _COLOURS[Severity.WARNING], message)


def tell(error: BaseException) -> None:
    """What went wrong, on standard error: what, to what, why, and what to do next."""
    if isinstance(error, SettingsError):
        tell_problems(p for p in error.problems if p.severity is Severity.ERROR)
        hint(
            f"the settings in {error.folder.resolve()} are not used; quintet check shows all remarks on them"
        )
        return
    if exit_of(error) is ExitCode.BUG:
        _labelled(
            "error", _COLOURS[Severity.ERROR], f"this should not happen: {type(error).__name__}: {error}"
        )
        hint("run it again with QUINTET_TRACEBACK=1 to see where, and report it")
        return
    if isinstance(error, DirectoryUnavailableError):
        error.retry_in = None  # a command is over by then
    fix = getattr(error, "fix", None) or ""
    what = str(error).removesuffix(fix).rstrip(" .;") if fix else str(error)
    if isinstance(error, OSError) and error.strerror and error.filename:
        what = f"{error.filename}: {error.strerror}"
    _labelled("error", _COLOURS[Severity.ERROR], what)
    for note in getattr(error, "__notes__", ()):
        say(f"  {note}")
    if fix:
        hint(fix)


def tell_problems(problems: Iterable[Diagnostic]) -> None:
    for problem in problems:
        _labelled(problem.severity.value, _COLOURS[problem.severity], str(problem))


def hint(what: str) -> None:
    """What to do next."""
    _labelled("try", "bold green", what)


def _labelled(label: str, style: str, message: str) -> None:
    first, *others = message.splitlines() or [""]
    shown = Text.assemble((f"{label}: ", style), printable(first))
    for line in others:
        shown.append(f"\n  {printable(line)}")
    err().print(shown, soft_wrap=True)
