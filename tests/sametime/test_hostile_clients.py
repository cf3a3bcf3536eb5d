"""Whatever a signed-in client sends: the server stays well, others do not notice, nothing of it is told."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.sametime.reason import ResolveCode
from quintet.sametime.server import SametimeServer
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.conference import ConferenceOpening
from quintet.sametime.services.im import ImOpening, ImText
from quintet.sametime.services.resolve import ResolveFlag, ResolveRequest, decode_response
from quintet.sametime.services.storage import SaveValues, StoredValue, value_of
from quintet.sametime.trace import SametimeTraceEvent, TaskFailed
from quintet.sametime.wire.blocks import PrivacyInfo, StatusCode, UserItem, UserStatus
from quintet.sametime.wire.framing import frame
from quintet.sametime.wire.messages import (
    Announce,
    ChannelCreate,
    ChannelDestroy,
    ChannelSend,
    SetPrivacyList,
    SetUserStatus,
    encode,
)
from support.community_directory import FakeDirectory, user_id
from support.sametime_client import SametimeClient
from support.sametime_server import SETTINGS, LiveClient, running, signed_in
from support.sametime_values import MESSAGES, OPENINGS, PAYLOADS

CHANNELS = {
    ServiceId.AWARE: 1,
    ServiceId.RESOLVE: 2,
    ServiceId.STORAGE: 3,
    ServiceId.DIRECTORY: 4,
    ServiceId.CONFERENCE: 5,
    ServiceId.IM: 6,
}
"""The channels that the hostile client has open."""

numbers = st.sampled_from(sorted(CHANNELS.values()))
payloads = st.one_of([each.values for each in PAYLOADS.values()])


def sent(channel: int, message_type: int, data: bytes, encrypted: bool) -> bytes:
    return encode(ChannelSend(channel, message_type, data, encrypted))


well_formed = st.one_of(list(MESSAGES.values())).map(encode)
said = st.builds(lambda channel, each: sent(channel, each.TYPE, each.encode(), False), numbers, payloads)
half_said = st.builds(
    lambda channel, each, end: sent(channel, each.TYPE, each.encode()[:end], False),
    numbers,
    payloads,
    st.integers(0, 40),
)
junk_said = st.builds(sent, numbers, st.integers(0, 0x300), st.binary(max_size=60), st.booleans())
opened = st.builds(
    lambda channel, service, target, additional: encode(
        ChannelCreate(channel, service, 0x10, 1, replace(ChannelCreate(1, 1, 1, 1).target, user=target))
        if additional is None
        else ChannelCreate(channel, service, 0x10, 1, additional=additional.encode())
    ),
    st.integers(1, 12),
    st.sampled_from([*CHANNELS, ServiceId.GROUP_CONTENT, ServiceId.PLACE, 0xFFFFFFFF]),
    st.sampled_from(["", user_id("alice"), user_id("bob"), "x"]),
    st.none() | st.one_of(list(OPENINGS.values())),
)
junk = st.binary(max_size=40).map(frame)
attacks = st.lists(well_formed | said | half_said | junk_said | opened | junk, min_size=1, max_size=15)


async def armed(server: SametimeServer) -> LiveClient:
    """A client with a channel of each service."""
    alice = await signed_in(server, "alice")
    for service in (ServiceId.AWARE, ServiceId.RESOLVE, ServiceId.STORAGE, ServiceId.DIRECTORY):
        await alice.open(service)
    await alice.open(ServiceId.CONFERENCE, "", ConferenceOpening("name", "title").encode())
    alice.client.create(ServiceId.IM, user_id("bob"), ImOpening().encode())
    await alice.flush()
    return alice


async def still_serves(bob: LiveClient) -> bool:
    channel = await bob.open(ServiceId.RESOLVE)
    (answer,) = await bob.ask(channel, ResolveRequest(1, ("bo",), ResolveFlag.USERS))
    return decode_response(answer.type, answer.data).code == ResolveCode.SUCCESS


async def assert_harmless(messages: Iterable[bytes]) -> None:
    people = FakeDirectory.of("alice", "bob", team=("alice", "bob"))
    with tempfile.TemporaryDirectory() as folder:
        chosen = replace(SETTINGS, browse_pages=True, admin_group="team")
        async with running(people, Path(folder), chosen) as server:
            bob, alice = await signed_in(server, "bob"), await armed(server)
            with contextlib.suppress(ConnectionError):
                alice.writer.write(b"".join(messages))
                await alice.writer.drain()
            assert await still_serves(bob)
            await alice.close()
            assert await still_serves(bob)
            assert server.counter.count(TaskFailed) == 0, server.counter.counts
            await bob.close()


@settings(max_examples=80, deadline=None)
@given(attacks)
def test_a_hostile_client_harms_nobody(messages: list[bytes]) -> None:
    asyncio.run(assert_harmless(messages))


@settings(max_examples=40, deadline=None)
@given(st.lists(well_formed | junk | st.binary(max_size=30), min_size=1, max_size=5), st.booleans())
def test_a_client_that_sends_anything_before_signing_in_harms_nobody(
    messages: list[bytes], shaken: bool
) -> None:
    async def run() -> None:
        people = FakeDirectory.of("bob")
        with tempfile.TemporaryDirectory() as folder:
            async with running(people, Path(folder)) as server:
                bob = await signed_in(server, "bob")
                mallory = await LiveClient.connect(server.port, SametimeClient("mallory"))
                if shaken:
                    await mallory.got(object)
                with contextlib.suppress(ConnectionError):
                    mallory.writer.write(b"".join(messages))
                    await mallory.writer.drain()
                assert await still_serves(bob)
                await mallory.close()
                assert server.counter.count(TaskFailed) == 0, server.counter.counts
                await bob.close()

    asyncio.run(run())


async def test_a_message_cut_at_any_byte_is_waited_for_or_refused(
    people: FakeDirectory, tmp_path: Path
) -> None:
    whole = SametimeClient("alice")
    whole.start()
    handshake = whole.data_to_send()
    async with running(people, tmp_path) as server:
        for end in range(1, len(handshake)):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(handshake[:end])
            await writer.drain()
            writer.close()
        client = await signed_in(server, "alice")
        await client.settle()
        assert len(server.sessions()) == 1
        await client.close()


async def test_nothing_that_users_write_is_told_to_logs(people: FakeDirectory, tmp_path: Path) -> None:
    told: list[SametimeTraceEvent] = []
    marker = "GEHEIM"
    async with running(people, tmp_path, replace(SETTINGS, admin_group="team"), trace=told.append) as server:
        alice, bob = await signed_in(server, "alice"), await signed_in(server, "bob")
        storage = await alice.open(ServiceId.STORAGE)
        save = SaveValues(1, (StoredValue(0, value_of(marker)), StoredValue(0x50, value_of(marker))))
        await alice.ask(storage, save)
        alice.client.say(SetUserStatus(UserStatus(StatusCode.AWAY, 0, marker)))
        alice.client.say(SetPrivacyList(PrivacyInfo(deny=True, users=(UserItem(marker),))))
        alice.client.say(Announce(marker, (f"@U {marker}",)))
        alice.client.create(ServiceId.IM, marker, ImOpening().encode())
        channel = alice.client.create(ServiceId.IM, user_id("bob"), ImOpening().encode())
        await alice.flush()
        await bob.got(ChannelCreate)
        bob.client.accept(bob.messages(ChannelCreate)[0])
        await bob.flush()
        await alice.answered(channel)
        alice.client.send(channel, ImText.TYPE, ImText(marker).encode())
        resolve = await alice.open(ServiceId.RESOLVE)
        await alice.ask(resolve, ResolveRequest(1, (marker,), ResolveFlag.USERS))
        alice.client.send(resolve, 2, marker.encode())
        await alice.settle()
        alice.writer.write(frame(marker.encode()))
        await alice.until_closed()
        refused = await LiveClient.connect(server.port, SametimeClient(marker, marker.encode()))
        await refused.until_closed()
        for each in (alice, bob, refused):
            await each.close()
    assert len(told) > 5
    assert marker not in repr(told)
    assert "alice" not in repr(told)


@pytest.mark.parametrize("public", [b"", b"\0", b"\1", b"\xff" * 64, b"\xff" * 65])
async def test_a_channel_with_a_weak_key_is_refused(server: SametimeServer, public: bytes) -> None:
    alice = await signed_in(server, "alice")
    item = b"\0\1" + len(public).to_bytes(4, "big") + public
    block = b"\0\0\0\1" + item + b"\0\1\0"
    offer = b"\0\1" + len(block).to_bytes(4, "big") + block
    create = encode(ChannelCreate(7, ServiceId.RESOLVE, 0x15, 0))
    body = create[4:-12] + offer + bytes(10)
    alice.writer.write(frame(body))
    await alice.answered(7)
    assert isinstance(alice.channel_messages(7)[0], ChannelDestroy)
    await alice.close()
