"""`quintet token`: bearer tokens, with which programs use the API."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import typer

from quintet.cli.app import CommandGroup, app
from quintet.cli.context import run
from quintet.cli.database import DatabaseOption, address_of
from quintet.cli.exit_codes import ExitCode
from quintet.cli.show import AsJson, print_json, print_line, print_table, say, text
from quintet.storage import BearerToken, TokenScope, TokenStore

_Result = TypeVar("_Result")
_DAY = 86_400.0

token = typer.Typer(
    name="token",
    cls=CommandGroup,
    help="Create, list and revoke bearer tokens, with which programs use the API.",
    no_args_is_help=True,
)
app.add_typer(token)


@token.command("create")
def create_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")],
    scope: Annotated[
        list[TokenScope],
        typer.Option("--scope", help="people: find people and groups; admin: connections and sessions."),
    ],
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Days until it expires.")] = 90,
    database: DatabaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Create a token and print it. It is shown once: only a digest of it is kept."""
    work = _with_store(context, database, lambda store: store.create(name, scope, seconds=days * _DAY))
    shown, created = work
    if as_json:
        print_json({"token": shown, **_document(created)})
        return
    print_line(shown)
    say(text(f"Token {created.id}, valid until {_time(created.expires)}. It is not shown again."))


@token.command("list")
def list_tokens(context: typer.Context, database: DatabaseOption = None, as_json: AsJson = False) -> None:
    """List the tokens with their scopes, expiry and last use."""
    found = _with_store(context, database, lambda store: store.all())
    if as_json:
        print_json({"tokens": [_document(each) for each in found]})
    elif found:
        print_table(("id", "name", "scope", "created", "expires", "last used"), map(_row, found))
    else:
        say(text("There are no tokens."))


@token.command("revoke")
def revoke_token(
    context: typer.Context,
    ident: Annotated[str, typer.Argument(metavar="ID", help="The token's ID, as list shows it.")],
    database: DatabaseOption = None,
) -> None:
    """Revoke a token, which is refused from now on. Exit code 1 when there is no such token."""
    if not _with_store(context, database, lambda store: store.revoke(ident)):
        say(text(f"There is no token {ident}."))
        raise typer.Exit(ExitCode.NO)
    say(text(f"Token {ident} is revoked."))


def _with_store(
    context: typer.Context, url: str | None, work: Callable[[TokenStore], Coroutine[Any, Any, _Result]]
) -> _Result:
    address = address_of(context, url)

    async def use() -> _Result:
        store = await TokenStore.open(address)
        try:
            return await work(store)
        finally:
            await asyncio.shield(store.close())

    return run(use())


def _document(each: BearerToken) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "scopes": _scopes(each),
        "created": _time(each.created),
        "expires": _time(each.expires),
        "used": None if each.used is None else _time(each.used),
    }


def _row(each: BearerToken) -> tuple[str, ...]:
    used = "never" if each.used is None else _time(each.used)
    return (each.id, each.name, ", ".join(_scopes(each)), _time(each.created), _time(each.expires), used)


def _scopes(each: BearerToken) -> list[str]:
    return sorted(scope.value for scope in each.scopes)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
