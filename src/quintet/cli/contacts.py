"""`quintet contacts`: what users keep at the server, for administrators."""

import asyncio
import io
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from quintet.cli.app import CommandGroup, app
from quintet.cli.context import run
from quintet.cli.database import DatabaseOption, address_of
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.prompts import Yes, agree
from quintet.cli.report_error import EXITS
from quintet.cli.show import AsJson, Force, print_json, print_table, say, text
from quintet.files import check_output, write_output
from quintet.sametime.storage import (
    CONTACT_LIST,
    InvalidImportError,
    TooManyValuesError,
    ValueStore,
    ValueTooLargeError,
)
from quintet.sametime.storage.admin import (
    ExportedValue,
    contact_list_value,
    export_all,
    export_contact_list,
    import_values,
    read_export,
    rename_user,
)

_Result = TypeVar("_Result")

EXITS[InvalidImportError] = ExitCode.USAGE
EXITS[ValueTooLargeError] = ExitCode.USAGE
EXITS[TooManyValuesError] = ExitCode.USAGE

_STANDARD_INPUT = Path("-")

contacts = typer.Typer(
    name="contacts",
    cls=CommandGroup,
    help="Export, import and restore the contact lists that users keep at the server.",
    no_args_is_help=True,
)
app.add_typer(contacts)

User = Annotated[str, typer.Argument(metavar="USER", help="The user's Sametime ID, in any spelling.")]
Key = Annotated[int, typer.Option("--key", min=0, max=0xFFFFFFFF, help="The value; 0 is the contact list.")]


@contacts.command("export")
def export_lists(
    context: typer.Context,
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help="One user's contact list, as its text.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write to this new file.")] = None,
    force: Force = False,
    database: DatabaseOption = None,
) -> None:
    """Write one user's contact list as text, or everything that is stored as one JSON object a line.

    A new FILE is readable by its owner only, and has every byte as it is stored. Standard output shows bytes
    that are not UTF-8 as escapes.
    """
    if to is not None:
        check_output(to, overwrite=force)

    async def work(store: ValueStore) -> str:
        if user is not None:
            return await export_contact_list(store, user)
        return "".join([f"{each.to_json()}\n" async for each in export_all(store)])

    written = _with_store(context, database, work)
    if to is None:
        sys.stdout.write(written)
    else:
        write_output(to, written.encode("utf-8", "surrogateescape"), overwrite=force)
        say(text(f"Written to {to}."))


@contacts.command("import")
def import_lists(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What export wrote; - is standard input.")],
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="USER", help="FILE is the text of this user's contact list."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace values that are stored already.")
    ] = False,
    database: DatabaseOption = None,
) -> None:
    """Store what export wrote. Values that exist stay as they are, unless --replace is given.

    The value that is replaced stays among the versions that restore can bring back.
    """
    with _reading(file) as lines:
        if user is not None:
            value = contact_list_value("".join(lines))
            values: Iterable[ExportedValue] = (ExportedValue(user, CONTACT_LIST, value),)
        else:
            values = read_export(lines)

        async def work(store: ValueStore) -> int:
            return await import_values(store, values, replace_all=replace)

        count = _with_store(context, database, work)
    say(text(f"{count} {'value' if count == 1 else 'values'} stored."))


@contacts.command("history")
def show_history(
    context: typer.Context,
    user: User,
    key: Key = CONTACT_LIST,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """List the kept versions of a user's contact list, the newest first.

    A version that lost was stored by one session while another, which had not seen it, changed the list too:
    both are kept. Exit code 1 when none is stored.
    """
    versions = _with_store(context, database, lambda store: store.history(user, key))
    rows = [
        (each.version, _time(each.saved_at), each.size, each.origin.value, each.lost) for each in versions
    ]
    if as_json:
        names = ("version", "saved_at", "size", "origin", "lost")
        print_json({"id": user, "key": key, "versions": [dict(zip(names, row, strict=True)) for row in rows]})
    elif rows:
        shown = [(*row, "lost" if lost else "") for *row, lost in rows]
        print_table(("version", "saved", "bytes", "by", "conflict"), shown)
    if not rows:
        say(text(f"Nothing is stored for {user}."))
        raise typer.Exit(ExitCode.NO)


@contacts.command("restore")
def restore_version(
    context: typer.Context,
    user: User,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="A version that history lists.")],
    key: Key = CONTACT_LIST,
    database: DatabaseOption = None,
) -> None:
    """Make an old version the current one again.

    A user who is signed in gets it at the next sign-in.
    """
    saved = _with_store(context, database, lambda store: store.restore(user, key, version))
    say(text(f"Version {version} is the current one again, as version {saved.version}."))


@contacts.command("rename")
def rename_id(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The Sametime ID until now.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The Sametime ID from now on.")],
    yes: Yes = False,
    database: DatabaseOption = None,
) -> None:
    """Give a user's values to another Sametime ID, and replace the ID in the lists of all other users."""
    if not new.strip():
        raise UsageError("the new ID is empty", "give the Sametime ID that clients receive")
    agree(f"Rename {old} to {new} in all stored lists?", yes=yes)
    report = _with_store(context, database, lambda store: rename_user(store, old, new))
    own = "The user's values have the new ID" if report.values else "The user has no values"
    lists = f"{report.contact_lists} contact lists and {report.privacy_lists} privacy lists"
    say(text(f"{own}; replaced in {lists} of others."))


def _with_store(
    context: typer.Context, url: str | None, work: Callable[[ValueStore], Coroutine[Any, Any, _Result]]
) -> _Result:
    address = address_of(context, url)

    async def use() -> _Result:
        store = await ValueStore.open(address)
        try:
            return await work(store)
        finally:
            await asyncio.shield(store.close())

    return run(use())


@contextmanager
def _reading(file: Path) -> Iterator[Iterable[str]]:
    """The lines of a file, or of standard input; bytes that are not UTF-8 pass as surrogates."""
    if file == _STANDARD_INPUT:
        lines = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="surrogateescape", newline="")
        try:
            yield lines
        finally:
            lines.detach()
        return
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as opened:
        yield opened


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
