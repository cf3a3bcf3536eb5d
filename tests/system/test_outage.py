"""slapd is killed, stopped and started again: no wrong answer, nothing lost that can be retried or moved."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from quintet.config.load import load
from quintet.directory import (
    AuthenticationError,
    ConnectionState,
    Directory,
    DirectoryUnavailableError,
    Service,
    endpoint,
)
from quintet.ldap.pool_config import PoolConfig
from support import small
from support.directories import server_settings, settings
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

PEOPLE = ("alice", "bob", "carol", "dave", "erin")
SOON = 20.0


@dataclass(slots=True)
class Tally:
    """What the callers saw. "Unavailable" is an honest answer while the server is down, a wrong one never."""

    right: int = 0
    unavailable: int = 0
    wrong: list[str] = field(default_factory=list)
    counted: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
async def directory(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> AsyncIterator[tuple[Directory, Slapd]]:
    server = make_slapd()
    async with Directory(load(settings_folder(tmp_path, server), {})) as directory:
        yield directory, server


async def ask(directory: Directory, uid: str, tally: Tally) -> None:
    """One request of each kind for one person; every answer is looked at."""
    dn = small.person_dn(uid)
    try:
        found = await directory.resolve_login(uid)
        signed_in = await directory.authenticate(uid, f"{uid}-secret")
        matches = await directory.resolve(f"{uid}@example.com", groups=False)
    except DirectoryUnavailableError:
        tally.unavailable += 1
        return
    except AuthenticationError as error:
        tally.wrong.append(f"{uid} was refused: {error}")
        return
    resolved = [match.dn for match in matches.matches]
    if found.dn != dn or signed_in.dn != dn or (resolved != [dn] and matches.complete):
        tally.wrong.append(f"{uid}: {found.dn}, {signed_in.dn}, {resolved}")
    elif matches.complete:
        tally.right += 1
    else:
        tally.unavailable += 1


async def load_until(over: asyncio.Event, directory: Directory, tally: Tally) -> None:
    async def caller(uid: str) -> None:
        while not over.is_set():
            await ask(directory, uid, tally)
            tally.counted.set()

    async with asyncio.TaskGroup() as group:
        for uid in PEOPLE:
            group.create_task(caller(uid))


async def further(tally: Tally, *, right: int = 0, unavailable: int = 0) -> None:
    """Wait for that many more answers of the kind."""
    right, unavailable = right + tally.right, unavailable + tally.unavailable
    async with asyncio.timeout(SOON):
        while tally.right < right or tally.unavailable < unavailable:
            tally.counted.clear()
            await tally.counted.wait()


async def test_a_killed_server_gives_no_wrong_answer_and_service_comes_back_by_itself(
    directory: tuple[Directory, Slapd],
) -> None:
    quintet, server = directory
    tally, over = Tally(), asyncio.Event()
    load_on = asyncio.create_task(load_until(over, quintet, tally))
    try:
        for _ in range(2):
            await further(tally, right=20)
            server.kill()
            await further(tally, unavailable=1)
            await asyncio.to_thread(server.restart)
        await further(tally, right=20)
    finally:
        over.set()
        await load_on
    assert tally.wrong == []


async def test_a_quick_restart_loses_no_request_that_can_be_retried(
    directory: tuple[Directory, Slapd],
) -> None:
    """The connections break while idle: searches and binds that come next are made on new ones, unseen."""
    quintet, server = directory
    tally = Tally()
    for uid in PEOPLE:
        await ask(quintet, uid, tally)
    for _ in range(3):
        server.kill()
        server.restart()
        for uid in PEOPLE:
            await ask(quintet, uid, tally)
    assert (tally.wrong, tally.unavailable) == ([], 0)


async def test_an_outage_is_said_to_be_one_and_never_a_wrong_password(
    directory: tuple[Directory, Slapd],
) -> None:
    quintet, server = directory
    await quintet.authenticate("alice", "alice-secret")
    server.kill()
    with pytest.raises(DirectoryUnavailableError):
        await quintet.authenticate("alice", "alice-secret")


async def test_the_status_tells_of_the_reconnects(directory: tuple[Directory, Slapd]) -> None:
    quintet, server = directory
    await quintet.connect_all()
    server.kill()
    server.restart()
    for uid in PEOPLE:
        await ask(quintet, uid, Tally())
    assert sum(each.reconnects for each in quintet.status()) > 0


async def test_a_host_that_hangs_is_left_for_the_next_one_and_returned_to(
    make_slapd: Callable[..., Slapd], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process keeps its sockets: connections are accepted by the kernel, and nobody answers."""
    quick = partial(PoolConfig, upkeep_interval=0.1, return_after=0.0)
    monkeypatch.setattr(endpoint, "PoolConfig", quick)
    first, second = make_slapd(stats=False), make_slapd(stats=False)
    ports = {"first.example": first.port, "second.example": second.port}
    given = settings(
        [server_settings(first.port, hosts=tuple(ports))], operation_timeout=0.5, connect_timeout=0.5
    )

    def route(service: Service, host: str, port: int) -> tuple[str, int]:
        return "127.0.0.1", ports[host]

    async with Directory(given, route=route) as directory:

        async def served_by(host: str) -> None:
            """Wait until whatever is asked is answered there."""
            async with asyncio.timeout(SOON):
                while True:
                    tally = Tally()
                    await ask(directory, "alice", tally)
                    assert tally.wrong == []
                    used = {
                        row.address for row in directory.status() if row.state is ConnectionState.CONNECTED
                    }
                    if tally.right and used == {f"{host}:{first.port}"}:
                        return

        await served_by("first.example")
        with first.frozen():
            await served_by("second.example")
            tally = Tally()
            for uid in PEOPLE:
                await ask(directory, uid, tally)
            assert (tally.right, tally.unavailable, tally.wrong) == (len(PEOPLE), 0, [])
        await served_by("first.example")
