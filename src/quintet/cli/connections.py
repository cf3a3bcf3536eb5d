"""`quintet connections`: open all connections and show each one's encryption, account and state."""

import os
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from quintet.cards.cards import Cards
from quintet.cli.app import command
from quintet.cli.context import folder_of, run, settings_of
from quintet.cli.documents import connection
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.show import AsJson, encryption, out, print_json, printable, table, text, warn
from quintet.cli.watch import watch_connections
from quintet.config.settings import Settings
from quintet.directory.directory import Directory
from quintet.directory.errors import DirectoryUnavailableError, UnencryptedBindError
from quintet.directory.records import Certificate, ConnectionStatus
from quintet.directory.services import Protection


@command
def connections(
    context: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the connections of the running server, live, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Exit code 3 when a connection fails."""
    if watch:
        if as_json:
            raise UsageError("--watch and --json can't be combined", "leave one of them out")
        run(watch_connections(folder_of(context), os.environ, partial(settings_of, context)))
        return
    opened = run(open_all(settings_of(context)))
    if as_json:
        rows = [connection(each) for each in opened.connections]
        print_json({"protection": opened.protection.name.lower(), "connections": rows})
    else:
        print_connections(opened.protection, opened.connections)
    for remark, tasks in _by_words((status, status.remark) for status in opened.connections):
        warn(f"{tasks}: {remark}")
    if opened.refused is not None:
        raise opened.refused
    for refusal in opened.search_refusals:
        raise refusal
    if any(status.failed for status in opened.connections):
        raise typer.Exit(ExitCode.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Opened:
    """Every connection after an attempt to open it, the cards' last; the rest as in `Directory`."""

    protection: Protection
    connections: tuple[ConnectionStatus, ...]
    refused: UnencryptedBindError | None
    search_refusals: tuple[DirectoryUnavailableError, ...] = ()


async def open_all(settings: Settings) -> Opened:
    directory = Directory(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(directory.close)
        await directory.open(check=False)
        found, refused = await directory.connect_all(), directory.refused
        refusals = () if refused else await directory.search_refusals()
        if settings.cards is not None:
            cards = await stack.enter_async_context(Cards(settings.cards))
            found += await cards.connect_all()
            refused = refused or cards.refused
        return Opened(directory.protection, found, refused, refusals)


def print_connections(protection: Protection, found: Iterable[ConnectionStatus]) -> None:
    found = tuple(found)
    out().print(Text.assemble("Protection: ", (protection.name.lower(), "bold")))
    out().print(connection_table(found))
    for certificate, address in {
        status.certificate: status.address for status in found if status.certificate
    }.items():
        out().print(
            text(
                f"certificate presented by {address}: {certificate.subject},"
                f" issued by {certificate.issuer}, {_validity(certificate)}"
            )
        )
    for error, tasks in _by_words((status, status.error) for status in found):
        out().print(Text.assemble((f"{tasks}: ", "bold red"), printable(error)), soft_wrap=True)


def _by_words(told: Iterable[tuple[ConnectionStatus, str | None]]) -> Iterable[tuple[str, str]]:
    """What is told of connections, and of which: most have it in common."""
    tasks: dict[str, list[str]] = {}
    for status, words in told:
        if words is not None:
            what = words.removeprefix(f"{status.task} at {status.address}: ")
            tasks.setdefault(what, []).append(status.task)
    return ((what, ", ".join(names)) for what, names in tasks.items())


def connection_table(found: Iterable[ConnectionStatus]) -> Table:
    made = table("connection", "address", "encryption", "bound as", "state")
    for status in found:
        made.add_row(
            text(status.task),
            text(status.address),
            encryption(status),
            text(status.bound_as or "(anonymous)"),
            text(status.state.value),
        )
    return made


def _validity(certificate: Certificate) -> str:
    expires = datetime.fromisoformat(certificate.expires)
    days = (expires - datetime.now(UTC)).days
    return f"valid until {expires:%Y-%m-%d}, {days} days"
