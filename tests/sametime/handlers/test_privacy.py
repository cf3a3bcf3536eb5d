"""Privacy lists: stored, in force before LOGIN_ACK, and not weakened by what clients send at sign-in."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from quintet.sametime.handlers.privacy import stored_privacy
from quintet.sametime.neighbours import StoredChange, VersionedPrivacy
from quintet.sametime.reason import ReasonCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.im import ImOpening
from quintet.sametime.storage import PRIVACY_LIST, DatabaseAddress, ValueStore, VersionedValue
from quintet.sametime.store_keeper import StoreKeeper
from quintet.sametime.trace import PrivacyKept
from quintet.sametime.wire.blocks import VISIBLE_TO_ALL, PrivacyInfo, UserItem
from quintet.sametime.wire.messages import LoginAck, SetPrivacyDenied, SetPrivacyList
from support.community_directory import FakeDirectory, user_id
from support.sametime_server import (
    LiveClient,
    let_hear_of_saves,
    no_answer,
    running,
    signed_in,
    with_limits,
)

NOT_ALICE = PrivacyInfo(deny=True, users=(UserItem(user_id("alice")),))


async def set_privacy(client: LiveClient, privacy: PrivacyInfo) -> None:
    before = len(client.messages(SetPrivacyList))
    client.client.say(SetPrivacyList(privacy))
    await client.until(lambda: len(client.messages(SetPrivacyList)) > before)
    assert client.messages(SetPrivacyList)[-1].privacy == privacy


async def test_a_list_is_told_to_all_sessions_of_the_user(server: SametimeServer) -> None:
    first, second = await signed_in(server, "bob"), await signed_in(server, "bob")
    await set_privacy(first, NOT_ALICE)
    await second.until(lambda: second.messages(SetPrivacyList))
    assert second.messages(SetPrivacyList) == [SetPrivacyList(NOT_ALICE)]
    for each in (first, second):
        await each.close()


async def test_a_stored_list_is_in_force_after_a_restart_whatever_the_client_sends_first(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path) as server:
        bob = await signed_in(server, "bob")
        await set_privacy(bob, NOT_ALICE)
        await bob.close()
    async with running(people, tmp_path) as server:
        bob = await signed_in(server, "bob")
        assert bob.messages(LoginAck)[0].privacy == NOT_ALICE
        bob.client.greet()
        await bob.until(lambda: bob.messages(SetPrivacyList))
        assert bob.messages(SetPrivacyList) == [SetPrivacyList(NOT_ALICE)], (
            "the client is shown what is in force"
        )
        assert server.counter.count(PrivacyKept) == 1
        assert not server._community.presence.can_see(user_id("alice"), user_id("bob"))
        await set_privacy(bob, VISIBLE_TO_ALL)
        assert server._community.presence.can_see(user_id("alice"), user_id("bob"))
        await bob.close()


async def test_a_stricter_first_list_counts(server: SametimeServer) -> None:
    bob = await signed_in(server, "bob")
    await set_privacy(bob, PrivacyInfo(deny=False))
    assert not server._community.presence.can_see(user_id("alice"), user_id("bob"))
    await bob.close()


async def test_a_channel_to_a_hidden_user_is_refused_as_one_to_an_offline_user(
    server: SametimeServer,
) -> None:
    bob, alice = await signed_in(server, "bob"), await signed_in(server, "alice")
    await set_privacy(bob, NOT_ALICE)
    answers = []
    for target in (user_id("bob"), user_id("carol"), "bob", "nobody at all"):
        channel = alice.client.create(ServiceId.IM, target, ImOpening().encode())
        await alice.answered(channel)
        (answer,) = alice.channel_messages(channel)
        answers.append((answer.reason, answer.data))
    assert set(answers) == {(ReasonCode.USER_NOT_ONLINE, b"")}
    await bob.settle()
    assert not [each for each in bob.said if type(each).__name__ == "ChannelCreate"]
    for each in (alice, bob):
        await each.close()


async def test_quick_changes_of_a_list_end_with_the_last_one(server: SametimeServer) -> None:
    bob = await signed_in(server, "bob")
    lists = [NOT_ALICE, PrivacyInfo(deny=False), VISIBLE_TO_ALL, NOT_ALICE]
    for each in lists:
        bob.client.say(SetPrivacyList(each))
    await bob.until(lambda: len(bob.messages(SetPrivacyList)) == 4)
    assert [each.privacy for each in bob.messages(SetPrivacyList)] == lists
    await bob.close()


async def test_a_list_that_is_too_large_to_store_is_denied(people: FakeDirectory, tmp_path: Path) -> None:
    async with running(people, tmp_path, with_limits(value_size=1024)) as server:
        bob = await signed_in(server, "bob")
        many = PrivacyInfo(deny=True, users=tuple(UserItem(user_id(f"u{nth}")) for nth in range(100)))
        bob.client.say(SetPrivacyList(many))
        await bob.until(lambda: bob.messages(SetPrivacyDenied))
        assert bob.messages(SetPrivacyDenied)[0].reason == ReasonCode.OUT_OF_RESOURCES
        await bob.close()


async def test_while_lists_cannot_be_read_nobody_sees_who_signs_in(
    people: FakeDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quintet.sametime.store_keeper._CHECK_EVERY", 0.05)
    address = DatabaseAddress.parse("sqlite:///later/quintet.db", tmp_path)
    async with running(people, tmp_path, database=address) as server:
        bob = await signed_in(server, "bob")
        presence = server._community.presence
        assert not presence.can_see(user_id("alice"), user_id("bob"))
        bob.client.greet()
        bob.client.say(SetPrivacyList(NOT_ALICE))
        await bob.until(lambda: bob.messages(SetPrivacyDenied))
        assert bob.messages(SetPrivacyDenied)[0].reason == ReasonCode.SERVER_NOT_RESPONDING
        (tmp_path / "later").mkdir()
        await bob.until(lambda: bob.messages(SetPrivacyList))
        assert presence.can_see(user_id("alice"), user_id("bob"))
        await bob.close()


async def test_a_stored_list_that_is_damaged_hides_the_user(people: FakeDirectory, tmp_path: Path) -> None:
    store = await ValueStore.open(DatabaseAddress.parse("", tmp_path))
    await store.save(user_id("bob"), PRIVACY_LIST, b"\1\xff\xff")
    await store.close()
    async with running(people, tmp_path) as server:
        bob = await signed_in(server, "bob")
        assert not server._community.presence.can_see(user_id("alice"), user_id("bob"))
        await bob.close()


def test_what_was_never_stored_hides_nobody() -> None:
    assert stored_privacy(None) == VersionedPrivacy(0, VISIBLE_TO_ALL)
    assert stored_privacy(VersionedValue(NOT_ALICE.encode(), 4)) == VersionedPrivacy(4, NOT_ALICE)


async def test_a_list_that_is_stored_at_another_node_is_in_force_here(
    people: FakeDirectory, tmp_path: Path
) -> None:
    async with running(people, tmp_path) as one, running(people, tmp_path) as other:
        let_hear_of_saves(one, lambda change: other.carry_out(change, no_answer))
        first, second = await signed_in(one, "bob"), await signed_in(other, "bob")
        await set_privacy(first, NOT_ALICE)
        await second.until(lambda: second.messages(SetPrivacyList))
        assert second.messages(SetPrivacyList) == [SetPrivacyList(NOT_ALICE)]
        assert not other._community.presence.can_see(user_id("alice"), user_id("bob"))
        for each in (first, second):
            await each.close()


async def test_a_list_that_changes_during_a_sign_in_is_in_force_from_its_beginning(
    people: FakeDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign-in read it, then another node stored a stricter one and said so, then the session begins."""
    async with running(people, tmp_path) as server:
        store = await ValueStore.open(DatabaseAddress.parse("", tmp_path))
        saved = await store.save(user_id("bob"), PRIVACY_LIST, NOT_ALICE.encode())
        await store.close()
        read = StoreKeeper.load

        async def read_too_early(keeper: StoreKeeper, name: str, keys: Collection[int]) -> Any:
            found = await read(keeper, name, keys)
            return found if tuple(keys) == (PRIVACY_LIST,) else {}

        monkeypatch.setattr(StoreKeeper, "load", read_too_early)
        server.carry_out(StoredChange(user_id("bob"), PRIVACY_LIST, saved.version), no_answer)
        bob = await signed_in(server, "bob")
        assert not server._community.presence.can_see(user_id("alice"), user_id("bob"))
        await bob.until(lambda: bob.messages(SetPrivacyList))
        assert bob.messages(SetPrivacyList) == [SetPrivacyList(NOT_ALICE)]
        await bob.close()
