"""`quintet connections`: open all connections and show each one's encryption, account and state."""

from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from quintet.cards import Cards
from quintet.cli.app import command
from quintet.cli.context import environ_of, folder_of, run, settings_of
from quintet.cli.documents import connection
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.progress import waiting_for_connections
from quintet.cli.show import AsJson, encryption, print_json, print_line, print_table, printable, text, warn
from quintet.cli.watch import watch_connections
from quintet.config import Settings
from quintet.directory import (
    Certificate,
    ConnectionStatus,
    Directory,
    DirectoryUnavailableError,
    Protection,
    UnencryptedBindError,
)


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
        settings = partial(settings_of, context, account_warnings=False)
        run(watch_connections(folder_of(context), environ_of(context), settings))
        raise typer.Exit(ExitCode.INTERRUPTED)
    opened = run(open_all(settings_of(context, account_warnings=False)))
    if as_json:
        rows = [connection(each) for each in opened.connections]
        print_json({"protection": opened.protection.name.lower(), "connections": rows})
    else:
        print_connections(opened.protection, opened.connections)
    for note, tasks in _by_message((status, status.note) for status in opened.connections):
        warn(f"{tasks}: {note}")
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
        found = await waiting_for_connections(directory.connect_all(), directory.status)
        refused = directory.refused
        refusals = () if refused else await directory.search_refusals()
        if settings.cards is not None:
            cards = await stack.enter_async_context(Cards(settings))
            found += await waiting_for_connections(cards.connect_all(), cards.status)
            refused = refused or cards.refused
        return Opened(directory.protection, found, refused, refusals)


def print_connections(protection: Protection, found: Iterable[ConnectionStatus]) -> None:
    found = tuple(found)
    print_line("Protection: ", (protection.name.lower(), "bold"))
    print_table(
        ("connection", "address", "encryption", "state", "bound as"),
        [
            (
                each.service.value,
                each.address,
                encryption(each),
                each.state.value,
                each.bound_as or "(anonymous)",
            )
            for each in found
        ],
    )
    for certificate, address in {
        each.certificate: each.address for each in found if each.certificate
    }.items():
        print_line(
            text(
                f"certificate presented by {address}: {certificate.subject},"
                f" issued by {certificate.issuer}, {_validity(certificate)}"
            )
        )
    for error, tasks in _by_message((status, status.error) for status in found):
        print_line((f"{tasks}: ", "bold red"), printable(error))


def _by_message(found: Iterable[tuple[ConnectionStatus, str | None]]) -> Iterable[tuple[str, str]]:
    """Each message once, with the connections that have it."""
    tasks: dict[str, list[str]] = {}
    for status, message in found:
        if message is not None:
            # Nothing is decided by it: the row names the connection, so the message need not.
            what = message.removeprefix(f"{status.service.value} at {status.address}: ")
            tasks.setdefault(what, []).append(status.service.value)
    return ((what, ", ".join(names)) for what, names in tasks.items())


def _validity(certificate: Certificate) -> str:
    expires = datetime.fromisoformat(certificate.expires)
    days = (expires - datetime.now(UTC)).days
    return f"valid until {expires:%Y-%m-%d}, {days} days"
