"""`quintet connections`: open all connections and show what each is like."""

from collections.abc import Iterable
from datetime import UTC, datetime

import typer
from rich.table import Table
from rich.text import Text

from quintet.cards.cards import Cards
from quintet.cli.app import app
from quintet.cli.documents import connection
from quintet.cli.exits import Exit
from quintet.cli.setting import run, settings_of
from quintet.cli.show import AsJson, out, print_json, printable, table, text
from quintet.config.settings import Settings
from quintet.directory.directory import Directory
from quintet.directory.records import Certificate, ConnectionStatus
from quintet.directory.tasks import Protection


@app.command()
def connections(context: typer.Context, as_json: AsJson = False) -> None:
    """Open every connection and tell how it is encrypted, to whom, and as whom."""
    protection, found = run(open_all(settings_of(context)))
    if as_json:
        print_json(
            {"protection": protection.name.lower(), "connections": [connection(each) for each in found]}
        )
    else:
        print_connections(protection, found)
    if any(status.error is not None for status in found):
        raise typer.Exit(Exit.UNREACHABLE)


async def open_all(settings: Settings) -> tuple[Protection, tuple[ConnectionStatus, ...]]:
    """The level of protection, and every connection after an attempt to open it, the cards' last."""
    async with Directory(settings) as directory:
        found = await directory.connect_all()
        if settings.cards is not None:
            async with Cards(settings.cards) as cards:
                found += await cards.connect_all()
        return directory.protection, found


def print_connections(protection: Protection, found: Iterable[ConnectionStatus]) -> None:
    found = tuple(found)
    out().print(Text.assemble("Protection: ", (protection.name.lower(), "bold")))
    out().print(connection_table(found))
    for certificate, address in {
        status.certificate: status.address for status in found if status.certificate
    }.items():
        out().print(
            text(f"{address} shows {certificate.subject}, by {certificate.issuer}; {_validity(certificate)}")
        )
    for error, tasks in _errors(found).items():
        out().print(Text.assemble((f"{', '.join(tasks)}: ", "bold red"), printable(error)))


def _errors(found: Iterable[ConnectionStatus]) -> dict[str, list[str]]:
    """What went wrong, and with which connections: they mostly fail for one reason."""
    errors: dict[str, list[str]] = {}
    for status in found:
        if status.error is not None:
            what = status.error.removeprefix(f"{status.task} at {status.address}: ")
            errors.setdefault(what, []).append(status.task)
    return errors


def connection_table(found: Iterable[ConnectionStatus]) -> Table:
    made = table("connection", "address", "encryption", "bound as", "state")
    for status in found:
        made.add_row(
            text(status.task),
            text(status.address),
            encryption(status),
            text(status.bound_as or "nobody"),
            text(status.state.value),
        )
    return made


def encryption(status: ConnectionStatus) -> Text:
    """How a connection is protected, in a word."""
    if status.error is not None and status.tls_version is None and status.encrypted:
        return text("failed", "bold red")
    return text(status.tls_version or "TLS", "green") if status.encrypted else text("clear", "yellow")


def _validity(certificate: Certificate) -> str:
    expires = datetime.fromisoformat(certificate.expires)
    days = (expires - datetime.now(UTC)).days
    return f"valid until {expires:%Y-%m-%d}, {days} days"
