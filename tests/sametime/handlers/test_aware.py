"""AWARE over the port: watch lists, public groups, attributes, and what the server offers."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from quintet.directory.errors import DirectoryUnavailableError, UnreachableReason
from quintet.sametime.neighbours import Alone
from quintet.sametime.reason import ReasonCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.aware import (
    AddToWatchList,
    AttributeSet,
    AttributeUnset,
    AwareNotice,
    GroupAdded,
    PresenceEntry,
    PresenceSnapshot,
    PresenceUpdate,
    RemoveFromWatchList,
    SetOwnAttribute,
    UnsetOwnAttribute,
    WatchAttributes,
    decode_notice,
)
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.server_attributes import ServerAttribute
from quintet.sametime.trace import GroupRead
from quintet.sametime.wire.blocks import AwareId, AwareType, PrivacyInfo, StatusCode, UserStatus
from quintet.sametime.wire.messages import SetPrivacyList, SetUserStatus
from support.community_directory import FakeDirectory, group_id, user_id
from support.directories import until
from support.sametime_server import SETTINGS, LiveClient, running, signed_in

ACTIVE = UserStatus(StatusCode.ACTIVE)
BOB = AwareId(AwareType.USER, user_id("bob"))
TEAM = AwareId(AwareType.GROUP, group_id("team"))


def notices(client: LiveClient, channel: int) -> list[AwareNotice]:
    return [decode_notice(each.type, each.data) for each in client.sent(channel)]


def online(name: str, status: UserStatus = ACTIVE, group: str = "") -> PresenceEntry:
    aware_id = AwareId(AwareType.USER, user_id(name))
    return PresenceEntry(aware_id, status, f"{name.title()} Example", aware_id.user, group)


def offline(name: str, group: str = "") -> PresenceEntry:
    return PresenceEntry(AwareId(AwareType.USER, user_id(name)), group=group)


async def watching(server: SametimeServer, name: str, *ids: AwareId) -> tuple[LiveClient, int]:
    client = await signed_in(server, name)
    channel = await client.open(ServiceId.AWARE)
    if ids:
        await client.ask(channel, AddToWatchList(ids))
    return client, channel


async def test_coming_changing_and_going_are_seen(server: SametimeServer) -> None:
    alice, channel = await watching(server, "alice", BOB)
    bob = await signed_in(server, "bob")
    away = UserStatus(StatusCode.AWAY, 12, "at lunch")
    bob.client.say(SetUserStatus(away))
    await bob.settle()
    await bob.close()
    await alice.until(lambda: len(notices(alice, channel)) == 4)
    assert notices(alice, channel) == [
        PresenceSnapshot((offline("bob"),)),
        PresenceUpdate(online("bob")),
        PresenceUpdate(online("bob", away)),
        PresenceUpdate(offline("bob")),
    ]
    await alice.close()


async def test_an_empty_add_and_watch_are_taken(server: SametimeServer) -> None:
    alice, channel = await watching(server, "alice")
    for request in (AddToWatchList(()), WatchAttributes(())):
        alice.client.send(channel, request.TYPE, request.encode())
    await alice.settle()
    assert notices(alice, channel) == []
    await alice.close()


async def test_whom_a_client_does_not_watch_any_more_is_not_told(server: SametimeServer) -> None:
    alice, channel = await watching(server, "alice", BOB)
    request = RemoveFromWatchList((BOB,))
    alice.client.send(channel, request.TYPE, request.encode())
    await alice.settle()
    bob = await signed_in(server, "bob")
    await alice.settle()
    assert notices(alice, channel) == [PresenceSnapshot((offline("bob"),))]
    for each in (alice, bob):
        await each.close()


async def test_a_second_channel_is_refused_while_the_first_is_there(server: SametimeServer) -> None:
    alice, channel = await watching(server, "alice", BOB)
    second = alice.client.create(ServiceId.AWARE)
    await alice.answered(second)
    assert alice.channel_messages(second)[0].reason == ReasonCode.CHANNEL_EXISTS
    alice.client.destroy(channel)
    await alice.open(ServiceId.AWARE)
    assert server.sessions()[0].watched == 0, "the watch list is gone with its channel"
    await alice.close()


async def test_a_long_watch_list_is_answered_in_pieces_and_completely(server: SametimeServer) -> None:
    ids = tuple(AwareId(AwareType.USER, user_id(f"u{nth}")) for nth in range(1500))
    alice, channel = await watching(server, "alice")
    request = AddToWatchList(ids)
    alice.client.send(channel, request.TYPE, request.encode())
    after = AddToWatchList((BOB,))
    alice.client.send(channel, after.TYPE, after.encode())
    await alice.until(lambda: BOB in {e.id for n in notices(alice, channel) for e in n.entries})  # type: ignore[union-attr]
    told = [entry.id for each in notices(alice, channel) for entry in each.entries]  # type: ignore[union-attr]
    assert told == [*ids, BOB]
    await alice.close()


# Public groups


async def test_the_members_of_a_group_come_with_their_presence(server: SametimeServer) -> None:
    alice, channel = await watching(server, "alice")
    await alice.ask(channel, AddToWatchList((TEAM,)), 2)
    group = group_id("team")
    assert notices(alice, channel) == [
        GroupAdded(TEAM),
        PresenceSnapshot((online("alice", group=group), offline("bob", group))),
    ]
    bob = await signed_in(server, "bob")
    await alice.until(lambda: len(notices(alice, channel)) == 3)
    assert notices(alice, channel)[2] == PresenceUpdate(online("bob", group=group))
    for each in (alice, bob):
        await each.close()


async def test_a_group_is_read_once_however_many_watch_it(
    server: SametimeServer, people: FakeDirectory
) -> None:
    people.gate = asyncio.Event()
    people.gate.set()
    clients = [await watching(server, name) for name in ("alice", "bob", "carol")]
    people.gate.clear()
    for client, channel in clients:
        request = AddToWatchList((TEAM,))
        client.client.send(channel, request.TYPE, request.encode())
        await client.flush()
    await until(lambda: people.calls["members"])
    people.gate.set()
    for client, channel in clients:
        await client.sent_to(channel, 2)
    late, channel = await watching(server, "dave")
    await late.ask(channel, AddToWatchList((TEAM,)), 2)
    assert people.calls["members"] == 1
    for client, _ in (*clients, (late, channel)):
        await client.close()


async def test_a_group_is_read_again_new_members_are_pushed_and_removed_ones_stay(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, replace(SETTINGS, refresh_interval=0.1)) as server:
        bob = await signed_in(server, "bob")
        alice, channel = await watching(server, "alice")
        await alice.ask(channel, AddToWatchList((TEAM,)), 2)
        people.groups["team"] = ("alice", "carol")
        await alice.until(lambda: len(notices(alice, channel)) == 3)
        assert notices(alice, channel)[2] == PresenceUpdate(offline("carol", group_id("team")))
        bob.client.say(SetUserStatus(UserStatus(StatusCode.AWAY)))
        await bob.flush()
        await alice.until(lambda: len(notices(alice, channel)) == 4)
        assert notices(alice, channel)[3] == PresenceUpdate(
            online("bob", UserStatus(StatusCode.AWAY), group_id("team"))
        )
        for each in (alice, bob):
            await each.close()


async def test_a_group_that_nobody_watches_is_not_read_any_more(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path, replace(SETTINGS, refresh_interval=0.05)) as server:
        alice, channel = await watching(server, "alice")
        await alice.ask(channel, AddToWatchList((TEAM,)), 2)
        await until(lambda: people.calls["members"] >= 1)
        await alice.close()
        await until(lambda: not server.sessions())
        assert len(server._groups) == 0


async def test_a_group_that_cannot_be_read_yet_is_read_when_it_can(
    server: SametimeServer, people: FakeDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quintet.sametime.watched_groups._FIRST_RETRY", 0.05)
    alice, channel = await watching(server, "alice")
    people.failure = DirectoryUnavailableError.because(UnreachableReason.REFUSED)
    await alice.ask(channel, AddToWatchList((TEAM,)), 1)
    await until(lambda: people.calls["members"] == 1)
    assert [type(each) for each in notices(alice, channel)] == [GroupAdded], "nothing wrong is shown"
    people.failure = None
    await alice.until(lambda: len(notices(alice, channel)) == 2)
    await alice.close()


async def test_an_unknown_group_is_empty(server: SametimeServer) -> None:
    alice, channel = await watching(server, "alice")
    await alice.ask(channel, AddToWatchList((AwareId(AwareType.GROUP, "cn=none"),)), 2)
    assert notices(alice, channel)[1] == PresenceSnapshot(())
    assert server.counter.count(GroupRead) == 1
    await alice.close()


async def test_a_large_group_comes_in_several_snapshots(
    server: SametimeServer, people: FakeDirectory
) -> None:
    people.groups["big"] = tuple(f"u{nth}" for nth in range(450))
    alice, channel = await watching(server, "alice")
    await alice.ask(channel, AddToWatchList((AwareId(AwareType.GROUP, group_id("big")),)), 4)
    sizes = [len(each.entries) for each in notices(alice, channel) if isinstance(each, PresenceSnapshot)]
    assert sizes == [200, 200, 50]
    await alice.close()


# Users of other nodes


@dataclass
class OtherNodes:
    """What other nodes were asked about. `asked` has the users of each question and how to answer it."""

    neighbours: Mock
    asked: list[tuple[tuple[str, ...], Callable[[], None]]] = field(default_factory=list)

    def bring_into_view(self, users: Collection[str], then: Callable[[], None]) -> None:
        if users:
            self.asked.append((tuple(users), then))
        else:
            then()

    def answer(self, users: Collection[str]) -> None:
        ((about, then),) = self.asked
        assert about == tuple(users)
        then()


@pytest.fixture
def nodes(server: SametimeServer) -> OtherNodes:
    """Other nodes, which answer when the test says so."""
    nodes = OtherNodes(Mock(wraps=Alone()))
    nodes.neighbours.bring_into_view.side_effect = nodes.bring_into_view
    server.join(nodes.neighbours)
    return nodes


async def test_users_are_shown_when_other_nodes_have_answered_and_later_requests_wait_for_it(
    server: SametimeServer, nodes: OtherNodes
) -> None:
    alice, channel = await watching(server, "alice")
    for request in (AddToWatchList((BOB,)), RemoveFromWatchList((BOB,))):
        alice.client.send(channel, request.TYPE, request.encode())
    await alice.flush()
    await until(lambda: nodes.asked)
    bob = await signed_in(server, "bob")
    nodes.answer([BOB.user])
    await alice.settle()
    assert notices(alice, channel) == [PresenceSnapshot((online("bob"),))]
    assert [each.watched for each in server.sessions()] == [0, 0]
    for each in (alice, bob):
        await each.close()


async def test_other_nodes_are_waited_for_once_for_a_list_and_not_for_long(
    server: SametimeServer, nodes: OtherNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quintet.sametime.context._VIEW_SECONDS", 0.05)
    ids = tuple(AwareId(AwareType.USER, user_id(f"u{nth}")) for nth in range(700))
    alice, channel = await watching(server, "alice")
    alice.client.send(channel, AddToWatchList.TYPE, AddToWatchList(ids).encode())
    await alice.settle()
    nodes.answer([each.user for each in ids[:300]])  # too late
    await alice.settle()
    told = [entry.id for each in notices(alice, channel) for entry in each.entries]  # type: ignore[union-attr]
    assert told == list(ids)
    await alice.close()


async def test_a_session_that_is_over_before_other_nodes_answer_watches_no_user(
    server: SametimeServer, nodes: OtherNodes
) -> None:
    alice, channel = await watching(server, "alice")
    alice.client.send(channel, AddToWatchList.TYPE, AddToWatchList((BOB,)).encode())
    await alice.flush()
    await until(lambda: nodes.asked)
    assert await server.end_sessions("alice") == 1
    nodes.answer([BOB.user])
    nodes.neighbours.take.assert_not_called()
    await alice.close()


async def test_members_of_a_group_are_shown_when_other_nodes_have_answered(
    server: SametimeServer, nodes: OtherNodes
) -> None:
    alice, channel = await watching(server, "alice")
    alice.client.send(channel, AddToWatchList.TYPE, AddToWatchList((TEAM,)).encode())
    await alice.flush()
    await until(lambda: nodes.asked)
    bob = await signed_in(server, "bob")
    await alice.settle()
    assert notices(alice, channel) == [GroupAdded(TEAM)]
    nodes.answer([user_id("alice"), user_id("bob")])
    await alice.until(lambda: len(notices(alice, channel)) == 2)
    group = group_id("team")
    assert notices(alice, channel)[1] == PresenceSnapshot(
        (online("alice", group=group), online("bob", group=group))
    )
    for each in (alice, bob):
        await each.close()


# Attributes


async def test_what_a_client_can_do_is_told_to_those_who_want_to_know(server: SametimeServer) -> None:
    alice, channel = await watching(server, "alice", BOB)
    bob, bobs = await watching(server, "bob")
    watch = WatchAttributes((6,))
    alice.client.send(channel, watch.TYPE, watch.encode())
    await alice.settle()
    for request in (SetOwnAttribute(6, b"\0\1"), SetOwnAttribute(1, b"\0\1"), UnsetOwnAttribute(6)):
        bob.client.send(bobs, request.TYPE, request.encode())
    await bob.flush()
    await alice.until(lambda: len(notices(alice, channel)) == 4)
    assert notices(alice, channel)[2:] == [AttributeSet(BOB, 6, b"\0\1"), AttributeUnset(BOB, 6)]
    for each in (alice, bob):
        await each.close()


async def test_the_server_tells_what_it_offers(people: FakeDirectory, tmp_path: Path) -> None:
    settings = replace(
        SETTINGS,
        browse_pages=True,
        largest_file_kb=5,
        domains_allowed=("example.org", "*.example.com"),
        user_info_url="http://x/",
    )
    server_id = AwareId(AwareType.SERVER, "server.example.org")
    async with running(people, tmp_path, settings) as server:
        alice, channel = await watching(server, "alice")
        keys = (9004, 9009, 9070, 9071, 12000)
        watch = WatchAttributes(keys)
        alice.client.send(channel, watch.TYPE, watch.encode())
        await alice.ask(channel, AddToWatchList((server_id,)), 5)
        first, *others = notices(alice, channel)
        assert isinstance(first, PresenceSnapshot)
        assert (first.entries[0].id, first.entries[0].status) == (server_id, ACTIVE)
        told = {each.key: each.value for each in others if isinstance(each, AttributeSet)}
        assert told == {
            ServerAttribute.BROWSE_ENABLED: b"\0\1",
            ServerAttribute.LARGEST_FILE: b"\0\0\0\5",
            ServerAttribute.RESOLVE_DOMAINS_ALLOWED: b"\0\x19example.org,*.example.com",
            ServerAttribute.USER_INFO_URL: b"\0\x09http://x/",
        }
        await alice.close()


async def test_by_default_browsing_is_not_offered_and_other_servers_are_offline(
    server: SametimeServer,
) -> None:
    alice, channel = await watching(server, "alice")
    ids = tuple(AwareId(AwareType.SERVER, each) for each in ("server.example.org", "another"))
    await alice.ask(channel, AddToWatchList(ids), 2)
    watch = WatchAttributes((9004, 9009))
    await alice.ask(channel, watch)
    shown = notices(alice, channel)
    entries = {e.id: e.status for n in shown if isinstance(n, PresenceSnapshot) for e in n.entries}
    assert entries == {ids[0]: ACTIVE, ids[1]: None}
    assert [each.key for each in shown if isinstance(each, AttributeSet)] == [9009]
    await alice.close()


# Privacy


async def test_a_hidden_user_is_offline_in_snapshot_update_and_group(server: SametimeServer) -> None:
    bob = await signed_in(server, "bob")
    bob.client.say(SetPrivacyList(PrivacyInfo(deny=False)))
    await bob.until(lambda: bob.messages(SetPrivacyList))
    alice, channel = await watching(server, "alice", BOB)
    await alice.ask(channel, AddToWatchList((TEAM,)), 2)
    bob.client.say(SetUserStatus(UserStatus(StatusCode.AWAY)))
    await bob.settle()
    await bob.close()
    await alice.settle()
    group = group_id("team")
    assert notices(alice, channel) == [
        PresenceSnapshot((offline("bob"),)),
        GroupAdded(TEAM),
        PresenceSnapshot((online("alice", group=group), offline("bob", group))),
    ]
    await alice.close()
