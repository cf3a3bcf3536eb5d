"""Names of no user, in every task: the answer is no, and no other user of the connection is harmed.

How long they hold the event loop is measured by `script/bench --timing`.
"""

from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from quintet.cards import Cards
from quintet.config import load
from quintet.directory import (
    AuthenticationError,
    Directory,
    DirectoryError,
    DirectoryUnavailableError,
    InvalidPageTokenError,
    Resolution,
    UnknownGroupError,
    UnknownNameError,
)
from quintet.directory.queries import LONGEST_NAME, is_name
from quintet.embedded.server import EmbeddedServer
from support import small
from support.folder import settings_folder
from support.slapd import Slapd

Serve = Callable[..., Awaitable[EmbeddedServer]]
DirectoryOf = Callable[..., Awaitable[Directory]]

MARKS = "\u0301"
HOSTILE = {
    "300 kB": "x" * 300_000,
    "60 kB of marks": "a" + MARKS * 30_000,
    "one byte too many": "x" * (LONGEST_NAME + 1),
    "one byte too many in UTF-8": "é" * (LONGEST_NAME // 2) + "x",
    "NUL": "alice\0",
    "NUL in a DN": f"uid=alice\0,{small.PEOPLE}",
    "a DN of 300 kB": "cn=a," * 60_000 + small.BASE,
    "half a pair": "\ud800",
    "blank": "   ",
    "empty": "",
}


def refused_tasks(
    directory: Directory, cards: Cards
) -> dict[str, tuple[Callable[[str], Awaitable[object]], type]]:
    """Every task that takes a name or a token, and how it refuses."""
    return {
        "authenticate": (lambda name: directory.authenticate(name, "secret"), AuthenticationError),
        "resolve_login": (directory.resolve_login, UnknownNameError),
        "members": (directory.members, UnknownGroupError),
        "browse": (directory.browse, UnknownNameError),
        "token": (lambda token: directory.browse(small.BASE, token=token), InvalidPageTokenError),
        "card": (cards.card, UnknownNameError),
    }


@pytest.mark.real
async def test_no_name_and_no_token_makes_the_server_close_a_shared_connection(
    tmp_path_factory: pytest.TempPathFactory, small_slapd: Slapd
) -> None:
    folder = settings_folder(tmp_path_factory.mktemp("s"), small_slapd, level="none", account=None)
    loaded = load(folder, {})
    async with Directory(loaded) as directory, Cards(loaded) as cards:
        for what, name in HOSTILE.items():
            for task, (ask, refusal) in refused_tasks(directory, cards).items():
                with pytest.raises(DirectoryError) as refused:
                    await ask(name)
                assert type(refused.value) is refusal, (task, what)
            assert await directory.resolve(name) == Resolution((), exact=False, complete=True), what
        statuses = (*directory.status(), *cards.connections.status())
        assert [row.reconnects for row in statuses] == [0] * len(statuses)


async def test_a_name_that_is_none_reaches_no_server(serve: Serve, directory_of: DirectoryOf) -> None:
    server = await serve()
    directory = await directory_of(server)
    await directory.connect_all()
    before = server.counts["search"]
    for name in HOSTILE.values():
        await directory.resolve(name)
        for ask in (directory.resolve_login, directory.members, directory.browse):
            with pytest.raises(DirectoryError):
                await ask(name)
    assert server.counts["search"] == before


_NAMES = st.text(st.characters(), max_size=40) | st.builds(
    lambda text, times: text * times, st.text(st.characters(), min_size=1, max_size=8), st.integers(1, 600)
)


@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=_NAMES)
async def test_whatever_is_typed_is_answered_and_the_connections_stay(
    serve: Serve, directory_of: DirectoryOf, name: str
) -> None:
    directory = await directory_of(await serve())
    await directory.resolve(name)
    for ask in (directory.resolve_login, directory.members, directory.browse):
        with pytest.raises(DirectoryError) as told:
            await ask(name)
        assert not isinstance(told.value, DirectoryUnavailableError)
    assert [row.reconnects for row in directory.status()] == [0] * 5


@given(name=_NAMES)
def test_a_name_has_1024_bytes_at_most_and_no_nul(name: str) -> None:
    size = len(name.encode("utf-8", "surrogatepass"))
    assert is_name(name) <= (size <= LONGEST_NAME and "\0" not in name and not name.isspace() and bool(name))
