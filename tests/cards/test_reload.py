"""New settings for the cards while a card is read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from quintet.cards.cards import Cards
from quintet.config.settings import CardServer, CardSettings, CardStorage, Detail, Settings
from quintet.directory.errors import DirectoryUnavailableError
from quintet.embedded.faults import Wait, failing
from quintet.embedded.server import EmbeddedServer
from quintet.ldap import Scope
from quintet.ldap.dn import DN
from quintet.ldap.filters import Template
from quintet.tls import TlsSettings
from support import small
from support.directories import card_settings, small_entries, until


def settings(server: EmbeddedServer) -> Settings:
    there = CardServer(
        host="localhost",
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
    details = (Detail("Name", ("cn",), "text/plain", " "),)
    storage = CardStorage((there,), details, TlsSettings(), "Name")
    return card_settings(CardSettings((storage,), {1: ("Name",)}))


@pytest.fixture
async def servers() -> AsyncIterator[tuple[EmbeddedServer, EmbeddedServer]]:
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(EmbeddedServer(small_entries()))
        yield old, await stack.enter_async_context(EmbeddedServer(small_entries()))


async def test_a_reload_waits_for_nobody_and_those_under_way_are_answered(
    servers: tuple[EmbeddedServer, EmbeddedServer],
) -> None:
    (old, new), gate = servers, asyncio.Event()
    async with Cards(settings(old)) as cards:
        await cards.connect_all()
        old.faults = failing(Wait(gate), "search")
        work = asyncio.create_task(cards.card("alice"))
        await until(lambda: old.counts["search"])
        async with asyncio.timeout(1.0):
            await cards.reload(settings(new))
        assert (await cards.card("bob")).dn == small.person_dn("bob")
        assert (new.counts["search"], bool(old.connected)) == (1, True)
        gate.set()
        assert (await work).dn == small.person_dn("alice")
        await until(lambda: not old.connected)


async def test_a_stop_during_a_reload_leaves_no_connection_behind(
    servers: tuple[EmbeddedServer, EmbeddedServer],
) -> None:
    old, new = servers
    async with Cards(settings(old)) as cards:
        await cards.connect_all()
        old.faults = failing(Wait(asyncio.Event()), "search")
        work = asyncio.create_task(cards.card("alice"))
        await until(lambda: old.counts["search"])
        await cards.reload(settings(new))
        await cards.connect_all()
    with pytest.raises(DirectoryUnavailableError):
        await work
    await until(lambda: not old.connected and not new.connected)
    with pytest.raises(DirectoryUnavailableError):
        await cards.reload(settings(old))
