"""The connections of all six services: shared by tasks and cards, left by every request, reloaded at once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from quintet.cards import Cards
from quintet.config.settings import CardServer, CardSettings, CardStorage, Detail, Settings
from quintet.directory import (
    TASKS,
    Connections,
    ConnectionState,
    Directory,
    DirectoryError,
    DirectoryUnavailableError,
    Service,
    VerifiedPerson,
)
from quintet.embedded.faults import Wait, failing
from quintet.embedded.server import EmbeddedServer
from quintet.ldap import Scope
from quintet.ldap.dn import DN
from quintet.ldap.filters import Template
from quintet.tls.settings import TlsSettings
from support import small
from support.directories import server_settings, settings, until

Serve = Callable[..., Awaitable[EmbeddedServer]]


def all_settings(server: EmbeddedServer, **directory: Any) -> Settings:
    """The five tasks and the cards at one server."""
    there = CardServer(
        host="127.0.0.1",
        port=server.port,
        ssl_port=636,
        ssl_enabled=False,
        account=None,
        base=DN.parse(small.BASE),
        scope=Scope.SUBTREE,
        filter=Template("(uid=%s)"),
        user_id_attribute=None,
        person_class=None,
    )
    storage = CardStorage((there,), (Detail("Name", ("cn",), "text/plain", " "),), TlsSettings(), "Name")
    made = settings([server_settings(server.port)], **directory)
    return replace(made, cards=CardSettings((storage,), {1: ("Name",)}))


Ask = Callable[[Directory, Cards, str], Coroutine[Any, Any, object]]

ASKING: dict[str, Ask] = {
    "authenticate": lambda directory, _, uid: directory.authenticate(uid, f"{uid}-secret"),
    "verify": lambda directory, _, uid: directory.verify(uid, f"{uid}-secret"),
    "recheck": lambda directory, _, uid: recheck(directory, uid),
    "resolve_login": lambda directory, _, uid: directory.resolve_login(uid),
    "resolve": lambda directory, _, uid: directory.resolve(uid),
    "browse": lambda directory, _, uid: directory.browse(small.PEOPLE if uid == "alice" else "o=elsewhere"),
    "members": lambda directory, _, uid: directory.members("everybody" if uid == "alice" else uid),
    "groups_of": lambda directory, _, uid: groups_of(directory, uid),
    "group_levels": lambda directory, _, uid: group_levels(directory, uid),
    "search_refusals": lambda directory, _, uid: directory.search_refusals(),
    "bind_unknown": lambda directory, _, uid: directory.bind_unknown(uid),
    "connect_all": lambda directory, _, uid: directory.connect_all(),
    "card": lambda _, cards, uid: cards.card(uid),
    "connect_all of cards": lambda _, cards, uid: cards.connect_all(),
}


async def groups_of(directory: Directory, uid: str) -> object:
    return await directory.groups_of(await directory.resolve_login(uid))


async def recheck(directory: Directory, uid: str) -> object:
    return await directory.recheck(VerifiedPerson(await directory.resolve_login(uid)), uid)


async def group_levels(directory: Directory, uid: str) -> object:
    return await directory.group_levels(await directory.resolve_login(uid))


def requests(connections: Connections) -> int:
    assert connections._current is not None
    return connections._current._requests


def test_every_method_that_asks_is_among_those_that_are_tested() -> None:
    public = {
        name
        for kind in (Directory, Cards)
        for name, member in vars(kind).items()
        if asyncio.iscoroutinefunction(member) and not name.startswith("_")
    }
    assert public - {"open", "close", "drain", "reload"} == {name.split()[0] for name in ASKING}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING.keys())
async def test_a_request_leaves_the_snapshot_that_it_entered_whatever_becomes_of_it(
    serve: Serve, ask: Ask
) -> None:
    """One that stayed in would make every reload wait for a minute."""
    server = await serve()
    async with Connections(all_settings(server)) as connections:
        directory, cards = Directory(connections), Cards(connections)
        await ask(directory, cards, "alice")
        assert requests(connections) == 0
        with suppress(DirectoryError):
            await ask(directory, cards, "nobody-at-all")
        assert requests(connections) == 0
        server.faults = failing(Wait(asyncio.Event()))
        asking = asyncio.create_task(ask(directory, cards, "alice"))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert requests(connections) == 0


async def test_tasks_and_cards_share_the_connections_of_all_six_services(serve: Serve) -> None:
    server = await serve()
    async with Connections(all_settings(server)) as connections:
        directory, cards = Directory(connections), Cards(connections)
        async with directory, cards:
            rows = await connections.connect_all()
            assert [row.service for row in rows] == list(Service)
            assert {row.state for row in rows} == {ConnectionState.CONNECTED}
            assert [row.service for row in directory.status()] == list(TASKS)
            assert [row.service for row in cards.status()] == [Service.BUSINESS_CARD]
            assert server.counts["connections"] == len(Service)
        assert (await cards.card("alice")).dn == small.person_dn("alice")  # the owner alone closes them
        assert (await directory.resolve_login("alice")).dn == small.person_dn("alice")


async def test_one_reload_gives_new_settings_to_tasks_and_cards(serve: Serve) -> None:
    old, new = await serve(), await serve()
    async with Connections(all_settings(old)) as connections:
        directory, cards = Directory(connections), Cards(connections)
        await connections.connect_all()
        await connections.reload(all_settings(new))
        assert (await cards.card("alice")).dn == (await directory.resolve_login("alice")).dn
        assert old.counts["search"] == 1  # of the connection for binds, when it was opened
        await until(lambda: not old.connected)


async def test_closing_does_not_wait_for_requests_that_hang(serve: Serve) -> None:
    old, new = await serve(), await serve()
    connections = Connections(all_settings(old))
    await connections.open()
    directory = Directory(connections)
    await connections.connect_all()
    old.faults = failing(Wait(asyncio.Event()), "search")
    before = old.counts["search"]
    asking = asyncio.create_task(directory.resolve_login("alice"))
    await until(lambda: old.counts["search"] > before)
    await connections.reload(all_settings(new))
    async with asyncio.timeout(5.0):
        await connections.close()
    with pytest.raises(DirectoryUnavailableError):
        await asking
    await until(lambda: not old.connected)


async def test_equal_endpoints_have_pools_of_their_own_and_keep_them_in_a_reload(serve: Serve) -> None:
    """Two servers with the same settings: each has its connections, and a reload mixes nothing up."""
    server = await serve()
    one = server_settings(server.port)
    async with Connections(settings([one, one])) as connections:
        await connections.connect_all()
        assert server.counts["connections"] == 2 * len(TASKS)
        await connections.reload(settings([one, one], max_results=5))
        assert [row.operations for row in await connections.connect_all()] == [1] * 2 * len(TASKS)
        assert server.counts["connections"] == 2 * len(TASKS)
