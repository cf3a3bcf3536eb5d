"""Viewers of presence: they see what a client of the same user sees, and no client sees them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from quintet.sametime.neighbours import Neighbours
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.aware import AddToWatchList, PresenceSnapshot, PresenceUpdate, decode_notice
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.wire.blocks import (
    INVISIBLE,
    AwareId,
    AwareType,
    PrivacyInfo,
    StatusCode,
    UserItem,
    UserStatus,
)
from quintet.sametime.wire.messages import SetPrivacyList, SetUserStatus
from support.community_directory import FakeDirectory, group_id, user_id
from support.directories import until
from support.sametime_server import LiveClient, running, signed_in, with_limits

ACTIVE, AWAY, OFFLINE = UserStatus(StatusCode.ACTIVE), UserStatus(StatusCode.AWAY, 0, "lunch"), UserStatus()
BOB = user_id("bob")


Join = Callable[[SametimeServer, str], Awaitable[LiveClient]]


@pytest.fixture
async def join() -> AsyncIterator[Join]:
    """Signs clients in, and closes them at the end."""
    clients: list[LiveClient] = []

    async def sign_in(server: SametimeServer, name: str) -> LiveClient:
        clients.append(await signed_in(server, name))
        return clients[-1]

    yield sign_in
    for each in clients:
        await each.close()


class Recorder:
    """The changes that a viewer told."""

    def __init__(self, server: SametimeServer, reader: str, *ids: str) -> None:
        self.changes: list[tuple[str, UserStatus]] = []
        self.viewer = server.view_presence(user_id(reader), lambda *change: self.changes.append(change))
        self.viewer.watch(ids)


async def set_privacy(client: LiveClient, privacy: PrivacyInfo) -> None:
    """Set a list; the answer says that it is in force."""
    before = len(client.messages(SetPrivacyList))
    client.client.say(SetPrivacyList(privacy))
    await client.got(SetPrivacyList, before + 1)


async def set_status(client: LiveClient, status: UserStatus) -> None:
    client.client.say(SetUserStatus(status))
    await client.settle()


async def test_a_viewer_sees_users_come_change_and_go(server: SametimeServer, join: Join) -> None:
    there = Recorder(server, "alice", BOB)
    assert there.viewer.seen == {BOB: OFFLINE}
    bob = await join(server, "bob")
    await set_status(bob, AWAY)
    await bob.close()
    await until(lambda: len(there.changes) == 3)
    assert there.changes == [(BOB, ACTIVE), (BOB, AWAY), (BOB, OFFLINE)]


async def test_a_viewer_sees_no_more_than_a_client_of_the_same_user(
    server: SametimeServer, join: Join
) -> None:
    """A client of Alice and a viewer for her watch Bob, who hides and comes back in several ways."""
    alice = await join(server, "alice")
    channel = await alice.open(ServiceId.AWARE)
    await alice.ask(channel, AddToWatchList((AwareId(AwareType.USER, BOB),)))
    there = Recorder(server, "alice", BOB)
    carols = Recorder(server, "carol", BOB)
    bob = await join(server, "bob")
    hidden = PrivacyInfo(True, (UserItem(user_id("alice").upper()),))
    for privacy in (INVISIBLE, PrivacyInfo(), hidden, PrivacyInfo(False, (UserItem(user_id("alice")),))):
        await set_privacy(bob, privacy)
        await set_status(bob, AWAY)
        await set_status(bob, ACTIVE)
    await alice.settle()
    told = [decode_notice(each.type, each.data) for each in alice.sent(channel)]
    updates = [each.entry.status or OFFLINE for each in told if isinstance(each, PresenceUpdate)]
    assert isinstance(told[0], PresenceSnapshot)
    assert [status for _, status in there.changes] == updates
    assert OFFLINE in updates
    assert (there.viewer.seen, carols.viewer.seen) == ({BOB: ACTIVE}, {BOB: OFFLINE})


async def test_nobody_sees_a_viewer(server: SametimeServer, join: Join) -> None:
    there = Recorder(server, "alice", user_id("alice"))
    bobs = Recorder(server, "bob", user_id("alice"))
    bob = await join(server, "bob")
    await bob.settle()
    assert there.viewer.seen == bobs.viewer.seen == {user_id("alice"): OFFLINE}
    assert [each.user_id for each in server.sessions()] == [BOB]


async def test_those_watched_before_are_not_told_of_and_the_rest_stay(
    server: SametimeServer, join: Join
) -> None:
    there = Recorder(server, "alice", BOB, user_id("carol"))
    there.viewer.watch([user_id("carol"), user_id("dave"), "", "cn=\0"])
    assert there.viewer.seen.keys() == {user_id("carol"), user_id("dave")}
    bob, carol = await join(server, "bob"), await join(server, "carol")
    await bob.settle()
    await carol.settle()
    assert there.changes == [(user_id("carol"), ACTIVE)]


async def test_a_closed_viewer_is_told_nothing_and_leaves_nothing(server: SametimeServer, join: Join) -> None:
    there = Recorder(server, "alice", BOB)
    there.viewer.close()
    bob = await join(server, "bob")
    await bob.settle()
    assert (there.changes, server._context.viewers) == ([], {})
    await bob.close()
    await until(lambda: not server.sessions())
    assert not server._community.presence._users


async def test_groups_and_what_is_beyond_the_limit_look_offline(
    people: FakeDirectory, tmp_path: Path, join: Join
) -> None:
    async with running(people, tmp_path, with_limits(watched=1)) as server:
        there = Recorder(server, "alice", BOB, user_id("carol"), group_id("team"))
        carol, bob = await join(server, "carol"), await join(server, "bob")
        await bob.settle()
        await carol.settle()
        assert there.viewer.seen == {
            BOB: ACTIVE,
            user_id("carol"): OFFLINE,
            group_id("team"): OFFLINE,
        }


@pytest.mark.parametrize("reader", ["", "x" * 70_000, "cn=\0", "cn=\udcff"])
async def test_any_reader_may_be_named(server: SametimeServer, reader: str) -> None:
    viewer = server.view_presence(reader, lambda *_: None)
    viewer.watch([BOB])
    assert viewer.seen == {BOB: OFFLINE}


@pytest.fixture
def asked(server: SametimeServer) -> dict[str, Callable[[], None]]:
    """What the other nodes were asked about: they answer when the test says so."""
    asked: dict[str, Callable[[], None]] = {}
    neighbours = Mock(spec=Neighbours)
    neighbours.find.side_effect = asked.__setitem__
    server.join(neighbours)
    return asked


async def test_other_nodes_are_asked_about_all_users_at_once(
    server: SametimeServer, asked: dict[str, Callable[[], None]]
) -> None:
    users = [user_id(f"u{nth}") for nth in range(120)]
    finding = asyncio.create_task(server.find_users([*users, BOB, BOB, "", "cn=\0"], 60))
    await until(lambda: len(asked) == len(users) + 1)
    *most, last = asked.values()
    for then in most:
        then()
    await asyncio.sleep(0)
    assert not finding.done()
    last()
    await finding
    assert asked.keys() == {*users, BOB}


async def test_a_node_that_does_not_answer_is_not_waited_for_and_may_answer_late(
    server: SametimeServer, asked: dict[str, Callable[[], None]]
) -> None:
    await server.find_users([BOB], 0.01)
    asked[BOB]()
    assert asked.keys() == {BOB}


async def test_a_server_alone_does_not_wait(server: SametimeServer) -> None:
    finding = asyncio.create_task(server.find_users([BOB, BOB], 60))
    await asyncio.sleep(0)
    assert finding.done()
