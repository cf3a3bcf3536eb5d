"""ANNOUNCE over the port: from administrators only."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.directory.errors import DirectoryUnavailableError, UnreachableReason
from quintet.sametime.server import SametimeServer
from quintet.sametime.trace import ServiceRefused
from quintet.sametime.wire.blocks import LoginInfo
from quintet.sametime.wire.messages import Announce
from support.community_directory import FakeDirectory, group_id, user_id
from support.directories import until
from support.sametime_server import SETTINGS, LiveClient, running, signed_in

FORGED = LoginInfo("7F00FORGED", 0x1700, "uid=root", "Root")


@pytest.fixture(params=["Admins", group_id("admins").upper()])
async def server(
    people: FakeDirectory, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[SametimeServer]:
    """Alice is an administrator."""
    people.groups["admins"] = ("alice",)
    async with running(people, tmp_path, replace(SETTINGS, admin_group=request.param)) as server:
        yield server


async def announce(client: LiveClient, *recipients: str) -> None:
    client.client.say(Announce("Hello", recipients, may_reply=True, sender=FORGED))
    await client.settle()


async def test_an_administrator_reaches_users_and_groups_each_once(server: SametimeServer) -> None:
    alice, bob, carol = [await signed_in(server, name) for name in ("alice", "bob", "carol")]
    await announce(
        alice, f"@U {user_id('bob').upper()}", f"@G {group_id('team')}", "@U nobody", "junk", "@G none"
    )
    for each, name in ((alice, "alice"), (bob, "bob")):
        await each.got(Announce)
        assert each.messages(Announce) == [
            Announce("Hello", (f"@U {user_id(name)}",), may_reply=True, sender=alice.client.login)
        ]
    await carol.settle()
    assert carol.messages(Announce) == []
    for each in (alice, bob, carol):
        await each.close()


async def test_others_are_refused_and_counted(server: SametimeServer) -> None:
    alice, bob = [await signed_in(server, name) for name in ("alice", "bob")]
    await announce(bob, f"@U {user_id('alice')}")
    await until(lambda: server.counter.count(ServiceRefused, service="ANNOUNCE"))
    await alice.settle()
    assert alice.messages(Announce) == []
    for each in (alice, bob):
        await each.close()


async def test_while_the_directory_cannot_be_asked_nobody_announces(
    server: SametimeServer, people: FakeDirectory
) -> None:
    alice = await signed_in(server, "alice")
    people.failure = DirectoryUnavailableError.because(UnreachableReason.REFUSED)
    await announce(alice, f"@U {user_id('alice')}")
    await until(lambda: server.counter.count(ServiceRefused, service="ANNOUNCE"))
    assert alice.messages(Announce) == []
    await alice.close()


async def test_membership_is_asked_for_once_in_a_while(server: SametimeServer, people: FakeDirectory) -> None:
    alice = await signed_in(server, "alice")
    for nth in (1, 2, 3):
        await announce(alice, f"@U {user_id('alice')}")
        await alice.got(Announce, nth)
    assert people.calls["groups_of"] == 1
    await alice.close()


async def test_without_a_group_of_administrators_nobody_announces(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path) as server:
        alice = await signed_in(server, "alice")
        await announce(alice, f"@U {user_id('alice')}")
        assert server.counter.count(ServiceRefused, service="ANNOUNCE") == 1
        assert alice.messages(Announce) == []
        await alice.close()
